"""Leak suspects and proxies: planted ones are found, honest predictors are none, scores match their definitions."""

import numpy as np
import pandas as pd
import pytest

from corrigible.auditing.cells import cells_of, folds_of, skill_of_cells
from corrigible.auditing.columns import Column, column_of, columns_in
from corrigible.auditing.leaks import leak_suspects
from corrigible.auditing.outcomes import Outcome, outcome_of
from corrigible.auditing.proxies import proxies_of
from corrigible.auditing.telling import told

ROWS = 500


def honest(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """A table whose first column is by far the strongest predictor, as it may be."""
    frame = pd.DataFrame({name: rng.normal(size=ROWS) for name in ("strong", "weak", "noise")})
    frame["place"] = rng.choice(list("abc"), ROWS)
    return frame, frame.strong + 0.5 * frame.weak + rng.normal(size=ROWS) > 0.8


def classes(y: np.ndarray) -> Outcome:
    return outcome_of(Column("y", y.astype(float), ("no", "yes")))


def suspects(frame: pd.DataFrame, outcome: Outcome) -> list[str]:
    return [leak.column for leak in leak_suspects(columns_in(frame), outcome, 0)]


PLANTS = {
    "copy with noise": lambda y, rng: (y ^ (rng.random(ROWS) < 0.05)).astype(float),
    "category": lambda y, rng: np.where(y ^ (rng.random(ROWS) < 0.05), "closed", "open"),
    "missing where it is so": lambda y, rng: np.where(y & (rng.random(ROWS) < 0.95), np.nan, rng.normal(size=ROWS)),
    "a word on some": lambda y, rng: np.where(y & (rng.random(ROWS) < 0.25), "yes", "no"),
    "999 on some": lambda y, rng: np.where(y & (rng.random(ROWS) < 0.4), 999.0, rng.integers(20, 60, ROWS)),
}


@pytest.mark.parametrize("kind", PLANTS)
def test_a_planted_leak_is_the_only_suspect(kind):
    rng = np.random.default_rng(0)
    frame, y = honest(rng)
    y = y.to_numpy()
    assert suspects(frame, classes(y)) == []
    assert suspects(frame.assign(leak=PLANTS[kind](y, rng)), classes(y)) == ["leak"]


def test_extremes_of_a_strong_predictor_are_no_leak():
    """Its lowest values decide, and so, nearly, do those beside them; a value of its own kind stands out."""
    rng = np.random.default_rng(6)
    frame = pd.DataFrame({name: rng.normal(size=4 * ROWS) for name in ("one", "other", "third")})
    y = (frame.sum(axis=1) > 0).to_numpy()
    assert suspects(frame, classes(y)) == []
    y = (frame.sum(axis=1) + 3 * rng.normal(size=4 * ROWS) > 0).to_numpy()
    frame.loc[y & (rng.random(4 * ROWS) < 0.1), "third"] = -9.0
    assert suspects(frame, classes(y)) == ["third"]


def test_amounts_leak_by_a_later_amount_and_by_empty_cells():
    rng = np.random.default_rng(1)
    frame, _ = honest(rng)
    y = np.exp(frame.strong + rng.normal(size=ROWS)) * (rng.random(ROWS) < 0.6)
    outcome = outcome_of(column_of(y, "y"), by_rank=True)
    later, filled = y * np.exp(0.3 * rng.normal(size=ROWS)), np.where(y > 0, 1.0, np.nan) * rng.normal(5, 1, ROWS)
    assert suspects(frame, outcome) == []
    assert set(suspects(frame.assign(later=later, filled=filled), outcome)) == {"later", "filled"}


def test_cells_tell_what_means_of_other_rows_tell():
    """Written out: the mean of the other folds' rows in the same cell, with two rows of the overall mean."""
    rng = np.random.default_rng(2)
    column, z = column_of(rng.choice(["a", "b", None], 60), "c"), rng.random((60, 1))
    cells, folds = cells_of(column), folds_of(60, 0)
    predicted = []
    for row in range(60):
        same = (cells.index == cells.index[row]) & (folds != folds[row])
        predicted.append((z[same, 0].sum() + 2 * z.mean()) / (same.sum() + 2))
    expected = 1 - np.square(z[:, 0] - predicted).sum() / np.square(z - z.mean()).sum()
    assert skill_of_cells(cells, Outcome(z, ()), folds) == pytest.approx(expected)


def test_numbers_in_cells_keep_their_order_and_frequent_values_apart():
    values = np.concatenate([np.full(50, 999.0), np.linspace(0, 1, 950), [np.nan]])
    cells = cells_of(column_of(values, "c"))
    assert len(set(cells.index[:50])) == 1 and cells.index[0] not in cells.index[50:]
    assert (np.diff(cells.index[50:-1]) >= 0).all()
    assert cells.names[cells.index[0]] == "999" and cells.names[cells.index[-1]] == "missing"


def test_proxies_are_found_alone_in_pairs_and_by_category():
    rng = np.random.default_rng(3)
    a = rng.random(ROWS) < 0.5
    noise = {f"noise {n}": rng.normal(size=ROWS) for n in range(5)}
    sign, size = rng.choice([-1, 1], ROWS), np.abs(rng.normal(size=(2, ROWS)))
    odd = a ^ (rng.random(ROWS) < 0.1)
    planted = {
        "linear": {"number": 2 * a + rng.normal(size=ROWS)},
        "interaction": {"one": sign * size[0], "other": np.where(odd, sign, -sign) * size[1]},
        "category": {"place": np.char.add("p", (2 * rng.integers(9, size=ROWS) + odd).astype(str))},
    }
    for kind, columns in planted.items():
        found = proxies_of("a", columns_in(pd.DataFrame({**noise, **columns})), classes(a), 0)
        assert {column.name for column in found.columns[: len(columns)]} == set(columns), kind
        assert found.told.low > 0.75
        assert found.left[len(columns) - 1][1].value < 0.6  # Nothing else tells it.
        assert {c.partner for c in found.columns[: len(columns)]} == ({"one", "other"} if len(columns) > 1 else {""})


def test_the_area_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(4)
    ones, scores = rng.random(40) < 0.4, rng.integers(6, size=40) / 5
    pairs = [(x > y) + (x == y) / 2 for x in scores[ones] for y in scores[~ones]]
    found = told(classes(ones), scores[:, None], 0)
    assert found.value == pytest.approx(np.mean(pairs)) and found.low < found.value < found.high


def test_r2_of_amounts_is_as_defined():
    rng = np.random.default_rng(5)
    z = rng.normal(size=(50, 1))
    scores = z + 0.5 * rng.normal(size=(50, 1))
    found = told(Outcome(z, ()), scores, 0)
    assert found.value == pytest.approx(1 - np.square(z - scores).sum() / np.square(z - z.mean()).sum())
