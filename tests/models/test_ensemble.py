"""Several models that answer as one."""

import copy
import math

import pytest
import torch
from torch import nn

from corrigible.errors import UnsupportedModelError
from corrigible.models.ensemble import Ensemble, disagreement, member_outputs
from corrigible.models.forward import Forward
from corrigible.types import Batch


class Constant(nn.Module):
    """The same logits on every row."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(x), -1)


def of_probabilities(*members: tuple[float, ...]) -> Ensemble:
    return Ensemble([Constant(*(math.log(p) if p else -math.inf for p in member)) for member in members])


X = torch.zeros(2, 1)


def test_softmax_gives_the_members_mean_probabilities():
    model = of_probabilities((0.1, 0.9), (0.6, 0.4), (0.2, 0.8))
    torch.testing.assert_close(model(X).softmax(1), torch.tensor([[0.3, 0.7]] * 2))
    torch.testing.assert_close(model(X).exp().sum(1), torch.ones(2))


def test_a_member_may_give_one_logit_per_row():
    model = Ensemble([Constant(0.0), Constant(math.log(3))])
    torch.testing.assert_close(model(X).softmax(1), torch.tensor([[0.375, 0.625]] * 2))


def test_probabilities_far_below_what_floats_hold_stay_apart():
    model = Ensemble([Constant(0.0, -300.0), Constant(0.0, -400.0)])
    assert model(X)[0, 1].item() == pytest.approx(-300 - math.log(2))


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([(0.5, 0.5), (0.5, 0.5)], 0.0),
        ([(1.0, 0.0), (0.0, 1.0)], math.log(2)),
        ([(1.0, 0.0), (1.0, 0.0)], 0.0),
        ([(0.9, 0.1), (0.1, 0.9)], math.log(2) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1)),
        ([(1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 1.0, 0)], math.log(3)),
    ],
)
def test_disagreement_by_hand(members, expected):
    found = disagreement(of_probabilities(*members), X)
    assert found.tolist() == pytest.approx([expected] * 2, abs=1e-6)


def test_disagreement_does_not_depend_on_chunks_and_leaves_the_model_as_it_was(case):
    model = Ensemble([case.model, other(case.model)]).train()
    whole = disagreement(model, case.batch.x)
    torch.testing.assert_close(disagreement(model, case.batch.x, rows_at_once=1), whole)
    assert whole.shape == (len(case.batch.x),)
    assert (whole > 0).all()
    assert all(module.training for module in model.modules())
    assert not whole.requires_grad


def test_a_member_that_works_in_place_spoils_neither_the_rows_nor_the_other_members():
    x = torch.tensor([[-1.0, 2.0]])
    members = [nn.Sequential(nn.ReLU(inplace=True), nn.Identity()), nn.Identity()]
    torch.testing.assert_close(disagreement(Ensemble(members), x), disagreement(Ensemble(members[::-1]), x))
    assert x.tolist() == [[-1.0, 2.0]]


def test_members_are_found_in_a_larger_model(case):
    ensemble = Ensemble([case.model, other(case.model)])
    for model in (ensemble, nn.Sequential(nn.Identity(), ensemble)):
        found = member_outputs(Forward(model, case.batch))
        torch.testing.assert_close(found, [member(case.batch.x) for member in ensemble.members])


def test_a_single_model_is_no_ensemble(case):
    with pytest.raises(UnsupportedModelError, match="no Ensemble in it"):
        disagreement(case.model, case.batch.x)
    with pytest.raises(UnsupportedModelError, match="no Ensemble in it"):
        member_outputs(Forward(case.model, case.batch))
    with pytest.raises(UnsupportedModelError, match="no members"):
        Ensemble([])


def test_weights_of_every_member_belong_to_the_model(case):
    model = Ensemble([case.model, other(case.model)])
    assert len(list(model.parameters())) == 2 * len(list(case.model.parameters()))
    torch.testing.assert_close(
        Forward(model, Batch(case.batch.index, case.batch.x, case.batch.y)).logits, model(case.batch.x)
    )


def other(model: nn.Module) -> nn.Module:
    """A model of the same kind with other weights."""
    changed = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in changed.parameters():
            parameter.copy_(parameter.flip(0))
    return changed
