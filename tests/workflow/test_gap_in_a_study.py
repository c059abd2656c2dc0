"""A study whose recipe closes a gap beside the feedback: what was reached is told, kept, and asked before sealing."""

import pytest

from corrigible.errors import SealError
from corrigible.study import open_study
from corrigible.workflow.sealing_models import _require_sound
from studies import TABLE_RECIPE, corrigible, table_study

RECIPE = f"""{TABLE_RECIPE}
[[penalty]]
name = "demographic_parity"
weight = "auto"
gap = 0.9
"""


def test_what_became_of_the_gap_is_told_and_kept_and_a_ruined_copy_is_not_sealed(tmp_path):
    study = table_study(tmp_path / "study", RECIPE)
    train = study / "data" / "train.csv"
    header, *rows = train.read_text().splitlines(keepends=True)
    train.write_text(header + "".join(3 * rows))
    assert corrigible("train", study).code == 0
    assert corrigible("feedback", "add", study, "--feature", "site").code == 0
    corrected = corrigible("correct", study)
    assert "demographic_parity (positive: 1): asked for a gap of 0.900" in corrected.stdout
    assert "accuracy: " in corrected.stdout
    assert corrigible("evaluate", study).code == 0
    run = open_study(study).latest("correct")
    assert run.record["enforced"]["said"].startswith("demographic_parity (positive: 1): asked for a gap of 0.900")
    _require_sound(run, None, False)
    run.record["enforced"]["ruin"] = "the copy predicts no better than a constant guess"
    with pytest.raises(SealError, match="cannot seal .*no better than a constant guess; or seal it with --anyway"):
        _require_sound(run, None, False)
    _require_sound(run, None, True)
