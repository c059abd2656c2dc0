"""The verb that ranks regions: what it writes is what it says, and can be typed in as feedback."""

import json
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from corrigible import workflow
from corrigible.types import Features, Phrase, Pixels
from corrigible.workflow.suspecting import in_words
from studies import SIZES, corrigible, edit, image_study, table_study, text_study


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
    assert "suspicion, the order: " in shown and shown.count("region  ") == 1
    assert " 1 --box 0 0 2 2 " in shown and "   100 %" in shown
    assert f"corrigible feedback add {study} --box 0 0 2 2" in shown  # What comes next.


def test_words_are_named_and_can_be_said_as_they_are_printed(tmp_path: Path) -> None:
    study = text_study(tmp_path)
    edit(study, "epochs = 2\nbatch_size = 16\n[correct]", "epochs = 20\nbatch_size = 8\n[correct]")
    corrigible("train", study)
    *records, finished = corrigible("suspect", study, "--json").records
    assert {record["region"] for record in records[:4]} >= {"--phrase zeb0", "--phrase zeb1"}
    for record in records:
        assert corrigible("feedback", "add", study, *record["region"].split()).code == 0
    assert not (Path(finished["path"]) / "masks.safetensors").exists()
    assert "--phrase zeb0" in corrigible("suspect", study).stdout
    text = corrigible("feedback", "list", study).stdout
    assert "zeb0" in text


def test_every_kind_of_region_is_printed_as_feedback_add_takes_it() -> None:
    assert in_words(Features(("blood type", "age")), is_image=False) == "--feature 'blood type' --feature age"
    assert in_words(Phrase(("don't", ".")), is_image=False) == "--phrase 'don'\"'\"'t .'"
    assert in_words(Pixels(np.array([[True] * 2, [False] * 2, [True] * 2])), is_image=False) == "--token 0 --token 2"
    assert in_words(Pixels(np.eye(3, dtype=bool)[1:]), is_image=True) == "--box 0 1 2 2"
