import torch
from torch import nn

from corrigible.explanations.attribution import gradient_x_input


def test_of_a_linear_model_without_bias_it_sums_to_the_score():
    model, x, target = nn.Linear(4, 3, bias=False), torch.randn(5, 4), torch.tensor([0, 1, 2, 1, 0])
    found = gradient_x_input(model, x, target)
    assert torch.equal(found, model.weight[target] * x)
    torch.testing.assert_close(found.sum(1), model(x).detach()[torch.arange(5), target])


def test_without_a_graph_the_result_holds_on_to_none():
    assert not gradient_x_input(nn.Linear(4, 3), torch.randn(2, 4), torch.tensor([0, 1])).requires_grad
