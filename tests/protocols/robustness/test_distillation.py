"""A student learns a teacher's soft labels."""

import pytest
import torch
from torch import nn

from corrigible.errors import DataError, RecipeError
from corrigible.models import mlp
from corrigible.models.forward import Forward
from corrigible.protocols.robustness.distillation import distilling, divided
from corrigible.protocols.schedule import Schedule
from corrigible.types import Batch


def data(num_rows=60):
    x = torch.randn(num_rows, 2, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] > 0).long()


def finished(steps):
    epochs = []
    while True:
        try:
            epochs.append(next(steps))
        except StopIteration as end:
            return end.value, epochs


def test_the_teachers_loss_is_the_cross_entropy_of_divided_logits():
    torch.manual_seed(0)
    model = nn.Linear(2, 3)
    x = torch.randn(4, 2)
    batch = Batch(torch.arange(4), x, torch.tensor([0, 1, 2, 1]))
    forward = Forward(model, batch)
    hard = nn.functional.cross_entropy(model(x) / 5, batch.y, reduction="none")
    torch.testing.assert_close(divided(5.0)(forward, batch), hard)


def test_the_student_learns_and_its_undivided_logits_are_large():
    model = mlp(2, 2, hidden=(8,))
    before = [parameter.clone() for parameter in model.parameters()]
    schedule = Schedule(epochs=12, batch_size=30, learning_rate=0.1)
    student, epochs = finished(distilling(model, data(), temperature=10.0, schedule=schedule))
    x, y = data()
    assert len(epochs) == 24
    assert (student(x).argmax(1) == y).float().mean() > 0.9
    plain, _ = finished(distilling(model, data(), temperature=1.0, schedule=schedule))
    assert student(x).abs().mean() > 2 * plain(x).abs().mean()
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))


def test_wrong_settings_are_refused():
    with pytest.raises(RecipeError, match="temperature is 0"):
        next(distilling(mlp(2, 2), data(), temperature=0.0, schedule=Schedule()))
    with pytest.raises(DataError, match="every label is 0"):
        next(distilling(mlp(2, 2), (torch.randn(3, 2), torch.zeros(3).long()), schedule=Schedule()))
