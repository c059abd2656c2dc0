"""Rows with numbers far outside the range keep their label, and a network that has seen such rows stays calm."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import corrigible
from corrigible.augment import extreme_rows
from corrigible.errors import DataError, RecipeError

COLUMNS = corrigible.Columns(
    ("age", "age=missing", "site=a", "site=b", "dose"),
    ("age", "age", "site", "site", "dose"),
    (False, False, True, True, False),
)


def rows_of(num_rows, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.zeros(num_rows, 5)
    x[:, [0, 4]] = torch.randn(num_rows, 2, generator=generator)
    x[torch.arange(num_rows), 2 + torch.arange(num_rows) % 2] = 1.0
    return corrigible.Batch(torch.arange(num_rows), x, (x[:, 0] > 0).long(), columns=COLUMNS)


def changed(batch, **settings):
    return extreme_rows(nn.Identity(), batch, torch.Generator().manual_seed(0), rows="extreme", **settings)


def test_numbers_are_set_to_sizes_from_the_largest_up_and_all_else_stays():
    batch = rows_of(500)
    moved = changed(batch, times=100.0)
    assert torch.equal(moved.x[:, 1:4], batch.x[:, 1:4]) and torch.equal(moved.y, batch.y)
    differs = moved.x != batch.x
    assert (differs.sum(dim=1) == 1).all()
    for place in (0, 4):
        times = moved.x[differs[:, place], place] / batch.x[:, place].abs().max()
        assert bool((times.abs() >= 0.999).all()) and bool((times.abs() <= 100.1).all())
        assert 0.4 < float((times > 0).float().mean()) < 0.6
        assert 0.4 < float((times.abs() < 10).float().mean()) < 0.6  # The logarithm is uniform.
    assert (changed(batch, numbers=5).x != batch.x)[:, [0, 4]].all()


def test_both_puts_the_original_rows_before():
    batch = rows_of(20)
    found = extreme_rows(nn.Identity(), batch, torch.Generator().manual_seed(0))
    assert torch.equal(found.x[:20], batch.x) and len(found.x) == 40 and torch.equal(found.y[20:], batch.y)


def test_a_network_that_learned_on_such_rows_moves_less():
    """The label follows the age; a dose two hundred times the largest must not tell more."""
    batch, fresh = rows_of(128), rows_of(200, seed=5)
    far = fresh.x.clone()
    far[:, 4] = 500.0
    moved = {}
    for is_exposed in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 2))
        optimizer, generator = torch.optim.AdamW(model.parameters(), lr=1e-2), torch.Generator().manual_seed(1)
        for _ in range(40):
            some = extreme_rows(model, batch, generator) if is_exposed else batch
            optimizer.zero_grad()
            cross_entropy(model(some.x), some.y).backward()
            optimizer.step()
        with torch.no_grad():
            assert (model(fresh.x).argmax(1) == fresh.y).float().mean() > 0.9
            moved[is_exposed] = (model(far).softmax(1) - model(fresh.x).softmax(1))[:, 1].abs().mean()
    assert moved[True] < 0.7 * moved[False]


def test_what_has_no_numbers_is_refused():
    batch = rows_of(4)
    for settings in ({"times": 0.5}, {"numbers": 0}, {"times": float("inf")}):
        with pytest.raises(RecipeError, match="at least 1"):
            changed(batch, **settings)
    levels = corrigible.Batch(
        batch.index, batch.x[:, 2:4], batch.y, columns=corrigible.Columns(("s=a", "s=b"), ("s", "s"), (True, True))
    )
    with pytest.raises(DataError, match="numbers"):
        changed(levels)
    with pytest.raises(DataError, match="table"):
        changed(corrigible.Batch(batch.index, torch.zeros(4, 1, 2, 2), batch.y))
