"""Expected gradients on marked inputs, against their definition."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from corrigible.models.forward import Forward
from corrigible.penalties.expected_gradients_on_marks import expected_gradients_on_marks
from corrigible.types import Batch


def linear(weight: list[list[float]]) -> nn.Module:
    model = nn.Linear(len(weight[0]), len(weight), bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor(weight))
    return model


X = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]], dtype=torch.float64)
BATCH = Batch(torch.arange(2), X, torch.tensor([0, 1]), torch.tensor([[True, False, True], [False, False, True]]))


def test_of_a_linear_score_is_the_squared_sum_of_weight_times_way():
    """References (1, 1, 1): ways (0, 1, -2) and (-0.5, -1, 2); marked are 0 · 2, -2 · 3 and 2 · -4."""
    model = linear([[2.0, 7.0, 3.0], [1.0, 9.0, -4.0]])
    found = expected_gradients_on_marks(Forward(model, BATCH), BATCH, background=X.new_ones(1, 3), score="target_logit")
    assert found.item() == pytest.approx(((0 + 6) ** 2 + 8**2) / 2)


def test_what_equals_the_reference_is_not_corrected():
    """However much the model uses it: the way is 0."""
    model = linear([[5.0, 0.0, 5.0], [0.0, 0.0, 0.0]])
    found = expected_gradients_on_marks(Forward(model, BATCH), BATCH, background=X[:1], score="target_logit")
    of_first = Batch(torch.arange(1), X[:1], torch.tensor([0]), BATCH.irrelevant[:1])
    assert expected_gradients_on_marks(Forward(model, of_first), of_first, background=X[:1]) == 0
    assert found == 0
    assert expected_gradients_on_marks(Forward(model, BATCH), BATCH, score="target_logit") > 0


def test_integrated_gradients_go_from_zeros_whatever_the_background():
    model = linear([[2.0, 7.0, 3.0], [1.0, 9.0, -4.0]])
    for background in (None, X):
        found = expected_gradients_on_marks(
            Forward(model, BATCH),
            BATCH,
            attribution="integrated_gradients",
            background=background,
            score="target_logit",
        )
        assert found.item() == pytest.approx(((2 + 3) ** 2 + 12**2) / 2)


@pytest.mark.parametrize("attribution", ["expected_gradients", "integrated_gradients"])
@pytest.mark.parametrize("samples", [1, 3])
def test_parameter_gradient_equals_finite_differences(attribution, samples, smooth_case):
    model, batch = smooth_case.model, smooth_case.batch
    background = batch.x.flip(0) + 0.3

    def value(*_):
        settings = {"attribution": attribution, "samples": samples, "background": background}
        return expected_gradients_on_marks(Forward(model, batch, seed=1), batch, **settings)

    assert torch.autograd.gradcheck(value, tuple(model.parameters()), fast_mode=True, atol=1e-8)


@pytest.mark.parametrize("samples", [1, 3])
def test_rows_keep_their_draws_wherever_they_stand(samples, case):
    background = case.batch.x.flip(0)

    def value(places):
        fields = {name: getattr(case.batch, name)[places] for name in ("index", "x", "y", "irrelevant", "relevant")}
        batch = replace(case.batch, **fields)
        settings = {"background": background, "samples": samples}
        return expected_gradients_on_marks(Forward(case.model, batch, seed=3), batch, **settings)

    torch.testing.assert_close(value([3, 1, 0, 2] * 2), value([0, 1, 2, 3]))


def test_pulls_the_marked_weights_to_zero_and_leaves_the_others():
    model = linear([[2.0, 7.0, 3.0], [1.0, 9.0, -4.0]])
    batch = replace(BATCH, irrelevant=torch.tensor([[True, False, False]] * 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    for step in range(60):
        optimizer.zero_grad()
        expected_gradients_on_marks(Forward(model, batch, seed=step), batch, score="target_logit").backward()
        optimizer.step()
    assert model.weight[:, 0].abs().max() < 0.2
    assert model.weight[:, 1].tolist() == [7.0, 9.0]
