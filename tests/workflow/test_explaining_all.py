"""Every row of a study, explained in a run that survives interruptions."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from corrigible import TensorData, workflow
from corrigible.data.protocol import columns_of
from corrigible.errors import StudyError
from corrigible.explanations import explain
from corrigible.explanations.shards import ShardsPlanned, ShardWritten, load_shards
from corrigible.explanations.words import by_token
from corrigible.recipe import load_data
from corrigible.study import open_study
from corrigible.workflow.explaining_all import splits_of
from corrigible.workflow.making import load_model
from studies import SIZES, corrigible, edit, image_study, refused, table_study, text_study

SPLITS = ("train", "validation", "test")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = table_study(tmp_path / "study")
    list(workflow.train(folder))
    return folder


def made_by(study: Path, **settings: Any) -> Path:
    """The folder of the run."""
    return Path(list(workflow.explain_all(study, **settings))[-1].path)


def interrupt(study: Path, num_shards: int, **settings: Any) -> None:
    records = workflow.explain_all(study, **settings)
    while num_shards:
        num_shards -= isinstance(next(records), ShardWritten)
    records.close()


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.json"}


@pytest.mark.parametrize("make", [image_study, table_study])
def test_every_row_of_every_split_is_explained(make: Any, tmp_path: Path) -> None:
    folder = make(tmp_path)
    list(workflow.train(folder))
    run = made_by(folder, rows_per_shard=7)
    study = open_study(folder)
    explanation = study.recipe.explain
    model = load_model(study.latest("train"))
    for split in SPLITS:
        data = load_data(study.recipe, folder, split)
        x, columns = data.x, columns_of(data)
        found = load_shards(run, name=split)
        expected = explain(
            model, x, method=explanation.method, columns=columns, seed=study.recipe.seed, **explanation.settings
        )
        torch.testing.assert_close(found.attribution, expected)
        assert torch.equal(found.target, model.eval()(x).argmax(1))
    assert study.latest("explain").record["rows"] == SIZES
    assert study.latest("explain").problems() == []


def test_what_was_finished_before_an_interruption_is_kept(study: Path) -> None:
    whole = made_by(study, rows_per_shard=20)
    interrupt(study, 4, rows_per_shard=20)
    assert [run.name for run in open_study(study).runs()] == ["0001-train", "0002-explain"]
    answer = corrigible("explain", study, "--all", "--rows-per-shard", 20)
    assert (answer.code, answer.stderr) == (0, "")
    lines = answer.stdout.splitlines()
    assert "train: 60 rows in 3 shards; goes on after 3 finished before" in lines
    assert "test: 24 rows in 2 shards; goes on after 1 finished before" in lines
    assert "validation: 18 rows in 1 shard" in lines
    assert sum("shard 2/2" in line or "shard 1/1" in line for line in lines) == 2
    assert content(study / "runs" / "0003-explain") == content(whole)
    assert sorted(path.name for path in (study / "runs").iterdir()) == [
        *(".lock", ".lock-explain", "0001-train", "0002-explain", "0003-explain")
    ]
    assert corrigible("verify", study).code == 0


def test_going_on_with_another_model_is_refused_before_anything_is_explained(study: Path) -> None:
    interrupt(study, 1, splits=["test"], rows_per_shard=7)
    list(workflow.train(study, seed=5))
    with pytest.raises(StudyError, match=r"unfinished-explain/test were started differently: weights was"):
        list(workflow.explain_all(study, rows_per_shard=7))
    assert not list(study.rglob("train-0*"))
    assert "seed was 0, now 9" in refused("explain", study, "--all", "--run", 1, "--rows-per-shard", 7, "--seed", 9)
    assert list(workflow.explain_all(study, run="1", rows_per_shard=7))[2] == ShardsPlanned("validation", 18, 3, 0)


def test_two_at_a_time_do_not_take_each_others_shards(study: Path) -> None:
    records = workflow.explain_all(study)
    next(records)
    assert "another process explains every row" in refused("explain", study, "--all")
    records.close()
    assert corrigible("explain", study, "--all").code == 0


def test_one_split_alone_leaves_the_shards_of_others_where_they_are(study: Path) -> None:
    interrupt(study, 3, rows_per_shard=7)
    run = made_by(study, splits=["test"], format="parquet")
    assert sorted(content(run)) == ["shares.json", "test-00000.parquet", "test-plan.json"]
    (planned, *_) = workflow.explain_all(study, rows_per_shard=7)
    assert planned == ShardsPlanned("train", 60, 9, 3)


def test_shares_are_those_of_the_rows_together(study: Path) -> None:
    alone = [record for record in workflow.explain(study) if type(record).__name__ == "FeatureShare"]
    in_shards = [
        record
        for record in workflow.explain_all(study, splits=["test"], rows_per_shard=5)
        if type(record).__name__ == "FeatureShare"
    ]
    assert [share.feature for share in in_shards] == [share.feature for share in alone]
    assert [share.share for share in in_shards] == pytest.approx([share.share for share in alone], rel=1e-4)
    assert open_study(study).latest("explain").read("shares.json")[0]["feature"] == alone[0].feature


def test_progress_is_one_json_line_per_record(study: Path) -> None:
    records = corrigible("explain", study, "--all", "--split", "test", "--rows-per-shard", 12, "--json").records
    assert records[:3] == [
        {"record": "ShardsPlanned", "name": "test", "num_rows": 24, "num_shards": 2, "num_kept": 0},
        {"record": "ShardWritten", "name": "test", "number": 1, "num_shards": 2},
        {"record": "ShardWritten", "name": "test", "number": 2, "num_shards": 2},
    ]
    assert records[-1]["path"] == str(study / "runs" / "0002-explain")


def test_what_is_about_shards_needs_all(study: Path) -> None:
    for more in (("--split", "test"), ("--format", "parquet"), ("--rows-per-shard", 5)):
        answer = corrigible("explain", study, *more)
        assert answer.code == 2 and "need --all" in answer.stderr


def test_splits_are_the_files_or_what_the_recipe_names(study: Path) -> None:
    (study / "data" / "later.csv").write_bytes((study / "data" / "test.csv").read_bytes())
    assert set(splits_of(open_study(study))) == {*SPLITS, "later"}
    edit(study, 'target = "label"\ngroup = "sex"', 'source = "workflow.test_explaining_all:rows"')
    edit(study, 'kind = "table"', 'kind = "image"')
    assert splits_of(open_study(study)) == ("train", "test", "validation")


def rows(split: str) -> TensorData:
    raise AssertionError("the names of the splits need no rows")


def test_every_word_is_explained_as_explain_does_it(tmp_path: Path) -> None:
    folder = text_study(tmp_path / "texts")
    edit(folder, 'method = "integrated_gradients"\nsteps = 8', 'method = "kernel_shap"\nsamples = 40')
    list(workflow.train(folder))
    run = made_by(folder, rows_per_shard=10)
    assert open_study(folder).latest("explain").record["rows"] == SIZES
    alone = Path(list(workflow.explain(folder))[-1].path)
    in_shards = by_token(load_shards(run, name="test").attribution)
    torch.testing.assert_close(in_shards, load_file(alone / "attributions.safetensors")["attribution"])
    assert (run / "test-words.json").read_text() == (alone / "words.json").read_text()
    only_test = list(workflow.explain_all(folder, splits=["test"]))
    told = {record.feature: record.share for record in only_test if type(record).__name__ == "FeatureShare"}
    shares = {share["feature"]: share["share"] for share in json.loads((alone / "shares.json").read_text())}
    assert told == pytest.approx(shares, rel=1e-3)
