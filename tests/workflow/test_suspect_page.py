"""The page of ``suspect``: regions that tell the label, with their commands, apart from those that do not."""

import html
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from corrigible.data.dataset import TensorData
from corrigible.regions.region_test import RegionTest
from corrigible.regions.suspect_ranking import TELLS, Suspect
from corrigible.study import Study
from corrigible.tasks import CLASSES, amounts
from corrigible.types import Features, Pixels, Task
from corrigible.workflow.looking_records import Suspected
from corrigible.workflow.suspect_page import sentence_of, suspect_page
from studies import IMAGE_RECIPE, corrigible, edit, image_study, table_study, text_study

CORNER = np.zeros((4, 4), dtype=bool)
CORNER[:2, 1:] = True
TEST = RegionTest(1.0, 0.5, 1.5, 0.1, 10.0, 5.0, 20.0, 0.01, 9)
FOUND = Suspect(region=Pixels(CORNER), label=1, score=1.0, test=TEST, agreement=0.9, size=6, rows=(3, 1))


def shown(*suspects: Suspect) -> str:
    data = TensorData(torch.rand(6, 1, 4, 4), torch.arange(6) % 2)
    records = [
        Suspected(rank, "--box 0 1 2 3", "dog", 1.0, 1.0, 0.5, 1.5, 10.0, 0.01, found.agreement, 6, found.rows)
        for rank, found in enumerate(suspects, start=1)
    ]
    return suspect_page(
        suspects, records, data, title="<b>pets", model="0001-train", study=Study(Path("my study"), IMAGE_RECIPE)
    )


def test_a_region_that_tells_the_label_is_outlined_with_its_command() -> None:
    page = shown(FOUND)
    assert page.count('class="picture') == page.count('class="outline"') == 2
    assert "&lt;b&gt;pets" in page and "<script" not in page
    commands = [html.unescape(text) for text in re.findall(r"<pre><code>(.*?)</code>", page)]
    assert commands[0] == "corrigible feedback add 'my study' --box 0 1 2 3"
    assert commands[1] == f"{commands[0]} --row 3"
    assert "Nothing here tells the label" not in page


def test_what_does_not_tell_the_label_has_no_command_and_is_said_to_be_perhaps_the_object() -> None:
    others = replace(FOUND, agreement=TELLS - 0.01)
    page = shown(others, others)
    assert "Nothing here tells the label by itself." in page and "the object itself may be what you see" in page
    assert "<pre>" not in page and page.count('class="outline"') == 4
    both = shown(others, FOUND)
    assert both.count("<pre>") == 2 and both.index("<pre>") < both.index("The model also relies on these")
    assert "No region was found" in shown()


def test_every_kind_of_study_gets_a_page_that_verifies(tmp_path: Path) -> None:
    studies = {"image": image_study, "table": table_study, "text": text_study}
    for kind, made in studies.items():
        study = made(tmp_path / kind)
        if kind == "text":
            edit(study, "epochs = 2\nbatch_size = 16\n[correct]", "epochs = 20\nbatch_size = 8\n[correct]")
        corrigible("train", study)
        *records, finished = corrigible("suspect", study, "--json").records
        page = Path(finished["page"]).read_text(encoding="utf-8")
        assert page.count('class="suspect"') == len(records)
        telling = sum(record["tells_label"] for record in records)
        assert page.count("<pre>") >= telling
        assert ("nothing tells" in finished["result"]) == (telling == 0)
        assert corrigible("verify", study).code == 0
    assert "<mark>zeb" in page


def test_a_region_that_lowers_nothing_is_not_said_to_lower_it() -> None:
    def said(effect: float, task: Task) -> str:
        found = RegionTest(effect, -0.2, 0.4, 0.1, effect / 0.1, 0.0, 1.0, 0.5, 10)
        return sentence_of(Suspect(Features(("a",)), None, 1.0, found, 0.25, 1, (0,)), task)

    assert "the score of the predicted class falls by 0.300, 3 times as much as elsewhere (95" in said(0.3, CLASSES)
    risen = said(-0.3, CLASSES)
    assert "rises by 0.300 (95" in risen and "fall: −0.200 to 0.400" in risen and "times" not in risen
    assert "does not change" in said(0.0, CLASSES)
    assert "moves predictions by 30.000 % of the labels' standard deviation" in said(
        0.3, amounts(torch.tensor([1.0, 2.0, 5.0]))
    )
