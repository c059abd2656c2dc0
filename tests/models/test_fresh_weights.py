"""Layers forget what they learned, and nothing else does."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from corrigible.errors import UnsupportedModelError
from corrigible.models.fresh_weights import untrained, weighted_layers, with_fresh


class Tangled(nn.Module):
    """Layers that are registered in another order than they run in; one runs as a function, one does not run."""

    def __init__(self):
        super().__init__()
        self.last, self.unused, self.first = nn.Linear(4, 2), nn.Linear(3, 3), Scaled()

    def forward(self, x):
        return self.last(self.first(x))


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
        self.inner = nn.Linear(3, 4)

    def forward(self, x):
        return functional.linear(x * self.scale, self.inner.weight, self.inner.bias).relu()


def test_layers_are_listed_in_the_order_in_which_they_run_without_those_that_do_not():
    assert weighted_layers(Tangled(), torch.randn(2, 3)) == ("first", "first.inner", "last")


def test_frozen_layers_are_listed_too_and_stay_frozen():
    model = Tangled().requires_grad_(False)
    assert weighted_layers(model, torch.randn(2, 3))[-1] == "last"
    assert not any(p.requires_grad for p in with_fresh(model, ("last",), seed=0).parameters())


def test_a_model_without_parameters_has_nothing_to_randomise():
    with pytest.raises(UnsupportedModelError, match="no parameter of this model takes part"):
        weighted_layers(nn.Identity(), torch.randn(2, 3))


def test_only_the_named_layers_change_and_only_in_the_copy():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    model[1].running_mean.fill_(5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    fresh = with_fresh(model, ("1", "2"), seed=0)
    assert torch.equal(torch.get_rng_state(), random)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert torch.equal(fresh[0].weight, model[0].weight)
    assert not torch.isclose(fresh[2].weight, model[2].weight).any()
    assert not fresh[1].running_mean.any()


def test_fresh_weights_depend_on_the_seed_and_the_layer_alone():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    together, alone = with_fresh(model, ("1", "0"), seed=3), with_fresh(model, ("0",), seed=3)
    assert torch.equal(together[0].weight, alone[0].weight)
    assert torch.equal(untrained(model, seed=3)[1].weight, together[1].weight)
    assert not torch.equal(with_fresh(model, ("0",), seed=4)[0].weight, alone[0].weight)


def test_parameters_of_ones_own_are_drawn_at_their_trained_scale():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.many, self.one = nn.Parameter(5 + 2 * torch.randn(10_000)), nn.Parameter(torch.tensor(3.0))

    torch.manual_seed(0)
    model = Own()
    fresh = untrained(model, seed=0)
    assert torch.corrcoef(torch.stack([fresh.many, model.many]))[0, 1].abs() < 0.05
    assert fresh.many.mean().item() == pytest.approx(5, abs=0.1)
    assert fresh.many.std().item() == pytest.approx(2, abs=0.1)
    assert fresh.one.item() != 3.0
