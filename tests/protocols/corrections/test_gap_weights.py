"""A rule that a column must not matter, together with a gap between groups to reach."""

import pytest
import torch
from torch import nn

import corrigible
from corrigible.data.dataset import TensorData
from corrigible.errors import RecipeError
from corrigible.models.predictive import all_outputs
from corrigible.types import Columns, Feedback

COLUMNS = Columns(("told", "proxy", "free"), ("told", "proxy", "free"), (False, False, False))
PARITY = {"demographic_parity": {"weight": "auto", "gap": 0.1}}
SETTINGS = {"epochs": 10, "learning_rate": 0.01, "progress": False}


def rows_of(num_rows: int, seed: int) -> TensorData:
    """A column that is the group, one that tells it a little, and one that has nothing to do with it."""
    generator = torch.Generator().manual_seed(seed)
    group = torch.arange(num_rows) % 2
    x = torch.randn(num_rows, 3, generator=generator)
    x[:, 0] = group
    x[:, 1] += 1.0 * group
    y = (x @ torch.tensor([1.0, 1.0, 1.0]) + torch.randn(num_rows, generator=generator) > 1).long()
    return TensorData(x, y, group, COLUMNS)


@pytest.fixture(scope="module")
def plain() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    return corrigible.train(network, rows_of(800, 0), epochs=10, learning_rate=0.01, seed=0, progress=False)


def gap_of(model: nn.Module, rows: TensorData) -> float:
    decided = all_outputs(model, rows.x).argmax(dim=1).double()
    return abs(float(decided[rows.group == 1].mean() - decided[rows.group == 0].mean()))


def moved_by_the_column(model: nn.Module, rows: TensorData) -> float:
    other = rows.x.clone()
    other[:, 0] = 1 - other[:, 0]
    first, second = (all_outputs(model, x).softmax(dim=1) for x in (rows.x, other))
    return float((first - second).abs().mean())


@pytest.mark.slow
def test_the_rule_holds_and_the_gap_is_reached(plain):
    rows, validation, rule = rows_of(800, 0), rows_of(800, 1), [Feedback("told", scope="dataset")]
    settings = {**SETTINGS, "validation": validation, "seed": 0}
    by_rule = corrigible.correct(plain, rows, rule, **settings)
    found = corrigible.correct(plain, rows, rule, penalties=PARITY, **settings)
    assert gap_of(plain, validation) > gap_of(by_rule, validation) > 0.15
    assert gap_of(found, validation) <= 0.1
    assert found.enforced.reached == pytest.approx(gap_of(found, validation), abs=1e-6)
    assert found.enforced.has_reached and found.enforced.weight > 0
    assert moved_by_the_column(found, validation) < 0.4 * moved_by_the_column(plain, validation)


def test_one_gap_is_reached_at_a_time(plain):
    both = {**PARITY, "equalized_odds": {"weight": "auto", "gap": 0.1}}
    with pytest.raises(RecipeError, match="demographic_parity and equalized_odds each have a gap to reach; expected o"):
        corrigible.correct(plain, rows_of(800, 0), [Feedback("told", scope="dataset")], penalties=both, **SETTINGS)
