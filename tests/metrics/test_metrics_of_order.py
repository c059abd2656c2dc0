import time

import pytest
import torch
from scipy.stats import spearmanr

from corrigible.metrics import pair_accuracy, spearman

RNG = torch.Generator().manual_seed(0)
ONES = torch.ones(150, dtype=torch.float64)


def slow_pair_accuracy(predicted, y, query):
    won = []
    for one in range(len(y)):
        for other in range(len(y)):
            if y[one] > y[other] and query[one] == query[other]:
                won.append(float(predicted[one] > predicted[other]) + float(predicted[one] == predicted[other]) / 2)
    return sum(won) / len(won)


def numbers(decimals):
    return torch.rand(2, 150, generator=RNG, dtype=torch.float64).round(decimals=decimals)


@pytest.mark.parametrize("decimals", [1, 2, 12])
def test_spearman_is_scipys_with_and_without_ties(decimals):
    predicted, y = numbers(decimals)
    assert spearman(predicted, y, ONES).item() == pytest.approx(spearmanr(predicted, y).statistic)
    mixed = (y + 0.3 * predicted).round(decimals=decimals)
    assert spearman(mixed, y, ONES).item() == pytest.approx(spearmanr(mixed, y).statistic)


def test_spearman_is_about_what_is_expected_with_the_exposure():
    predicted, y = numbers(3)
    assert spearman(predicted, y, 1 + y).item() == pytest.approx(spearmanr(predicted * (1 + y), y).statistic)


def test_without_any_order_there_is_no_correlation():
    y = torch.arange(150.0)
    assert spearman(ONES, y, ONES).isnan()
    assert spearman(y, ONES, ONES).isnan()
    assert spearman(-y, y, ONES).item() == pytest.approx(-1)


@pytest.mark.every(4)
@pytest.mark.parametrize("decimals", [1, 2, 12])
@pytest.mark.parametrize("num_queries", [1, 4, 60])
def test_pair_accuracy_is_the_share_of_pairs_of_one_query(decimals, num_queries):
    predicted, y = numbers(decimals)
    query = torch.randint(num_queries, (150,), generator=RNG) * 7
    assert pair_accuracy(predicted, y, query).item() == pytest.approx(slow_pair_accuracy(predicted, y, query))


def test_pairs_need_different_labels_of_one_query():
    y, one = torch.arange(150.0), torch.zeros(150, dtype=torch.long)
    assert pair_accuracy(y, ONES, one).isnan()
    assert pair_accuracy(y, y, torch.arange(150)).isnan()
    assert pair_accuracy(ONES, y, one) == 0.5
    assert pair_accuracy(ONES, y, torch.arange(150) // 2) == 0.5
    assert pair_accuracy(y, y, one) == 1
    assert pair_accuracy(-y, y, torch.arange(150) // 3) == 0


def test_sixteen_times_the_rows_take_no_square_of_time():
    seconds = [min(_seconds(num_rows) for _ in range(3)) for num_rows in (10_000, 160_000)]
    assert seconds[1] < 16**2 / 4 * seconds[0]


def _seconds(num_rows):
    y, noise = torch.randn(2, num_rows, generator=RNG)
    begin = time.perf_counter()
    pair_accuracy(y + noise, y, torch.zeros(num_rows, dtype=torch.long))
    return time.perf_counter() - begin
