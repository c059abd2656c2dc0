"""Clipped steps: the whole gradient, scaled down where it is longer than allowed."""

import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import RecipeError
from corrigible.protocols.schedule import Schedule, run

DATA = TensorData(torch.randn(8, 4, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 2)


def trained(step, *, rate: float = 1.0) -> torch.Tensor:
    model = nn.Linear(4, 2)
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(0.3)
    schedule = Schedule(epochs=1, batch_size=8, learning_rate=rate, optimizer="SGD", step=step)
    list(run(model, DATA, schedule))
    return torch.cat([p.detach().flatten() for p in model.parameters()]) - 0.3


def test_a_long_gradient_keeps_its_direction_and_gets_the_length_and_a_short_one_stays():
    whole = trained(None)
    length = float(whole.norm())
    clipped = trained({"name": "clipped", "max_norm": length / 4})
    assert torch.allclose(clipped, whole / 4, atol=1e-6)
    assert torch.allclose(trained({"name": "clipped", "max_norm": 2 * length}), whole)


def test_steps_by_name_take_their_defaults():
    assert torch.equal(trained("clipped"), trained({"name": "clipped", "max_norm": 1.0}))


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"name": "clipped", "max_nrm": 1.0}, "unknown setting 'max_nrm'"),
        ({"name": "clippd"}, "unknown step 'clippd'"),
        ({"max_norm": 1.0}, 'expected {"name"'),
        ("clippd", "unknown step 'clippd'"),
    ],
)
def test_unknown_steps_and_settings_are_refused_when_a_schedule_is_made(step, said):
    with pytest.raises(RecipeError, match=said):
        Schedule(step=step)


def test_a_norm_that_is_not_above_0_is_refused():
    with pytest.raises(RecipeError, match="max_norm is 0"):
        trained({"name": "clipped", "max_norm": 0.0})
