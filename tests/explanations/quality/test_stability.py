from itertools import combinations

import pytest
import torch

from corrigible.errors import DataError
from corrigible.explanations.quality import rank_correlation, rank_stability, relative_spread

RUNS = torch.randn(4, 5, 2, 3, generator=torch.Generator().manual_seed(0)).mul(2).round()


def test_rank_stability_is_the_mean_over_pairs_of_runs():
    pairs = [rank_correlation(a, b) for a, b in combinations(RUNS, 2)]
    torch.testing.assert_close(rank_stability(RUNS), torch.stack(pairs).mean(dim=0))


def test_runs_that_are_alike_are_stable():
    same = RUNS[:1].expand(3, -1, -1, -1)
    torch.testing.assert_close(rank_stability(same), torch.ones(5, dtype=torch.float64))
    assert relative_spread(same).tolist() == [0] * 5


def test_spread_by_hand():
    runs = torch.tensor([[[1.0, 5.0], [1.0, -1.0]], [[3.0, 3.0], [-1.0, 1.0]]])
    # Row 0: both sds are √2, the means 2 and 4. Row 1: the means are 0.
    expected = torch.tensor([(4 / 20) ** 0.5, torch.nan], dtype=torch.float64)
    torch.testing.assert_close(relative_spread(runs), expected, equal_nan=True)


def test_a_run_that_is_the_same_everywhere_has_no_ranks():
    runs = RUNS.clone()
    runs[2, 1] = 4.0
    assert rank_stability(runs).isnan().tolist() == [False, True, False, False, False]


@pytest.mark.parametrize("measure", [rank_stability, relative_spread])
def test_one_run_tells_nothing(measure):
    with pytest.raises(DataError, match="at least two runs"):
        measure(RUNS[:1])
