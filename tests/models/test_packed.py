"""Packed ensembles: members that see nothing of each other inside one network."""

import pytest
import torch
from torch import nn
from torch.nn.functional import batch_norm, conv2d, linear, max_pool2d

from corrigible.errors import UnsupportedModelError
from corrigible.losses import member_task_loss
from corrigible.models import lenet, mlp
from corrigible.models.ensemble import disagreement
from corrigible.models.forward import Forward
from corrigible.models.packed import GroupedLinear, Packed, packed
from corrigible.models.predictive import predictive
from corrigible.penalties import right_reasons
from corrigible.tasks import CLASSES
from corrigible.types import Batch

X = torch.randn(5, 1, 6, 6, generator=torch.Generator().manual_seed(0))


def network() -> nn.Module:
    torch.manual_seed(0)
    head = nn.Flatten(), nn.Linear(4 * 9, 8), nn.ReLU(), nn.Linear(8, 3)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), *head)


def test_each_member_is_a_network_of_its_own():
    """Written out with one member's part of the weights; two members of half the width."""
    model = packed(network(), members=2, alpha=1).eval()
    inside = model.members
    nn.init.uniform_(inside[1].running_mean)
    for member, outputs in enumerate(model.member_outputs(X)):
        channels = slice(2 * member, 2 * member + 2)
        found = conv2d(X, inside[0].weight[channels], inside[0].bias[channels], padding=1)
        norm = inside[1]
        found = batch_norm(
            found, norm.running_mean[channels], norm.running_var[channels], norm.weight[channels], norm.bias[channels]
        )
        found = max_pool2d(found.relu(), 2).flatten(1)
        found = linear(found, inside[5].weight[member].T, inside[5].bias[member]).relu()
        torch.testing.assert_close(outputs, linear(found, inside[7].weight[member].T, inside[7].bias[member]))


@pytest.mark.parametrize("build", [lambda: lenet(), lambda: mlp(784, 10, hidden=(8, 4))])
def test_predicts_as_the_mean_of_its_members_and_each_learns_the_labels(build):
    model, x, y = packed(build()), torch.rand(4, 1, 28, 28), torch.arange(4)
    found = predictive(model, x)
    assert found.passes.shape == (4, 4, 10)
    torch.testing.assert_close(found.values, found.passes.softmax(-1).mean(0))
    torch.testing.assert_close(found.mutual_information, disagreement(model, x), rtol=1e-3, atol=1e-6)
    loss = member_task_loss(Forward(model, Batch(torch.arange(4), x, y)), Batch(torch.arange(4), x, y))
    torch.testing.assert_close(loss, -found.passes.log_softmax(-1)[:, torch.arange(4), y].mean(0))
    share = sum(p.numel() for p in model.parameters()) / sum(p.numel() for p in build().parameters())
    assert share < 3


def test_what_cannot_be_packed_is_refused():
    for wrong, match in (
        (nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2)), "layer '1' is a LayerNorm"),
        (nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), "layer '0' has width 3, and 2/4 of it"),
        (nn.Sequential(nn.Linear(4, 4), nn.Conv1d(1, 4, 1)), "last layer is not linear"),
        (nn.ReLU(), "last layer is not linear"),
    ):
        with pytest.raises(UnsupportedModelError, match=match):
            packed(wrong)


def test_a_penalty_on_members_reaches_a_sure_one_where_one_on_their_mean_does_not():
    """Two members rely on the same input, and one is much surer: their mean probability of the other class hides it."""
    model = Packed(GroupedLinear(2, 2, 2), 2, CLASSES).double()
    with torch.no_grad():
        model.members.bias.zero_()
        model.members.weight.copy_(torch.tensor([[[1.0, -1.0], [0.0, 0.0]], [[6.0, -6.0], [0.0, 0.0]]]))
    x = torch.tensor([[1.0, 0.0]]).double().expand(200, 2)
    batch = Batch(torch.arange(200), x, torch.zeros(200, dtype=torch.long), irrelevant=torch.ones_like(x).bool())

    def pull(score: str) -> torch.Tensor:
        penalty = right_reasons(Forward(model, batch), batch, score=score)
        return torch.autograd.grad(penalty, model.members.weight)[0].flatten(1).norm(dim=1)

    unsure, sure = pull("member_projection")
    assert sure > 2 * unsure
    assert pull("random_projection")[1] < 0.01 * sure
