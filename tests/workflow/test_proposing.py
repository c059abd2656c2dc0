"""The verbs propose and queue: what is printed can be said as feedback, and repeats; what was said is passed over."""

import json
import re
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from corrigible import workflow
from studies import corrigible, edit, image_study, refused, table_study, text_study


def test_a_proposal_of_a_table_is_marked_as_it_is_printed(tmp_path: Path) -> None:
    study = table_study(tmp_path)
    edit(study, "epochs = 1\nbatch_size = 32", "epochs = 20\nbatch_size = 8")
    corrigible("train", study)
    *records, finished = corrigible("propose", study, "--json").records
    assert (records[0]["region"], len(records[0]["rows"])) == ("--feature site", 50)
    assert corrigible("feedback", "add", study, *records[0]["region"].split()).code == 0
    written = json.loads((Path(finished["path"]) / "proposals.json").read_text())
    assert written[0]["id"] == records[0]["id"]
    *again, _ = corrigible("propose", study, "--json").records
    assert again == records
    printed = corrigible("propose", study).stdout
    assert re.search(r"^ 1  site +\d+\s% +33.3\s%  --feature site +50 rows$", printed, re.MULTILINE)
    assert f"feedback add {study} --feature site" in printed.replace("\n", " ") and f"review {study}" in printed


def test_a_mask_that_is_no_rectangle_is_written_as_an_image(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    corrigible("train", study)
    *records, finished = workflow.propose(study, rows=[2, 5])
    assert [record.share for record in records] == sorted((record.share for record in records), reverse=True)
    assert finished.result.endswith(
        "the network has no convolution that gives a map, so integrated gradients say where it looks"
    )
    folder = Path(finished.path)
    assert json.loads((folder / "run.json").read_text())["method"] == "integrated_gradients"
    masks = load_file(folder / "masks.safetensors")["mask"]
    kept = json.loads((folder / "proposals.json").read_text())
    assert len(masks) == len(kept) >= 2
    assert {row for record in records for row in record.rows} == {2, 5}
    for record, mask in zip(kept, masks.numpy(), strict=True):
        assert record["area"] == np.float32(mask.mean()).item() or abs(record["area"] - mask.mean()) < 1e-6
    for record in records:
        assert corrigible("feedback", "add", study, *record.region.split(), "--row", record.rows[0]).code == 0


def test_words_are_proposed_and_rows_that_were_marked_are_not_asked_about(tmp_path: Path) -> None:
    study = text_study(tmp_path)
    corrigible("train", study)
    *records, _ = workflow.propose(study, rows=[0])
    assert all(record.region.startswith("--phrase ") for record in records)
    before = corrigible("queue", study, "--count", 60, "--json").records
    assert sorted(record["row"] for record in before) == list(range(60))
    corrigible("feedback", "add", study, "--phrase", "zeb0", "--row", 0)
    after = corrigible("queue", study, "--count", 60, "--json").records
    assert sorted(record["row"] for record in after) == list(range(1, 60))
    assert any("where another row was marked" in record["reason"] for record in after)
    assert "train row" in corrigible("queue", study, "--count", 2, "--strategy", "uniform").stdout


def test_what_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    study = table_study(tmp_path)
    corrigible("train", study)
    assert "row 60; the data has rows 0 to 59" in refused("propose", study, "--row", 60)
    assert "unknown strategy 'nonsense'" in refused("queue", study, "--strategy", "nonsense")
