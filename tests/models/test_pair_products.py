"""Products of a table's features as inputs inside a network."""

import pytest
import torch

from corrigible.errors import RecipeError
from corrigible.explanations import explain
from corrigible.models import tabm
from corrigible.models.building import built
from corrigible.models.pair_products import PairProducts, columns_of_pairs

FACTS = {
    "one_hot": [False, True, True, False, False],
    "features": ["age", "sex", "sex", "priors", "priors=missing"],
    "knots": [[-1.0, 0.0, 2.0], [0.0, 1.0], [-1.0, 1.0]],
    "output_directions": [-1, 1],
}
PAIRS = [("age", "priors"), ("sex", "age"), ("age", "age"), ("sex", "priors")]
X = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def network(**settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = tabm(**FACTS, num_classes=2, members=2, embedding=4, dropout=0.0, interactions=PAIRS, **settings)
    return model.double().eval()


def test_products_by_their_definition():
    places = columns_of_pairs(PAIRS, FACTS["features"], FACTS["one_hot"], [0] * 5)
    assert places == [(0, 3), (1, 0), (2, 0), (0, 0), (1, 3), (2, 3)]
    torch.testing.assert_close(PairProducts(places)(X), torch.stack([X[:, a] * X[:, b] for a, b in places], 1))


def test_without_hidden_layers_a_score_is_a_sum_of_curves_and_products():
    model, base = network(hidden=()), torch.zeros(1, 5, dtype=torch.float64)
    one, other = base.clone(), base.clone()
    one[0, 0], other[0, 4] = 1.5, 2.0
    torch.testing.assert_close(model(one + other) - model(one) - model(other) + model(base), torch.zeros(1, 2).double())
    other[0, 3] = 2.0  # Now a pair.
    mixed = (model(one + other) - model(one) - model(other) + model(base))[0]
    weight = model.members[0].weight.mean(0)[-6]  # Of the first product, as it enters.
    torch.testing.assert_close(mixed, 3.0 * weight)


@pytest.mark.parametrize("settings", [{"hidden": ()}, {"hidden": (6,), "monotonic_cst": {"priors=missing": 1}}])
def test_deep_lift_is_complete_and_gradients_are_right(settings):
    model, target = network(**settings), torch.tensor([1, 0, 1, 0, 1, 0])
    found = explain(model, X, target, method="deep_lift")
    change = (model(X) - model(torch.zeros_like(X[:1]))).gather(1, target[:, None])[:, 0]
    torch.testing.assert_close(found.sum(1), change.detach())
    assert torch.autograd.gradcheck(model, X[:2].clone().requires_grad_())


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        (["age"], "interactions hold 'age'; expected pairs of names, such as"),
        ([("age", "weight")], "interactions name 'weight'; there are 'age', 'sex', 'priors'"),
        ([("age", "sex"), ("sex", "age")], "interactions hold 'sex' and 'age' twice; expected each pair once"),
        ([("sex", "sex")], "interactions pair 'sex' with itself, a column of categories; expected a number"),
        ([("age", "priors")], "interactions pair 'age', which has a direction in monotonic_cst: products have none"),
    ],
)
def test_pairs_that_cannot_be_formed_are_refused(pairs, told):
    directions = [int("priors" in pairs[0]), 0, 0, 0, 0]
    with pytest.raises(ValueError, match=told):
        columns_of_pairs(pairs, FACTS["features"], FACTS["one_hot"], directions)


def test_a_recipe_is_told_too():
    with pytest.raises(RecipeError, match="interactions name 'weight'; there are 'age', 'sex', 'priors'"):
        built("tabm", {"interactions": [["age", "weight"]]}, {**FACTS, "num_classes": 2}, 0)
