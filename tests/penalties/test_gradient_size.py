"""The size of the input gradient, against its definition."""

import pytest
import torch
from torch import nn

from corrigible.models.forward import Forward
from corrigible.penalties import gradient_size
from corrigible.types import Batch


@pytest.mark.parametrize(("norm", "power"), [("l1", 1), ("l2", 2)])
def test_equals_the_mean_over_rows_and_inputs(norm, power, smooth_case):
    model, batch = smooth_case.model, smooth_case.batch
    sizes = []
    for row in range(len(batch.x)):
        x = batch.x[row : row + 1].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(model(x), batch.y[row : row + 1]), x)
        sizes += [abs(size) ** power for size in gradient.flatten().tolist()]
    expected = torch.tensor(sum(sizes) / len(sizes), dtype=torch.float64)
    torch.testing.assert_close(gradient_size(Forward(model, batch), batch, norm=norm), expected)


def test_of_a_linear_score_is_the_mean_squared_weight():
    model = nn.Linear(3, 2)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    batch = Batch(torch.arange(5), x, torch.tensor([0, 1, 0, 1, 0]))
    weights = [model.weight[label].square().mean() for label in batch.y.tolist()]
    found = gradient_size(Forward(model, batch), batch, score="target_logit")
    torch.testing.assert_close(found, torch.stack(weights).mean())


def test_does_not_ask_what_is_marked(smooth_case):
    model, batch = smooth_case.model, smooth_case.batch
    bare = Batch(batch.index, batch.x, batch.y)
    assert gradient_size(Forward(model, bare), bare) == gradient_size(Forward(model, batch), batch) > 0


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("score", ["target_log_prob", "random_projection", "margin"])
def test_parameter_gradient_equals_finite_differences(score, norm, smooth_case):
    model, batch = smooth_case.model, smooth_case.batch
    assert torch.autograd.gradcheck(
        lambda *_: gradient_size(Forward(model, batch), batch, score=score, norm=norm),
        tuple(model.parameters()),
        fast_mode=True,
        atol=1e-8,
    )


def test_double_backpropagation_penalises_the_gradient_of_the_loss(smooth_case):
    model, batch = smooth_case.model, smooth_case.batch
    x = batch.x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(model(x), batch.y, reduction="sum"), x)
    torch.testing.assert_close(gradient_size(Forward(model, batch), batch), gradient.square().mean())
