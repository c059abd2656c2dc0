"""Facts about the training data that penalties ask for by name."""

import pytest
import torch

from corrigible.augment import AUGMENTS
from corrigible.batches import collate
from corrigible.data.dataset import TensorData
from corrigible.errors import RecipeError
from corrigible.feedback.masks import marks_of
from corrigible.methods import settings_of
from corrigible.models import mlp
from corrigible.objective import terms_of
from corrigible.penalties import PENALTIES
from corrigible.protocols.training_facts import PROVIDERS, Known, augments_of, changes_of, provided, split_method
from corrigible.types import Feedback

X = torch.tensor([[1.0, 10.0], [3.0, -2.0], [5.0, 0.0], [7.0, 4.0]])
DATA = TensorData(X, torch.tensor([0, 0, 2, 2]))
MARKS = marks_of([Feedback(torch.tensor([True, False]), scope="dataset")], DATA)


def asking(forward, batch, *, background=None, donors=None, class_means=None, input_range=None, other=1.0):
    """Asks for all that is made of rows."""


@pytest.fixture
def asks(monkeypatch):
    monkeypatch.setitem(PENALTIES, "asking", asking)


def facts(settings, known):
    (term,) = provided(terms_of({"asking": settings}), known)
    return term.method.settings


def given(settings=None, dataset=DATA):
    model = mlp(2, 3).double()
    return facts(settings or {"weight": 1.0}, Known(model, dataset, MARKS, 0))


def test_worked_by_hand(asks):
    found = given()
    assert set(found) == {"background", "donors", "class_means", "input_range"}
    assert found["class_means"].tolist() == [[2.0, 4.0], [0.0, 0.0], [6.0, 2.0]]
    assert found["input_range"].tolist() == [[1.0, -2.0], [7.0, 10.0]]
    assert sorted(found["background"].tolist()) == sorted(X.tolist())
    assert {found[name].dtype for name in ("class_means", "input_range", "background")} == {torch.float64}


def test_reviewed_images_lend_what_is_marked_on_them(asks):
    images = TensorData(torch.arange(8.0).view(2, 1, 2, 2), torch.tensor([0, 1]))
    said = [Feedback(torch.tensor([[True, True], [True, False]]), row=1)]
    found = facts({"weight": 1.0}, Known(mlp(4, 2), images, marks_of(said, images), 0))
    assert sorted(found["donors"].flatten(1).tolist()) == [[0, 1, 2, 3], [4, 5, 6, 5]]
    assert sorted(found["background"].flatten(1).tolist()) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_a_lazy_data_set_gives_the_same(asks):
    lazy = [(x, y) for x, y in zip(X, DATA.y, strict=True)]
    for name, value in given(dataset=lazy).items():
        assert torch.equal(value, given()[name])


def test_what_is_given_stays(asks):
    mine = torch.zeros(1, 2)
    assert given({"weight": 1.0, "background": mine})["background"] is mine


def test_a_penalty_that_asks_for_nothing_gets_nothing():
    terms = terms_of({"right_reasons": {"weight": "auto"}}, may_be_auto=True)
    assert provided(terms, Known(mlp(2, 3), DATA, MARKS, 0)) == terms


def test_every_fact_is_asked_for_by_some_method():
    methods = [*PENALTIES.values(), *AUGMENTS.values()]
    assert PROVIDERS.keys() <= {name for method in methods for name in settings_of(method)}


def test_an_augmentation_gets_its_facts_and_changes_batches():
    (change,) = augments_of(changes_of({"transplant": {}}), Known(mlp(2, 3), DATA, MARKS, 0))
    batch = collate(DATA, torch.arange(4))
    found = change(mlp(2, 3), batch, torch.Generator().manual_seed(0))
    assert torch.equal(found.x[:, 1], X[:, 1])
    assert not torch.equal(found.x[:, 0], X[:, 0])


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ({"transplnt": {}}, "unknown augmentation 'transplnt': did you mean 'transplant'"),
        ({"input_noise": {"deviaton": 1.0}}, "augmentation 'input_noise'.*'deviaton': did you mean 'deviation'"),
    ],
)
def test_an_unknown_augmentation_or_setting_is_refused(augment, message):
    with pytest.raises(RecipeError, match=message):
        changes_of(augment)


def test_a_method_is_split_into_penalties_and_augmentations():
    penalties, augment = split_method({"right_reasons": 2.0, "transplant": {}, "energy_outside": "auto"})
    assert [(term.name, term.weight) for term in penalties] == [("right_reasons", 2.0), ("energy_outside", "auto")]
    assert [change.name for change in augment] == ["transplant"]
