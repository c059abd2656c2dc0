"""A recipe names its background by a number of training rows."""

from pathlib import Path

import pytest
from safetensors.torch import load_file

from corrigible import workflow
from corrigible.errors import RecipeError
from corrigible.study import open_study
from corrigible.workflow.backgrounds import with_background
from studies import table_study


def asking(folder: Path, *lines: str) -> Path:
    """A small trained study of a table whose recipe says this about explaining."""
    study = table_study(folder)
    recipe = study / "recipe.toml"
    before, _, after = recipe.read_text().partition("[explain]\n")
    rest = "\n[" + after.partition("\n[")[2]
    recipe.write_text(before + "[explain]\n" + "\n".join(lines) + "\n" + rest)
    return study


@pytest.mark.parametrize("absent", ["marginal", "conditional"])
def test_rows_of_the_training_split_stand_for_absent_inputs(tmp_path: Path, absent: str) -> None:
    study = asking(
        tmp_path / "s", 'method = "permutation_shapley"', "samples = 1", "background = 5", f'absent = "{absent}"'
    )
    list(workflow.train(study))
    list(workflow.explain(study))
    found = load_file(study / "runs" / "0002-explain" / "attributions.safetensors")["attribution"]
    assert found.count_nonzero() > 0
    rows = with_background(open_study(study)).explain.settings["background"]
    assert rows.shape == (5, found.shape[1])
    assert rows.equal(with_background(open_study(study)).explain.settings["background"])


@pytest.mark.parametrize("background", ["0", "true", '"train"', "100000"])
def test_anything_but_a_number_of_training_rows_is_refused(tmp_path: Path, background: str) -> None:
    study = asking(tmp_path / "s", 'method = "lime"', f"background = {background}")
    with pytest.raises(RecipeError, match=r"background is .*; expected how many of the \d+ training rows"):
        with_background(open_study(study))
