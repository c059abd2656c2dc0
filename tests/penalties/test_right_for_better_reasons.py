"""Right for better reasons, against parameter gradients taken row by row."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from corrigible.errors import UnsupportedModelError
from corrigible.models.forward import Forward, centred
from corrigible.penalties.right_for_better_reasons import right_for_better_reasons


def test_is_the_squared_input_gradient_of_the_squared_parameter_gradient(case):
    batch, last = case.batch, [m for m in case.model.modules() if isinstance(m, nn.Linear)][-1]
    total, count = 0.0, int(batch.irrelevant.sum())
    for row in range(len(batch.x)):
        x = batch.x[row : row + 1].clone().requires_grad_()
        loss = cross_entropy(case.model(x), batch.y[row : row + 1])
        parameters = torch.autograd.grad(loss, list(last.parameters()), create_graph=True)
        influence = sum(gradient.square().sum() for gradient in parameters)
        (gradient,) = torch.autograd.grad(influence, x)
        gradient = centred(gradient, batch.columns)
        total += float((gradient.square() * batch.irrelevant[row]).sum())
    found = right_for_better_reasons(Forward(case.model, batch), batch)
    torch.testing.assert_close(found, torch.tensor(total / count, dtype=torch.float64))


@pytest.mark.parametrize("last", [[], [nn.Linear(9, 3), nn.LogSoftmax(dim=1)], [nn.Linear(9, 3), nn.Tanh()]])
def test_needs_a_linear_layer_at_the_end(last, smooth_case):
    model = nn.Sequential(nn.Flatten(), *last).double()
    with pytest.raises(UnsupportedModelError, match="linear layer"):
        right_for_better_reasons(Forward(model, smooth_case.batch), smooth_case.batch)
