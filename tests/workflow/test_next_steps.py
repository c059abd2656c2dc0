"""What a verb says to do next fits what the study holds."""

from pathlib import Path

from corrigible.workflow.next_steps import next_steps
from studies import TABLE_RECIPE, corrigible, edit, image_study, table_study


def said_after(*arguments: object) -> list[str]:
    """The commands that are named last, without what they are for."""
    lines = corrigible(*arguments).stdout.splitlines()
    place = next(place for place, line in enumerate(lines) if line.startswith("next: "))
    steps = [line[len("next: ") :].partition("  #")[0] for line in lines[place:]]
    return [step for step in steps if not step.startswith("# ")]


def test_each_verb_names_the_one_that_follows(tmp_path: Path) -> None:
    study = tmp_path / "my study"
    (put,) = said_after("init", study, "--kind", "table")
    assert put.startswith(f"put the data into {study}/data") and f"`corrigible train '{study}'`" in put
    table_study(study, TABLE_RECIPE)
    add = f"corrigible feedback add '{study}' --feature NAME"
    assert next_steps(study, "init") == (f"corrigible train '{study}'",)
    assert said_after("train", study) == [f"corrigible explain '{study}'", f"corrigible suspect '{study}'"]
    assert said_after("explain", study) == [f"corrigible suspect '{study}'", add]
    (marks,) = said_after("suspect", study)
    assert marks in (add.replace("NAME", "site"), f"corrigible evaluate '{study}'")
    assert said_after("feedback", "add", study, "--feature", "site") == [f"corrigible correct '{study}'"]
    assert said_after("train", study) == [f"corrigible correct '{study}'"]
    assert said_after("evaluate", study) == [f"corrigible report '{study}'"]
    sealed = study / "sealed" / "0004-train"
    assert said_after("report", study) == [f"open '{study}'/report.html", f"corrigible seal '{study}'"]
    (verify,) = said_after("seal", study)
    assert verify.startswith(f"corrigible verify '{sealed}' --root ")
    assert said_after("feedback", "retract", study, "1") == [f"corrigible suspect '{study}'", add]


def test_the_loop_goes_on_where_it_was_left(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    edit(study, "learning_rate = 0.00001", "learning_rate = 0.01")
    corrigible("train", study)
    corrigible("feedback", "add", study, "--box", 0, 0, 2, 2)
    correct, evaluate = f"corrigible correct {study}", f"corrigible evaluate {study}"
    assert said_after("explain", study) == [correct]
    corrigible("correct", study, "--penalty", "transplant")
    assert said_after("explain", study) == [evaluate]
    corrigible("evaluate", study)
    assert said_after("explain", study) == [f"corrigible report {study}"]
    assert said_after("feedback", "add", study, "--box", 0, 0, 1, 1) == [correct]
    corrigible("train", study)
    assert said_after("explain", study) == [correct]


def test_a_correction_that_failed_for_want_of_training_says_so_first(tmp_path: Path) -> None:
    study = image_study(tmp_path)  # Whose recipe corrects for two epochs with a tiny learning rate.
    corrigible("train", study, "--epochs", 20)
    corrigible("feedback", "add", study, "--box", 0, 0, 2, 2)
    answer = corrigible("correct", study, "--penalty", "transplant", "--only", "none")
    assert answer.code == 1 and "Failed" in answer.stdout
    said = answer.stdout[answer.stdout.index("next: ") :]
    first, rest = said.split("look again at what was marked")
    assert f"corrigible correct {study} --epochs 24" in first
    assert "it had only 2 epochs and a learning rate of 1e-05" in first
    assert f"corrigible compare {study}" in rest
    assert corrigible("seal", study).code == 1
