"""Right for better reasons, against parameter gradients taken row by row."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from corrigible.errors import UnsupportedModelError
from corrigible.models.centring import centred
from corrigible.models.forward import Forward
from corrigible.penalties.right_for_better_reasons import right_for_better_reasons
from corrigible.types import Batch


def slow_penalty(model: nn.Module, batch: Batch) -> float:
    last = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    total, count = 0.0, int(batch.irrelevant.sum())
    for row in range(len(batch.x)):
        x = batch.x[row : row + 1].clone().requires_grad_()
        loss = cross_entropy(model(x), batch.y[row : row + 1])
        parameters = torch.autograd.grad(loss, list(last.parameters()), create_graph=True)
        influence = sum(gradient.square().sum() for gradient in parameters)
        (gradient,) = torch.autograd.grad(influence, x)
        gradient = centred(gradient, batch.columns)
        total += float((gradient.square() * batch.irrelevant[row]).sum())
    return total / count


def test_is_the_squared_input_gradient_of_the_squared_parameter_gradient(case):
    found = right_for_better_reasons(Forward(case.model, case.batch), case.batch)
    assert found.item() == pytest.approx(slow_penalty(case.model, case.batch))


def test_a_last_layer_without_a_bias_counts_its_weights_alone(smooth_case):
    model, batch = smooth_case.model, smooth_case.batch
    with_bias = right_for_better_reasons(Forward(model, batch), batch).item()
    model[-1].bias = None
    found = right_for_better_reasons(Forward(model, batch), batch).item()
    assert found == pytest.approx(slow_penalty(model, batch))
    assert found != pytest.approx(with_bias, rel=0.01)


@pytest.mark.parametrize("last", [[], [nn.Linear(9, 3), nn.LogSoftmax(dim=1)], [nn.Linear(9, 3), nn.Tanh()]])
def test_needs_a_linear_layer_at_the_end(last, smooth_case):
    model = nn.Sequential(nn.Flatten(), *last).double()
    with pytest.raises(UnsupportedModelError, match="linear layer"):
        right_for_better_reasons(Forward(model, smooth_case.batch), smooth_case.batch)
