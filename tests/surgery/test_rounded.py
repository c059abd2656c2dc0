"""Rounded answers: the probabilities are those rounded, predictions stay, and gradients are refused."""

import pytest
import torch
from torch import nn

import corrigible
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.surgery.rounded import rounded, rounded_attribution

X = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))


def network(num_outputs: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(4, num_outputs)).eval()


@pytest.mark.parametrize("decimals", [1, 2])
def test_probabilities_are_those_of_the_network_rounded_and_divided_by_their_sum(decimals):
    model = network(3)
    expected = (model(X).softmax(1) * 10**decimals).round() / 10**decimals
    found = rounded(model, decimals=decimals)(X).softmax(1)
    assert torch.allclose(found, expected / expected.sum(1, keepdim=True), atol=1e-6)


def test_a_single_logit_is_that_of_the_rounded_probability():
    model = network(1)
    found = rounded(model, decimals=2)(X).sigmoid()
    assert torch.allclose(found, (100 * model(X).sigmoid()).round() / 100, atol=1e-6)


def test_probabilities_that_round_to_0_have_finite_logits():
    model = network(3)
    found = rounded(model, decimals=1)(1000 * X)
    assert bool(found.isfinite().all())
    assert torch.equal(found.argmax(1), model(1000 * X).argmax(1))


def test_gradients_and_training_are_refused_in_a_line_that_says_what_to_do():
    served = rounded(network(3))
    for asked in (
        lambda: corrigible.explain(served, X, method="input_gradient"),
        lambda: corrigible.correct(
            served,
            (X, torch.arange(40) % 3),
            [corrigible.Feedback(torch.tensor([True, False, False, False]), row=0)],
            epochs=1,
        ),
    ):
        with pytest.raises(UnsupportedModelError, match=r"rounded and have no gradient.*model\.network"):
            asked()


def test_it_is_explained_by_scores():
    found = corrigible.explain(rounded(network(3)), X[:3], method="occlusion")
    assert bool(found.abs().sum() > 0)


def test_attributions_are_multiples_of_a_share_of_the_largest_in_their_row():
    given = torch.tensor([[1.0, -0.26, 0.1, 0.0], [0.0, 0.0, 0.0, 0.0], [-8.0, 3.9, 0.3, 1.0]])
    expected = torch.tensor([[1.0, -0.25, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [-8.0, 4.0, 0.0, 0.0]])
    assert torch.allclose(rounded_attribution(given, step=0.25), expected)


def test_settings_out_of_range_are_refused():
    with pytest.raises(RecipeError, match="decimals is 0"):
        rounded(network(3), decimals=0)
    with pytest.raises(RecipeError, match="step is 0"):
        rounded_attribution(X, step=0.0)
