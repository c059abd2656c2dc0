"""The members' own label losses."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from corrigible.errors import DataError, UnsupportedModelError
from corrigible.losses import cross_entropy, member_task_loss
from corrigible.models import lenet
from corrigible.models.ensemble import Ensemble
from corrigible.models.forward import Forward
from corrigible.types import Batch

X = torch.linspace(-1, 1, 12).reshape(4, 3).double()
BATCH = Batch(torch.arange(4), X, torch.tensor([0, 1, 1, 0]))


def ensemble() -> Ensemble:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Ensemble([nn.Linear(3, 2), nn.Linear(3, 2), nn.Linear(3, 2)]).double()


def test_is_the_mean_of_the_members_own_cross_entropies():
    model = ensemble()
    own = [functional.cross_entropy(member(X), BATCH.y, reduction="none") for member in model.members]
    for track_input in (True, False):
        found = member_task_loss(Forward(model, BATCH, track_input=track_input), BATCH)
        torch.testing.assert_close(found, torch.stack(own).mean(0))


def test_is_at_least_that_of_the_mean_probabilities():
    forward = Forward(ensemble(), BATCH)
    assert (member_task_loss(forward, BATCH) > cross_entropy(forward, BATCH)).all()


def test_each_member_learns_as_if_it_were_alone():
    model = ensemble()
    member_task_loss(Forward(model, BATCH), BATCH).mean().backward()
    for member in model.members:
        (alone,) = torch.autograd.grad(functional.cross_entropy(member(X), BATCH.y), member.weight)
        torch.testing.assert_close(member.weight.grad, alone / 3)


def test_what_does_not_fit_is_refused():
    wrong = Batch(BATCH.index, X, torch.tensor([0, 2, 1, 0]))
    with pytest.raises(DataError, match="label 2; the model has 2 classes"):
        member_task_loss(Forward(ensemble(), wrong), wrong)
    images = Batch(torch.arange(1), torch.zeros(1, 1, 28, 28), torch.tensor([0]))
    with pytest.raises(UnsupportedModelError, match="build Ensemble"):
        member_task_loss(Forward(lenet(), images), images)
