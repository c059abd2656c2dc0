"""Methods are taken by name or as functions, alike."""

from functools import partial

import pytest
import torch
from torch import nn

from corrigible.errors import DataError, RecipeError
from corrigible.explanations import explain
from corrigible.explanations.attributing import attribution_of, name_of, rows_and_target
from corrigible.explanations.attribution.input_gradient import input_gradient

MODEL = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
X = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
TARGET = torch.tensor([0, 1, 1, 0, 1])


def test_a_name_and_a_function_give_the_same_without_a_graph():
    expected = explain(MODEL, X, TARGET, method="input_gradient", score="margin")
    for method in ("input_gradient", input_gradient):
        found = attribution_of(method, MODEL, X, TARGET, score="margin")
        assert torch.equal(found, expected)
        assert not found.requires_grad


def test_names_are_readable_also_of_partial_functions_and_objects():
    assert name_of("lime") == "lime"
    assert name_of(partial(input_gradient, score="margin")) == "input_gradient"
    assert name_of(nn.Identity()) == "Identity"


def test_a_seed_reaches_a_function_that_takes_one():
    def seeded(model, x, target, *, seed=0):
        return torch.full_like(x, seed)

    assert attribution_of(seeded, MODEL, X, TARGET, seed=7).unique().tolist() == [7]
    assert attribution_of(lambda model, x, target: x, MODEL, X, TARGET, seed=7).equal(X)


def test_a_function_that_gives_another_shape_or_has_no_such_setting_is_refused():
    with pytest.raises(DataError, match=r"gave shape \(5,\); expected that of x, \(5, 3\)"):
        attribution_of(lambda model, x, target: x.sum(1), MODEL, X, TARGET)
    with pytest.raises(RecipeError, match="unknown setting 'steps'"):
        attribution_of(input_gradient, MODEL, X, TARGET, steps=3)


def test_the_target_is_what_the_model_predicts_unless_it_is_given():
    rows, predicted = rows_and_target(MODEL, X.double().numpy(), None)
    assert rows.dtype == torch.float32
    assert torch.equal(predicted, MODEL(X).argmax(1))
    assert rows_and_target(MODEL, X, 1)[1].tolist() == [1] * 5


def test_without_a_target_a_single_score_is_asked_about_whatever_its_sign():
    model = nn.Linear(3, 1, bias=False)
    model.weight.data = torch.tensor([[1.0, 2.0, 4.0]])
    x = torch.tensor([[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]])
    rows, chosen = rows_and_target(model, x, None)
    assert chosen.tolist() == [1, 1]
    assert attribution_of("input_gradient", model, rows, chosen).tolist() == [[1, 2, 4], [1, 2, 4]]


def test_pairs_of_classes_ask_why_the_one_rather_than_the_other():
    _, pairs = rows_and_target(MODEL, X, [[0, 1]] * 5)
    first, second = (explain(MODEL, X, chosen, method="input_gradient") for chosen in (0, 1))
    for method in ("input_gradient", input_gradient):
        torch.testing.assert_close(attribution_of(method, MODEL, X, pairs), first - second)
    with pytest.raises(DataError, match="target of row 0 is 7"):
        rows_and_target(MODEL, X, [[0, 7]] * 5)
