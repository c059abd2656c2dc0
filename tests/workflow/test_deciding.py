"""A decision about a correction is a run; what was discarded is passed over, and nothing is deleted."""

import pytest

from corrigible.errors import StudyError
from corrigible.study import open_study
from corrigible.workflow.measuring import models_to_compare
from studies import corrigible, refused


def test_a_discarded_correction_is_passed_over_until_it_is_kept(finished):
    study = open_study(finished)
    correction = study.latest("correct")
    assert corrigible("discard", finished, "--author", "Ada", "--note", "forgot <b>one</b>").code == 0
    assert study.latest("train", "correct").verb == "train"
    with pytest.raises(StudyError, match="no correct run"):
        study.latest("correct")
    assert [run.verb for run in models_to_compare(study)] == ["train"]
    assert corrigible("verify", finished).code == 0
    assert correction.problems() == []
    corrigible("report", finished)
    page = (finished / "report.html").read_text()
    assert f"{correction.name} was discarded by Ada" in page
    assert "<b>one</b>" not in page
    assert corrigible("keep", finished, "--run", correction.name).code == 0
    assert study.latest("correct").name == correction.name


def test_what_is_no_correction_cannot_be_kept(finished):
    assert "is no correction" in refused("keep", finished, "--run", "0001-train")
    assert "unknown run" in refused("discard", finished, "--run", "0099-correct")


def test_answers_and_conflicts_from_the_command_line(finished):
    for author, says in (("Ada", "nothing wrong"), ("Bo", "not sure")):
        assert corrigible("feedback", "answer", finished, "--row", 3, "--says", says, "--author", author).code == 0
    found = corrigible("feedback", "conflicts", finished).stdout
    assert "row 3 of train: Ada “nothing wrong”, Bo “not sure”." in found
    assert "Krippendorff" in found
    assert "there is no row 999" in refused("feedback", "answer", finished, "--row", 999, "--says", "skipped")
    assert "give --row or --file" in refused("feedback", "answer", finished, "--says", "skipped")
    listed = corrigible("feedback", "list", finished, "--json").records
    assert [record["record"] for record in listed] == ["Listed", "Answered", "Answered"]
    assert [record["number"] for record in listed] == [1, 2, 3]
    assert "train row 3" in corrigible("feedback", "list", finished).stdout
