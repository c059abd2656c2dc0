"""Batches alike: what the guarantee says, counted."""

import math
from collections import Counter

import pytest
import torch

from corrigible.batches import representative_batches
from corrigible.data.dataset import TensorData
from corrigible.data.representative import representative_parts
from corrigible.errors import RecipeError
from corrigible.protocols.schedule import Schedule, batches_of

GENERATOR = torch.Generator().manual_seed(0)
CASES = [
    (
        torch.cat([torch.full((n,), s) for s, n in enumerate(sizes)])[torch.randperm(sum(sizes), generator=GENERATOR)],
        size,
    )
    for sizes in ((50, 30, 20), (97, 2, 1), (7,), (13, 13, 13, 13, 1), (60, 37, 1, 1, 1, 1, 3), (3, 2, 4))
    for size in (1, 2, 7, 10, 33, 200)
]


@pytest.mark.parametrize(("strata", "size"), CASES)
def test_every_batch_holds_each_stratum_s_share_rounded_up_or_down_and_every_row_comes_once(strata, size):
    total = Counter(strata.tolist())
    for epoch in (0, 3):
        parts = representative_parts(strata, size, 5)(epoch)
        assert sorted(torch.cat(parts).tolist()) == list(range(len(strata)))
        for part in parts:
            held = Counter(strata[part].tolist())
            for stratum, number in total.items():
                exact = len(part) * number / len(strata)
                assert math.floor(exact + 1e-9) <= held[stratum] <= math.ceil(exact - 1e-9)
        full = [len(part) for part in parts[:-1]]
        assert set(full) <= {size}
        assert len(parts[-1]) > 1 or size == 1 or len(strata) == 1


def test_a_target_is_followed_and_all_rows_of_a_stratum_are_seen_equally_often():
    strata = torch.tensor([0] * 90 + [1] * 10)
    shares = torch.tensor([0.5, 0.5])
    parts = representative_parts(strata, 8, 1, shares=shares)
    seen = Counter()
    for epoch in range(7):
        batches = parts(epoch)
        assert sum(map(len, batches)) == 100
        for part in batches:
            held = Counter(strata[part].tolist())
            assert abs(held[0] - len(part) / 2) < 1 and abs(held[1] - len(part) / 2) < 1
            seen.update(part.tolist())
        for rows in (range(90), range(90, 100)):
            often = [seen[row] for row in rows]
            assert max(often) - min(often) <= 1
    assert min(seen[row] for row in range(100)) >= 3


def test_orders_repeat_with_the_seed_and_differ_between_epochs():
    strata = torch.arange(40) % 3
    one, other = (representative_parts(strata, 6, 2) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one(1), other(1), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one(1), one(2), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one(1), representative_parts(strata, 6, 3)(1), strict=True))


@pytest.fixture(scope="module")
def data():
    y = torch.tensor([0] * 24 + [1] * 8)
    group = torch.arange(32) % 4 // 3
    return TensorData(torch.randn(32, 2), y, group)


def test_strata_are_groups_with_labels_and_a_schedule_asks_for_them(data):
    for batches in (
        representative_batches(data, 16, 0),
        batches_of(data, Schedule(batch_size=16, representative=True), None, 0)[0],
    ):
        for batch in batches(0):
            pairs = Counter(zip(batch.group.tolist(), batch.y.tolist(), strict=True))
            assert pairs == {(0, 0): 9, (1, 0): 3, (0, 1): 3, (1, 1): 1}
            assert torch.equal(batch.x, data.x[batch.index])


def test_some_rows_alone_may_be_divided(data):
    rows = torch.arange(20, 32)
    assert (
        sorted(torch.cat([b.index for b in representative_batches(data, 5, 0, rows=rows)(0)]).tolist()) == rows.tolist()
    )


def test_a_target_names_group_and_label(data):
    equal = dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], 0.25)
    for batch in representative_batches(data, 8, 0, target=equal)(0):
        assert set(Counter(zip(batch.group.tolist(), batch.y.tolist(), strict=True)).values()) == {2}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({(0, 0): 1.0}, r"no share of \(0, 1\)"),
        (dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)], 0.2), r"a share of \(2, 0\), which no row is of"),
        ({(0, 0): 0.99, (0, 1): 0.008, (1, 0): 0.001, (1, 1): 0.001}, "less than one of 32 rows"),
        (dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], 0.3), "expected numbers above 0 with the sum 1"),
    ],
)
def test_a_target_that_does_not_fit_is_refused(data, target, message):
    with pytest.raises(RecipeError, match=message):
        representative_batches(data, 8, 0, target=target)


def test_whole_queries_cannot_be_representative():
    data = TensorData(torch.randn(6, 2), torch.arange(6.0), task="ranking", extra={"query": torch.arange(6) % 2})
    with pytest.raises(RecipeError, match="whole queries"):
        representative_batches(data, 2, 0)
