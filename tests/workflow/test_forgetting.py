"""A study forgets training rows: the model takes the trained one's place, and no later run learns from them."""

import logging

import pandas as pd
import pytest
import torch

from corrigible.data.dataset import all_rows
from corrigible.feedback.masks import fingerprint
from corrigible.protocols.unlearning import unlearning
from corrigible.recipe import load_data
from corrigible.study import open_study
from corrigible.types import Feedback
from corrigible.workflow import forgotten
from corrigible.workflow.forgetting import ranges
from corrigible.workflow.forgotten import forgotten_in, training
from corrigible.workflow.measuring import models_to_compare
from corrigible.workflow.reproducing import commands
from studies import corrigible, refused, table_study, text_study


def raw_rows(folder):
    study = open_study(folder)
    return all_rows(load_data(study.recipe, study.folder, "train"))


def test_forgotten_rows_are_recorded_and_no_later_run_learns_from_them(finished):
    rows = raw_rows(finished)
    found = corrigible("forget", finished, "--rows", "2-4", "--rows", 7, "--why", "request 12", "--author", "Ada")
    assert found.code == 0, found.stdout
    assert "4 rows forgotten by hybrid" in found.stdout
    study = open_study(finished)
    run = study.latest("train")
    assert (run.verb, run.record["parent"]) == ("forget", "0001-train")
    assert (run.record["options"]["why"], run.record["options"]["author"]) == ("request 12", "Ada")
    assert run.record["forgotten"]["rows"] == [2, 3, 4, 7]
    assert run.record["forgotten"]["fingerprints"] == [fingerprint(rows.x[row]) for row in (2, 3, 4, 7)]
    known = training(study)
    gone = {fingerprint(rows.x[row]) for row in (2, 3, 4, 7)}
    assert gone.isdisjoint(fingerprint(x) for x in all_rows(known.rows).x)
    left = [row for row in range(len(rows)) if row not in (2, 3, 4, 7)]
    assert torch.equal(all_rows(known.rows).x[left], rows.x[left])
    assert [one.name for one in models_to_compare(study)] == [run.name]
    assert corrigible("correct", finished, "--only", "none").code == 0
    assert study.latest("correct").record["parent"] == run.name
    assert corrigible("verify", finished).code == 0
    said = list(commands(study, study.recipe.seed, [*models_to_compare(study), study.latest("evaluate")]))
    assert [line for line in said if " forget " in line] == [
        "corrigible forget again --rows 2-4 --rows 7 --method hybrid --why 'request 12' --author Ada"
    ]
    assert any(line.startswith("corrigible train again") for line in said)


def test_rows_are_forgotten_once_and_more_may_follow(finished):
    assert corrigible("forget", finished, "--rows", 1, "--why", "a").code == 0
    assert "row 1 of train was forgotten already" in refused("forget", finished, "--rows", 1, "--why", "b")
    corrigible("forget", finished, "--label", 0, "--why", "c", "--method", "fine_tuned")  # It may lose too much.
    study = open_study(finished)
    assert set(training(study).forgotten.tolist()) == {1, *(raw_rows(finished).y == 0).nonzero()[:, 0].tolist()}
    assert not (all_rows(training(study).rows).y == 0).any()


def test_what_cannot_be_forgotten_is_refused(finished):
    assert "no reason" in refused("forget", finished, "--rows", 1, "--why", " ")
    assert "either --rows or --label" in refused("forget", finished, "--why", "a")
    assert "either --rows or --label" in refused("forget", finished, "--why", "a", "--rows", 1, "--label", 0)
    assert "there is no row 999999999999" in refused("forget", finished, "--rows", "0-999999999999", "--why", "a")
    assert "there is no row 9999" in refused("forget", finished, "--rows", 9999, "--why", "a")
    assert "unknown method of unlearning" in refused("forget", finished, "--rows", 1, "--why", "a", "--method", "magic")


@pytest.mark.parametrize("named", [("--rows", "1-3"), ("--label", "0")])
def test_rows_are_forgotten_again_where_the_copy_was_ruined(finished, monkeypatch, named):
    def ruined(*_):
        return "it lost 0.5 of the accuracy on kept rows"

    asked = ("forget", finished, *named, "--why", "a b")
    with monkeypatch.context() as patch:
        patch.setattr(unlearning, "ruin_of", ruined)
        found = corrigible(*asked)
    assert found.code == 1
    assert "another --method" in found.stdout and "0001-train" in found.stdout
    assert f"{' '.join(named)} --method fine_tuned --why 'a b'" in found.stdout
    assert "just those that" in refused("forget", finished, "--rows", "0-1", "--rows", 5, "--why", "a")
    gone = training(open_study(finished)).forgotten.tolist()
    assert corrigible(*asked, "--method", "fine_tuned").code == 0
    study = open_study(finished)
    run = study.latest("train")
    assert (run.record["parent"], run.record["options"]["method"]) == ("0001-train", "fine_tuned")
    assert run.record["forgotten"]["rows"] == training(study).forgotten.tolist() == gone
    assert models_to_compare(study)[0].name == run.name
    assert corrigible("verify", finished).code == 0


def test_feedback_on_forgotten_rows_is_left_out(finished):
    corrigible("forget", finished, "--rows", 3, "--why", "a")
    known = training(open_study(finished))
    kept, gone, rule = (Feedback(torch.ones(2, 2).bool(), row=row) for row in (2, 3, 4))
    assert known.about_kept([kept, gone, rule]) == [kept, rule]


def test_rows_that_moved_are_found_and_changed_ones_are_said_to_be_missing(finished, caplog, monkeypatch):
    corrigible("forget", finished, "--rows", "3-4", "--why", "a")
    study, rows = open_study(finished), raw_rows(finished)
    with monkeypatch.context() as patch:
        patch.setattr(forgotten, "row_hashes", None)  # Where nothing has moved, not all rows are read.
        assert forgotten_in(study, rows).tolist() == [3, 4]
    moved = type(rows)(torch.cat([rows.x[4:], rows.x[:3]]), torch.cat([rows.y[4:], rows.y[:3]]))
    with caplog.at_level(logging.WARNING):
        assert forgotten_in(study, moved).tolist() == [0]
    assert "cannot be found" not in caplog.text  # Row 3 was taken out.
    assert fingerprint(moved.x[0]) == study.latest("train").record["forgotten"]["fingerprints"][1]
    rows.x[3] += 1
    with caplog.at_level(logging.WARNING):
        assert forgotten_in(study, rows).tolist() == [4]
    assert "1 forgotten row of 2 cannot be found" in caplog.text


def test_of_equal_rows_that_moved_as_many_are_forgotten_as_were_asked_for(finished, caplog):
    corrigible("forget", finished, "--rows", "3-4", "--why", "a")
    study, rows = open_study(finished), raw_rows(finished)
    for places, expected in (([0, 4, 5, 4, 6, 3, 3], [1, 5]), ([4, 0, 5, 3, 3, 4], [0, 3])):
        with caplog.at_level(logging.WARNING):
            assert forgotten_in(study, type(rows)(rows.x[places], rows.y[places])).tolist() == expected
    assert "cannot be found" not in caplog.text


def test_a_row_that_moved_stays_forgotten_when_another_one_is_forgotten_in_its_old_place(tmp_path):
    folder = table_study(tmp_path / "study")
    file = folder / "data" / "train.csv"
    table = pd.read_csv(file)
    assert corrigible("train", folder).code == 0
    how = ("--rows", 5, "--why", "a", "--method", "fine_tuned")
    corrigible("forget", folder, *how)
    table.loc[[*range(2, len(table)), 0, 1]].to_csv(file, index=False)
    assert training(open_study(folder)).forgotten.tolist() == [3]
    assert corrigible("train", folder).code == 0
    found = corrigible("forget", folder, *how)
    assert found.code == 0, found.stdout
    assert training(open_study(folder)).forgotten.tolist() == [3, 5]


@pytest.mark.parametrize("make", [table_study, text_study])
def test_rows_of_a_file_are_found_after_one_was_taken_out(make, tmp_path, caplog):
    folder = make(tmp_path / "study")
    file = folder / "data" / "train.csv"
    table = pd.read_csv(file)
    changing = "age" if "age" in table else "text"
    if changing == "text":
        table["text"] += [f" w{row}" for row in range(len(table))]
        table.to_csv(file, index=False)
    assert corrigible("train", folder).code == 0
    found = corrigible("forget", folder, "--rows", 5, "--rows", 9, "--why", "a", "--method", "fine_tuned")
    assert found.code == 0, found.stdout
    for without, expected in (([], [5, 9]), ([5], [8]), ([5, 9], []), ([2, 3], [3, 7])):
        table.drop(index=without).to_csv(file, index=False)
        (folder / "data" / "vocabulary.safetensors").unlink(missing_ok=True)
        with caplog.at_level(logging.WARNING):
            assert training(open_study(folder)).forgotten.tolist() == expected
    assert "cannot be found" not in caplog.text
    table.loc[9, changing] = table.loc[8, changing]
    table.loc[9, "site"] = "north-west"
    table.to_csv(file, index=False)
    (folder / "data" / "vocabulary.safetensors").unlink(missing_ok=True)
    with caplog.at_level(logging.WARNING):
        assert training(open_study(folder)).forgotten.tolist() == [5]
    assert "1 forgotten row of 2 cannot be found" in caplog.text


@pytest.mark.parametrize(("rows", "said"), [([3, 1, 2, 9], ["1-3", "9"]), ([], []), ([5, 5], ["5"])])
def test_numbers_in_a_row_are_a_range(rows, said):
    assert ranges(rows) == said
