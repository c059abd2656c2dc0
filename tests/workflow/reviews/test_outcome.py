"""What a page says of a correction is what the report says, and whether it was measured."""

from corrigible.study import open_study
from corrigible.workflow.reviews.outcome import outcome_of
from corrigible.workflow.reviews.subject import subject_of
from corrigible.workflow.verdicts import verdicts_on
from studies import corrigible


def test_the_verdict_is_the_reports_once_the_correction_was_measured(finished):
    study = open_study(finished)
    corrected, evaluation = study.latest("correct"), study.latest("evaluate")
    subject = subject_of(study, study.latest("train"))
    found = outcome_of(study, "", [("train", 3)], subject=subject)
    assert (found["items"][0]["row"], len(found["items"])) == (3, 9)
    assert found["measured"] and found["measurements"]
    decisive = verdicts_on(corrected, evaluation.read("evaluation.json"))[0]
    assert found["verdict"] == {name: decisive[name] for name in ("outcome", "sentence", "where")}
    corrigible("keep", finished)
    assert outcome_of(study, corrected.name, [], subject=subject)["verdict"] == found["verdict"]
    (finished / "runs" / evaluation.name).rename(finished / "gone")
    before = outcome_of(study, "", [], subject=subject)
    assert not before["measured"] and before["measurements"] == []
    assert before["verdict"]["sentence"] == corrected.record["verdict"]["sentence"]


def test_each_record_of_a_training_says_of_which_model_it_is(finished):
    answer = corrigible("correct", finished, "--json")
    models = [(record["record"], record.get("model")) for record in answer.records]
    assert ("Epoch", "corrected") in models and ("Epoch", "fine tuned") in models
    assert {model for name, model in models if name == "Verdict"} == {"corrected"}
    assert None not in {model for name, model in models if name == "Epoch"}
