"""What every measure of an explanation's quality obeys."""

import inspect

import pytest
import torch
from torch import nn

from corrigible.errors import DataError
from corrigible.explanations.quality import QUALITIES

RNG = torch.Generator().manual_seed(0)
BATCH, SHAPE = 5, (2, 4, 4)
X, ATTRIBUTION, OTHER = torch.randn(3, BATCH, *SHAPE, generator=RNG).mul(2).round().div(2).double()
RUNS = torch.randn(3, BATCH, *SHAPE, generator=RNG).double()
TARGET = torch.randint(3, (BATCH,), generator=RNG)
RELEVANT = torch.rand(BATCH, *SHAPE, generator=RNG) < 0.4
GIVEN = {
    "x": X,
    "target": TARGET,
    "attribution": ATTRIBUTION,
    "attribution_a": ATTRIBUTION,
    "attribution_b": OTHER,
    "relevant": RELEVANT,
}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Softplus(), nn.Dropout(), nn.Flatten(), nn.Linear(48, 3)
    ).double()


def measured(name, model, rows=slice(None), *, change=lambda values: values):
    """The quality on these rows; ``change`` is made to every tensor in the shape of x."""
    function = QUALITIES[name]
    given = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "runs":
            given["runs"] = torch.stack([change(run) for run in RUNS])[:, rows]
        elif parameter.name in GIVEN:
            value = GIVEN[parameter.name]
            given[parameter.name] = (change(value) if value.shape == X.shape else value)[rows]
    return function(model, **given) if "model" in inspect.signature(function).parameters else function(**given)


every_quality = pytest.mark.parametrize("name", QUALITIES)


@every_quality
def test_there_is_one_number_or_curve_per_row(name, model):
    found = measured(name, model)
    assert found.shape == ((BATCH, 21) if name.endswith("_curve") else (BATCH,))
    assert found.dtype == torch.float64
    assert bool(found.isfinite().all())


@every_quality
def test_rows_do_not_mix(name, model):
    order = torch.tensor([3, 1, 4, 0, 2])
    torch.testing.assert_close(measured(name, model, order), measured(name, model)[order])
    torch.testing.assert_close(measured(name, model, slice(2, 3)), measured(name, model)[2:3])


class Positionless(nn.Module):
    """Sees what values there are, not where."""

    def forward(self, x):
        return torch.stack([x.sum((1, 2, 3)), x.square().sum((1, 2, 3)), x.sin().sum((1, 2, 3))], dim=1)


@pytest.mark.parametrize("name", sorted(QUALITIES.keys() - {"infidelity", "max_sensitivity"}))
def test_nothing_depends_on_where_an_input_stands(name):
    """Above all not where attributions tie. The two left out draw, and draws stay where they are."""
    moved = measured(name, Positionless(), change=lambda values: values.flip(-1, -2))
    torch.testing.assert_close(moved, measured(name, Positionless()))


@pytest.mark.parametrize("name", sorted(QUALITIES.keys() - {"max_sensitivity"}))
def test_an_attribution_with_nan_is_refused_with_its_row(name, model):
    def spoilt(values):
        changed = values.clone()
        if values.is_floating_point() and values is not X:
            changed[3, 0, 0, 0] = torch.nan
        return changed

    with pytest.raises(DataError, match="attribution of row 3 is NaN"):
        measured(name, model, change=spoilt)


@every_quality
def test_the_model_and_the_random_state_stay_as_they_were(name, model):
    model[3].eval()
    modes, state = [m.training for m in model.modules()], torch.get_rng_state()
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    given = {key: value.clone() for key, value in GIVEN.items()}
    measured(name, model)
    assert [m.training for m in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())
    assert all(torch.equal(value, given[key]) for key, value in GIVEN.items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
