"""The verb that ranks regions: what it writes is what it says, and can be typed in as feedback."""

import json
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from corrigible import workflow
from studies import SIZES, corrigible, edit, image_study, table_study


def test_a_leaking_feature_comes_first_and_can_be_said_as_it_is_printed(tmp_path: Path) -> None:
    study = table_study(tmp_path)
    edit(study, "epochs = 1\nbatch_size = 32", "epochs = 20\nbatch_size = 8")
    corrigible("train", study)
    *records, finished = corrigible("suspect", study, "--json").records
    assert (records[0]["rank"], records[0]["region"]) == (1, "--feature site")
    assert corrigible("feedback", "add", study, *records[0]["region"].split()).code == 0
    folder = Path(finished["path"])
    written = json.loads((folder / "suspects.json").read_text())
    assert [entry["region"] for entry in written] == [record["region"] for record in records]
    assert len(load_file(folder / "masks.safetensors")["mask"]) == len(records)


def test_a_box_on_the_terminal_is_the_mask_in_the_file(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    edit(study, "[train]\nepochs = 2", "[train]\nepochs = 30")
    list(workflow.train(study))
    *records, finished = workflow.suspect(study)
    masks = load_file(Path(finished.path) / "masks.safetensors")["mask"]
    assert records[0].region == "--box 0 0 2 2"
    assert np.array_equal(np.argwhere(masks[0, 0].numpy()), [[0, 0], [0, 1], [1, 0], [1, 1]])
    assert all(0 <= row < SIZES["train"] for row in records[0].rows)
    shown = corrigible("suspect", study, "--run", "0001-train").stdout
    assert "region" in shown.splitlines()[0]
    assert " 1 --box 0 0 2 2 " in shown
