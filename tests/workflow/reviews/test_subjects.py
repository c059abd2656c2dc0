"""What a page shows of one item: shares add up, values are in their own unit, changed values are predicted anew."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.data.tokens import Tokens
from corrigible.errors import FeedbackError
from corrigible.types import Columns, Features, Phrase, Proposal
from corrigible.workflow.reviews import drawn
from corrigible.workflow.reviews.counting import count_of, rows_with
from corrigible.workflow.reviews.explained import absence_of, item_of
from corrigible.workflow.reviews.subject import Subject
from corrigible.workflow.reviews.tables import what_if

COLUMNS = Columns(
    names=("age", "age=missing", "site=a", "site=b", "sick"),
    feature=("age", "age", "site", "site", "sick"),
    one_hot=(False, False, True, True, False),
    shift=(50.0, 0.0, 0.0, 0.0, 0.0),
    scale=(10.0, 1.0, 1.0, 1.0, 1.0),
)


def linear(weights):
    """Two classes whose difference is this linear function."""
    model = nn.Linear(len(weights), 2)
    with torch.no_grad():
        model.weight.zero_()
        model.bias.zero_()
        model.weight[1] = torch.tensor(weights)
    return model


@pytest.fixture
def table():
    age = torch.linspace(-2, 2, 41)
    site, sick = torch.arange(41) % 2, (torch.arange(41) % 3 == 0).float()
    x = torch.stack([age, torch.zeros(41), 1.0 - site, site.float(), sick], dim=1)
    data = TensorData(x, (torch.arange(41) > 20).long(), columns=COLUMNS, class_names=("no", "yes"))
    model = linear([1.0, 0.0, 0.0, 2.0, 0.0])
    return Subject(
        model, {"train": data}, "integrated_gradients", {"steps": 8}, {"age": "age in years", "site=a": "Aachen"}
    )


def test_a_tables_item_is_in_its_own_units(table):
    item = item_of(table, "train", 40)
    age, site, sick = item["table"]
    assert (age["title"], age["value"], age["kind"]) == ("age in years", "70", "number")
    assert age["population"] == {"low": "32", "median": "50", "high": "68", "at": 1.0}
    assert (age["min"], age["max"]) == (30.0, 70.0)
    assert (site["value"], site["levels"], site["kind"]) == ("Aachen", ["Aachen", "b"], "category")
    assert (sick["value"], sick["kind"]) == ("no", "yes_no")
    assert sum(abs(part["share"]) for part in item["table"]) == pytest.approx(1)
    assert item["explains"] == "why “yes” rather than “no”"
    assert item["proposals"][0]["region"] == {"type": "features", "names": ["age"]}


def test_what_if_is_what_the_model_predicts_of_the_changed_row(table):
    item = item_of(table, "train", 40)
    changed = what_if(table, "train", 40, {"age": "30", "site": "b", "sick": "yes"}, "")
    assert [part["value"] for part in changed["table"]] == ["30", "b", "yes"]
    probability = torch.sigmoid(torch.tensor(-2.0 + 2.0)).item()
    assert changed["certainty"] == f"{100 * probability:.1f}\u00a0%"
    assert item_of(table, "train", 40)["table"] == item["table"]  # The data stay as they are.


@pytest.mark.parametrize("values", [{"age": "old"}, {"age": float("nan")}, {"site": "c"}, {"wage": 1}, {"age": None},
                                    {"age": 1e300}, {"age": 10**400}, {"age": "9" * 5000}])  # fmt: skip
def test_a_value_that_does_not_fit_is_refused(table, values):
    with pytest.raises(FeedbackError):
        what_if(table, "train", 0, values, "")


def test_rules_say_how_many_rows_they_are_about(table):
    assert count_of(table, Features(("age",)), "dataset", None)["rows"] == 41
    found = count_of(table, Features(("age",)), "class", 1)
    assert (found["rows"], found["of"]) == (20, 20)
    assert "“yes”" in found["sentence"]
    with pytest.raises(FeedbackError):
        count_of(table, Features(("age",)), "class", 7)


@pytest.fixture
def texts():
    words = ("good", "bad", "film", "the")
    ids = torch.tensor([[3, 2, 0, -1], [3, 2, 1, -1], [0, 2, -1, -1]])
    x = torch.nn.functional.one_hot(ids.clamp_min(0), 4).float() * (ids >= 0)[..., None]
    data = TensorData(x, torch.tensor([1, 0, 1]), tokens=Tokens(ids, words))

    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.read = linear([1.0, -1.0, 0.0, 0.0])

        def forward(self, x):
            return self.read(x.sum(dim=1))

    return Subject(Bag(), {"train": data}, "integrated_gradients", {"steps": 4})


def test_a_texts_item_has_a_share_for_each_word(texts):
    item = item_of(texts, "train", 1)
    assert [part["word"] for part in item["text"]] == ["the", "film", "bad"]
    assert [abs(part["share"]) for part in item["text"]] == pytest.approx([0, 0, 1])
    assert item["kind"] == "text"


def test_phrases_are_found_where_they_stand(texts):
    assert rows_with(texts.data["train"], ["film", "good"]) == [0]
    assert rows_with(texts.data["train"], ["unheard"]) == []
    assert count_of(texts, Phrase(("film",)), "class", 1)["rows"] == 2


@pytest.fixture
def images():
    x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    y = torch.arange(6) % 2
    return Subject(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), {"train": TensorData(x, y)}, "occlusion")


def test_pictures_maps_and_segments_have_the_inputs_size(images):
    for written, mode in (
        (drawn.picture(images, "train", 0), "RGB"),
        (drawn.attribution_map(images, "train", 0, ""), "RGBA"),
        (drawn.segments(images, "train", 0), "RGB"),
    ):
        found = Image.open(io.BytesIO(written))
        assert (found.size, found.mode) == ((8, 8), mode)


def test_what_is_black_and_white_does_not_depend_on_forgotten_rows(images):
    images.first.x[2] *= 100
    without = replace(images, forgotten=frozenset({2}), kept={})
    kept = [0, 1, 3, 4, 5]
    alone = replace(images, data={"train": TensorData(images.first.x[kept], images.first.y[kept])}, kept={})
    assert drawn.picture(without, "train", 0) == drawn.picture(alone, "train", 0)
    assert drawn.picture(without, "train", 0) != drawn.picture(images, "train", 0)


def test_a_map_is_red_where_the_score_rises_and_opaque_where_it_is_strong():
    found = np.asarray(Image.open(io.BytesIO(drawn.map_png(torch.tensor([[[1.0, -0.5], [0.0, 0.0]]])))))
    red, blue = found[0, 0], found[0, 1]
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert red[3] > blue[3] > found[1, 0, 3] == 0


def test_an_unknown_method_is_the_usual_one(images):
    assert item_of(images, "train", 0, "os:system")["method"]["name"] == "occlusion"


def test_what_32_bits_make_of_a_zero_is_shown_as_zero():
    x = torch.tensor([[-0.1], [2.3], [5.0]])
    columns = Columns(("wage",), ("wage",), (False,), shift=(1e4,), scale=(1e5,))
    data = TensorData((x * 1e5 - 1e4) / 1e5, torch.tensor([0, 0, 1]), columns=columns)
    x[0] = -0.1 + 1e-9
    shown = item_of(Subject(linear([1.0]), {"train": data}, "integrated_gradients"), "train", 0)["table"][0]["value"]
    assert shown == "−10\u202f000"
    zero = TensorData(torch.full((3, 1), -0.1) + torch.tensor([[0.0], [1e-9], [1.0]]), data.y, columns=columns)
    subject = Subject(linear([1.0]), {"train": zero}, "integrated_gradients")
    assert item_of(subject, "train", 0)["table"][0]["value"] == "0"


@pytest.mark.parametrize(("shares", "told"), [
    ([(0.5, 0.1), (0.2, 0.4)], ""),
    ([(0.1, 0.01), (0.6, 0.5)], "No single part stands out: the strongest holds 60"),
    ([(0.14, 0.01)], "No single part stands out: the strongest holds 14"),
    ([], "No part stands out: the explanation is 0 everywhere."),
])  # fmt: skip
def test_it_is_said_where_no_part_stands_out(shares, told):
    offered = [Proposal(Features((f"f{place}",)), *each, (0,)) for place, each in enumerate(shares)]
    assert absence_of(offered).startswith(told) and bool(absence_of(offered)) == bool(told)


def test_the_same_colour_means_the_same_multiple_of_the_average():
    even, spot = torch.ones(1, 8, 8), torch.zeros(1, 8, 8)
    spot[0, 0, 0] = 3.0
    opacity = [np.asarray(Image.open(io.BytesIO(drawn.map_png(values))))[..., 3] for values in (even, 100 * even, spot)]
    assert (opacity[0] == round(255 / drawn.FULL_AT)).all() and (opacity[1] == opacity[0]).all()
    assert opacity[2][0, 0] == 255 and opacity[2].sum() == 255
