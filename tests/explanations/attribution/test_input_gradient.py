import torch
from torch import nn

from corrigible.explanations import explain
from corrigible.explanations.attribution import input_gradient
from corrigible.types import Columns


def test_input_gradient_of_a_linear_model_is_its_weights():
    model, x, target = nn.Linear(4, 3), torch.randn(5, 4), torch.tensor([0, 1, 2, 1, 0])
    assert torch.equal(input_gradient(model, x, target), model.weight[target])


def test_a_single_logit_is_read_as_the_logits_of_two_classes():
    model, x = nn.Linear(3, 1), torch.randn(2, 3)
    w = model.weight.detach().expand(2, 3)
    inside, outside = (torch.full((2,), label) for label in (1, 0))
    assert torch.equal(input_gradient(model, x, inside), w)
    assert torch.equal(input_gradient(model, x, outside), torch.zeros(2, 3))
    assert torch.equal(input_gradient(model, x, inside, score="margin"), w)
    assert torch.equal(input_gradient(model, x, outside, score="margin"), -w)
    p = model(x).detach().sigmoid()
    torch.testing.assert_close(input_gradient(model, x, inside, score="target_log_prob"), (1 - p) * w)
    torch.testing.assert_close(input_gradient(model, x, outside, score="target_log_prob"), -p * w)


def test_a_model_that_gives_one_number_per_row_is_explained_itself_or_as_the_logit_of_class_1():
    class Squeezed(nn.Linear):
        def forward(self, x):
            return super().forward(x)[:, 0]

    model, x = Squeezed(3, 1), torch.randn(2, 3)
    expected = model.weight.detach().expand(2, 3)
    for target in (None, 0):
        assert torch.equal(explain(model, x, target, method="input_gradient"), expected)
    for target in (None, 1):
        assert torch.equal(explain(model, x, target, method="input_gradient", task="classes"), expected)
    assert not explain(model, x, 0, method="input_gradient", task="classes").any()


def test_the_gradient_is_centred_over_the_one_hot_columns_of_a_category():
    columns = Columns(("a", "b=0", "b=1"), ("a", "b", "b"), (False, True, True))
    model = nn.Linear(3, 2)
    model.weight.data = torch.tensor([[1.0, 2.0, 6.0], [0.0, 0.0, 0.0]])
    found = input_gradient(model, torch.randn(1, 3), torch.tensor([0]), columns=columns)
    assert found.tolist() == [[1.0, -2.0, 2.0]]
