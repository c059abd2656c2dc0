"""Rows alike in label activate alike units, and unlike rows unlike ones."""

import math
from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import nn

from corrigible.data.dataset import as_dataset
from corrigible.errors import RecipeError
from corrigible.explanations.active_units import active_unit_overlap, active_units
from corrigible.models import mlp
from corrigible.models.forward import Forward
from corrigible.penalties import contrastive
from corrigible.protocols.schedule import Schedule, run
from corrigible.tasks.amounts import amounts
from corrigible.types import Batch
from finite_differences import require_slope

X = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
BATCH = Batch(torch.arange(5), X, torch.tensor([0, 2, 1, 0, 1]))


def network(activation=nn.Tanh):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 3), activation(), nn.Linear(3, 3)).double()


def by_definition(rows, labels, distance, margin):
    """Pair by pair."""
    scale = math.fsum(a * a for row in rows for a in row) / len(rows)
    terms = {True: [], False: []}
    for (one, label), (other, other_label) in product(zip(rows, labels, strict=True), repeat=2):
        dot = math.fsum(map(math.prod, zip(one, other, strict=True)))
        if distance == "cosine":
            apart = 1 - dot / math.hypot(*one) / math.hypot(*other)
        else:
            apart = math.dist(one, other) / math.sqrt(scale)
        terms[label == other_label].append(apart**2 if label == other_label else max(0, margin - apart) ** 2)
    return sum(math.fsum(of) / len(of) for of in terms.values())


@pytest.mark.parametrize("margin", [1.0, 1.6])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_is_by_its_definition_and_moves_along_its_gradient(distance, margin):
    model, settings = network(), {"distance": distance, "margin": margin}
    expected = by_definition(model[:2](X).tolist(), BATCH.y.tolist(), distance, margin)
    assert contrastive(Forward(model, BATCH), BATCH, **settings).item() == pytest.approx(expected, rel=1e-9)

    def value(of, differentiable=False):
        found = contrastive(Forward(of, BATCH), BATCH, **settings)
        return found if differentiable else found.detach()

    require_slope(model, value)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_rows_that_coincide_or_activate_nothing_have_gradients_that_are_numbers(distance):
    model = network(nn.ReLU)
    for x in (X[:1].expand(5, 4), torch.zeros(5, 4, dtype=torch.float64)):
        if not x.any():
            nn.init.constant_(model[0].bias, -1.0)
        batch = replace(BATCH, x=x)
        found = contrastive(Forward(model, batch), batch, distance=distance)
        gradients = torch.autograd.grad(found, list(model.parameters()), allow_unused=True)
        assert all(g.isfinite().all() for g in gradients if g is not None)


def test_amounts_are_alike_in_the_same_part_of_the_labels():
    y = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    task = amounts(y)
    batch, of_parts = replace(BATCH, y=y, task=task), replace(BATCH, y=task.strata(y))
    assert len(of_parts.y.unique()) == 4
    model = network()
    found = contrastive(Forward(nn.Sequential(*model[:2], nn.Linear(3, 1).double()), batch), batch)
    expected = contrastive(Forward(model, of_parts), of_parts)
    torch.testing.assert_close(found, expected)


def test_a_margin_of_0_is_refused():
    with pytest.raises(RecipeError, match="margin is 0.0; expected a number above 0"):
        contrastive(Forward(network(), BATCH), BATCH, margin=0.0)


@pytest.mark.slow
def test_with_layer_sparsity_few_units_are_active_and_classes_use_units_of_their_own():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, 6, generator=generator)
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    found = {}
    sparse = {"layer_sparsity": {"weight": 1.0, "share_per_layer": 0.3, "most": 0.6}, "contrastive": 1.0}
    for name, penalties in (("plain", {}), ("sparse", sparse)):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = mlp(6, 3, hidden=(20, 20))
        for _ in run(model, as_dataset((x, y)), Schedule(epochs=10, learning_rate=0.02), penalties=penalties):
            pass
        active = active_units(model, x, layer="4")
        accuracy = (model(x).argmax(1) == y).float().mean()
        found[name] = active.double().sum(1).mean(), active_unit_overlap(active, y), accuracy
    assert found["sparse"][0] < 0.5 * found["plain"][0]
    assert found["sparse"][1] < 0.7 * found["plain"][1]
    assert found["sparse"][2] > found["plain"][2] - 0.02
