"""Independent reasons, against the cosine written out, and on two features that say the same."""

import copy
import math
from itertools import combinations

import pytest
import torch
from torch import nn

from corrigible.errors import UnsupportedModelError
from corrigible.losses import member_task_loss
from corrigible.models.centring import centred
from corrigible.models.ensemble import Ensemble, disagreement
from corrigible.models.forward import Forward
from corrigible.penalties.local_independence import local_independence
from corrigible.types import Batch


def of_three(model: nn.Module) -> Ensemble:
    """The model and two with other weights."""
    members = [model, copy.deepcopy(model), copy.deepcopy(model)]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for member in members[1:]:
            for parameter in member.parameters():
                parameter += 0.05 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return Ensemble(members)


def linear(weights: list[float]) -> nn.Module:
    """A member whose margin between its two classes has this gradient."""
    model = nn.Linear(len(weights), 2, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([weights, [-w for w in weights]], dtype=torch.float64))
    return model


def test_is_the_mean_over_rows_and_pairs_of_squared_cosines(case):
    model, batch = of_three(case.model), case.batch
    gradients = []
    for member in model.members:
        x = batch.x.clone().requires_grad_()
        chosen = member(x).log_softmax(1)[torch.arange(len(x)), batch.y].sum()
        gradients.append(centred(torch.autograd.grad(chosen, x)[0], batch.columns).flatten(1).tolist())
    squares = []
    for one, another in combinations(gradients, 2):
        for a, b in zip(one, another, strict=True):
            dot = sum(p * q for p, q in zip(a, b, strict=True))
            squares.append(dot**2 / (sum(p * p for p in a) * sum(q * q for q in b)))
    found = local_independence(Forward(model, batch), batch)
    assert found.item() == pytest.approx(math.fsum(squares) / len(squares))


@pytest.mark.parametrize("score", ["target_log_prob", "margin", "target_logit"])
@pytest.mark.parametrize(
    ("one", "another", "expected"),
    [([1.0, 0.0], [0.0, 5.0], 0.0), ([1.0, 2.0], [-3.0, -6.0], 1.0), ([1.0, 0.0], [1e-200, 1e-200], 0.5)],
)
def test_by_hand_on_linear_members(one, another, expected, score):
    x = torch.zeros(3, 2, dtype=torch.float64)
    batch = Batch(torch.arange(3), x, torch.tensor([0, 1, 0]))
    found = local_independence(Forward(Ensemble([linear(one), linear(another)]), batch), batch, score=score)
    assert found.item() == pytest.approx(expected)


@pytest.mark.parametrize("score", ["target_log_prob", "margin"])
def test_parameter_gradient_equals_finite_differences(score, smooth_case):
    model, batch = of_three(smooth_case.model), smooth_case.batch

    def value(*_):
        return local_independence(Forward(model, batch), batch, score=score)

    # Along random directions: there are a hundred parameters.
    assert torch.autograd.gradcheck(value, tuple(model.parameters()), fast_mode=True, atol=1e-8)


def test_reaches_every_layer_of_every_member(case):
    model, batch = of_three(case.model), case.batch
    found = local_independence(Forward(model, batch), batch)
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad(found, parameters, allow_unused=True)
    reached = {name for name, g in zip(names, gradients, strict=True) if g is not None and g.abs().max() > 1e-12}
    # A direction does not change with the last layer's bias where there are two classes.
    two_classes = len(dict(model.named_parameters())[names[-1]]) == 2
    last = {name for name in names if two_classes and name.split(".", 2)[2] == names[-1].split(".", 2)[2]}
    assert reached == set(names) - last


def test_a_member_without_a_gradient_is_independent_with_gradients_that_are_numbers():
    model = Ensemble([linear([1.0, 2.0]), linear([0.0, 0.0])])
    batch = Batch(torch.arange(2), torch.ones(2, 2).double(), torch.tensor([0, 1]))
    found = local_independence(Forward(model, batch), batch)
    assert found == 0
    assert all(g.isfinite().all() for g in torch.autograd.grad(found, list(model.parameters())))


def test_asks_for_an_ensemble_of_several(case):
    with pytest.raises(UnsupportedModelError, match="no Ensemble in it"):
        local_independence(Forward(case.model, case.batch), case.batch)
    with pytest.raises(UnsupportedModelError, match="the ensemble has 1"):
        local_independence(Forward(Ensemble([case.model]), case.batch), case.batch)


def trained(weight: float) -> tuple[Ensemble, Batch]:
    """Two members that learn from two features, each of which gives the label."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(64) % 2
    x = (2.0 * y[:, None] - 1) + 0.3 * torch.randn(64, 2, generator=generator)
    batch = Batch(torch.arange(64), x, y)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = Ensemble([nn.Sequential(nn.Linear(2, 8), nn.Softplus(), nn.Linear(8, 2)) for _ in range(2)])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for step in range(40):
        forward = Forward(model, batch, seed=step)
        objective = member_task_loss(forward, batch).mean() + weight * local_independence(forward, batch)
        optimizer.zero_grad()
        objective.backward()
        optimizer.step()
    return model, batch


def test_members_that_learn_from_two_redundant_features_end_with_different_reasons():
    """And where the features contradict each other, which they never do in the data, the members say so."""
    off_data = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [2.0, -2.0], [-2.0, 2.0]])
    apart, batch = trained(1.0)
    ordinary, _ = trained(0.0)
    alike = {name: local_independence(Forward(model, batch), batch) for name, model in (("a", apart), ("o", ordinary))}
    assert alike["a"] < 0.05 < 0.5 < alike["o"]
    for model in (apart, ordinary):
        for member in model.members:
            assert (member(batch.x).argmax(1) == batch.y).float().mean() > 0.95
    assert disagreement(apart, off_data).min() > 3 * disagreement(ordinary, off_data).max()
    assert disagreement(apart, off_data).mean() > 3 * disagreement(apart, batch.x).mean()
