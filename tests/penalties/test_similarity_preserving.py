"""Rows that are alike to the teacher are alike to the student."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from corrigible.errors import DataError
from corrigible.models.forward import Forward
from corrigible.penalties import similarity_preserving
from corrigible.types import Batch

X = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
FEATURES = torch.randn(4, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
BATCH = Batch(torch.arange(4), X, torch.tensor([0, 1, 1, 0]), extra={"teacher": FEATURES})


def compared(rows):
    """Each row's dot products with all rows, scaled to length 1."""
    products = [[math.fsum(a * b for a, b in zip(one, other, strict=True)) for other in rows] for one in rows]
    return [[product / math.hypot(*row) for product in row] for row in products]


@pytest.mark.parametrize("layer", [None, "0"])
def test_is_by_its_definition(layer):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2)).double()
    student = compared(model[: 1 if layer == "0" else 2](X).tolist())
    teacher = compared(FEATURES.flatten(1).tolist())
    expected = math.fsum(math.dist(*pair) ** 2 for pair in zip(student, teacher, strict=True)) / 4
    assert similarity_preserving(Forward(model, BATCH), BATCH, layer=layer).item() == pytest.approx(expected, rel=1e-12)


def test_a_student_that_turns_and_stretches_the_features_is_alike_and_without_features_nothing_can_be():
    turned = torch.linalg.qr(FEATURES[:, :, 0] + torch.eye(4, 5)).Q.T
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Identity()).double()
    with torch.no_grad():
        model[0].weight.copy_(3 * turned)
    batch = replace(BATCH, x=FEATURES.flatten(1)[:, :4], extra={"features": FEATURES.flatten(1)[:, :4]})
    found = similarity_preserving(Forward(model, batch), batch, layer="0", teacher="features")
    assert found.item() == pytest.approx(0, abs=1e-12)
    with pytest.raises(DataError, match="finds no extra\\['teacher'\\]"):
        similarity_preserving(Forward(model, batch), batch, layer="0")
