"""Training ends where the loss no longer falls, with the best weights on held-out rows."""

import pytest
import torch

from corrigible import TensorData
from corrigible.errors import RecipeError
from corrigible.models import mlp
from corrigible.models.predictive import all_outputs
from corrigible.protocols.early_stopping import Watched, until_flat
from corrigible.protocols.schedule import Schedule, result_of

NOBODY = torch.tensor([], dtype=torch.long)


@pytest.fixture(scope="module")
def noise():
    """Labels that nothing tells: a network can only learn its own rows by heart."""
    generator = torch.Generator().manual_seed(0)
    return TensorData(torch.randn(120, 8, generator=generator), torch.arange(120) % 2)


def watched(data, *, epochs=40, held_out=NOBODY, patience=3):
    model = mlp(8, 2, hidden=(64,)).requires_grad_()
    schedule = Schedule(epochs=epochs, batch_size=20, learning_rate=0.02)
    rows = torch.arange(60)
    return model, result_of(until_flat(model, data, schedule, rows=rows, held_out=held_out, patience=patience))


def test_the_best_weights_on_held_out_rows_are_kept(noise):
    held_out = torch.arange(60, 120)
    model, found = watched(noise, held_out=held_out)
    assert found.has_converged and len(found.losses) == len(found.held_out_losses) < 40
    loss = noise.task.loss(all_outputs(model, noise.x[held_out]), noise.y[held_out], {}).mean()
    assert float(loss) == pytest.approx(min(found.held_out_losses))


def test_without_held_out_rows_the_training_loss_is_watched(noise):
    _, found = watched(noise, epochs=4)
    assert not found.has_converged and len(found.losses) == 4 and found.held_out_losses == ()


def test_training_that_still_improves_goes_on(noise):
    easy = TensorData(noise.x, (noise.x[:, 0] > 0).long())
    _, found = watched(easy, epochs=4, held_out=torch.arange(60, 120), patience=1)
    assert len(found.losses) == 4


def test_a_patience_of_no_epoch_is_refused(noise):
    with pytest.raises(RecipeError, match="patience is 0; expected a whole number from 1"):
        watched(noise, patience=0)


@pytest.mark.parametrize(("best", "epochs"), [(1, 3), (7, 4), (20, 10), (60, 24)])
def test_a_correction_takes_half_as_long_as_it_took_to_the_best_epoch(best, epochs):
    held_out = tuple(float(abs(epoch - best)) for epoch in range(1, 71))
    assert Watched((0.0,) * 70, held_out, True).epochs_to_correct() == {"epochs": epochs}
    assert Watched((0.0,) * 70, (), True).epochs_to_correct() == {}
