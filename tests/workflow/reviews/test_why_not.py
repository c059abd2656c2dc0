"""What would make a row another class, as a page shows it: found on the model, in a person's words and units."""

import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import FeedbackError
from corrigible.types import Columns
from corrigible.workflow.reviews.explained import item_of
from corrigible.workflow.reviews.subject import Subject
from corrigible.workflow.reviews.tables import what_if
from corrigible.workflow.reviews.why_not import why_not

COLUMNS = Columns(
    names=("age", "site=a", "site=b", "noise"),
    feature=("age", "site", "site", "noise"),
    one_hot=(False, True, True, False),
    shift=(50.0, 0.0, 0.0, 0.0),
    scale=(10.0, 1.0, 1.0, 1.0),
)


def of_weights(rows: list[list[float]]) -> nn.Linear:
    model = nn.Linear(4, len(rows))
    with torch.no_grad():
        model.weight.copy_(torch.tensor(rows))
        model.bias.zero_()
    return model


def subject_of(weights: list[list[float]], names: tuple[str, ...]) -> Subject:
    age = torch.linspace(-2, 2, 41)
    site, noise = torch.arange(41) % 2, torch.sin(torch.arange(41.0))
    x = torch.stack([age, 1.0 - site, site.float(), noise], dim=1)
    model = of_weights(weights)
    data = TensorData(x, model(x).argmax(dim=1), columns=COLUMNS, class_names=names)
    return Subject(model, {"train": data}, "integrated_gradients", {"steps": 4}, {"age": "age in years", "yes": "ill"})


@pytest.fixture
def two() -> Subject:
    """Class 1 where age is above 50."""
    return subject_of([[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]], ("no", "yes"))


def test_the_change_gives_the_wanted_class_and_names_what_changed(two):
    item = item_of(two, "train", 10)
    assert (item["prediction"], item["others"]) == ("no", ["ill"])
    found = why_not(two, "train", 10, "ill")
    assert list(found["values"]) == ["age"]
    assert what_if(two, "train", 10, found["values"], "")["prediction"] == "ill"
    assert found["sentence"].startswith("With age in years 5")
    assert found["sentence"].endswith(" in place of 40 the model would say “ill”.")


def test_of_several_classes_the_one_that_is_asked_for_is_found():
    three = subject_of([[0.0, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [-1.0, 0.0, 0.5, 0.0]], ("mid", "old", "young"))
    for row in (3, 20, 37):
        for wanted in item_of(three, "train", row)["others"]:
            found = why_not(three, "train", row, wanted)
            assert what_if(three, "train", row, found["values"], "")["prediction"] == wanted


def test_where_no_change_helps_it_is_said():
    never = subject_of([[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]], ("no", "yes"))
    with torch.no_grad():
        never.model.bias.copy_(torch.tensor([1.0, 0.0]))
    found = why_not(never, "train", 0, "ill")
    assert found["values"] == {}
    assert found["sentence"].startswith("No change of values was found with which the model would say “ill”: ")


def test_an_unknown_class_and_rows_without_classes_are_refused(two):
    with pytest.raises(FeedbackError, match="unknown class 'well'; expected|class 'well'"):
        why_not(two, "train", 0, "well")
    pictures = TensorData(torch.rand(4, 1, 8, 8), torch.arange(4) % 2)
    images = Subject(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), {"train": pictures}, "occlusion")
    with pytest.raises(FeedbackError, match="only of a table's row with a class"):
        why_not(images, "train", 0, "0")
    amounts = TensorData(torch.rand(8, 4), torch.rand(8), columns=COLUMNS, task="amounts")
    priced = Subject(nn.Linear(4, 1), {"train": amounts}, "integrated_gradients", {"steps": 2})
    assert item_of(priced, "train", 0)["others"] == []
