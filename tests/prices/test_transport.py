"""All groups get one distribution of prices, the barycentre, and keep the order within a group."""

import numpy as np
import pandas as pd
import pytest

from corrigible import price_changes, transported_prices
from corrigible.errors import DataError
from corrigible.prices.given import groups_of

RNG = np.random.default_rng(0)
PRICES = np.concatenate([RNG.lognormal(0, 0.5, 200), RNG.lognormal(0.4, 0.3, 200)])
GROUPS = np.repeat(["a", "b"], 200)


def test_of_equal_groups_the_price_at_a_rank_is_the_mean_of_the_groups_prices_at_it() -> None:
    found = transported_prices(PRICES, GROUPS)
    expected = np.mean([np.sort(PRICES[g == GROUPS]) for g in "ab"], axis=0)
    for group in "ab":
        assert np.allclose(found.prices[group == GROUPS], expected[PRICES[group == GROUPS].argsort().argsort()])


def test_the_sum_stays_by_exposure_and_no_group_pays_another_distribution() -> None:
    exposure = 0.5 + RNG.random(400)
    found = transported_prices(PRICES, GROUPS, exposure=exposure)
    assert (found.prices * exposure).sum() == pytest.approx((PRICES * exposure).sum())
    ends = [np.quantile(found.prices[g == GROUPS], [0.1, 0.5, 0.9]) for g in "ab"]
    assert np.allclose(ends[0], ends[1], rtol=0.05)
    assert (found.predict(PRICES[150:250], GROUPS[150:250]) == found.prices[150:250]).all()


def test_a_row_needs_a_group_that_is_known() -> None:
    found = transported_prices(PRICES, GROUPS)
    assert repr(found).endswith("needs the group of each row")
    with pytest.raises(DataError, match="group 'c' was not there before"):
        found.predict([1.0], ["c"])
    with pytest.raises(DataError, match="expected at least two"):
        transported_prices([1.0, 2.0], ["a", "a"])
    with pytest.raises(DataError, match="group 'b' has a single price"):
        transported_prices([1.0, 2.0, 3.0], ["a", "a", "b"])


def test_a_price_that_its_group_never_had_has_no_rank() -> None:
    found = transported_prices(PRICES, GROUPS)
    assert np.allclose(found.predict(PRICES, GROUPS), found.prices)
    with pytest.raises(DataError, match=r"price 5000 of row 1 has no rank in group 'a', whose prices went from"):
        found.predict([PRICES[0], 5000.0], ["a", "a"])


def test_groups_that_read_alike_stay_apart() -> None:
    groups = pd.DataFrame({"job": ["a, b", "a"] * 200, "town": ["c", "b, c"] * 200})
    assert groups_of(groups, 400).keys == (("a", "b, c"), ("a, b", "c"))
    assert len(price_changes(PRICES, PRICES, groups, num_resamples=0).by_group) == 2
    found = transported_prices(PRICES, groups)
    assert np.allclose(found.predict(PRICES, groups), found.prices) and "a, b, c 50" in repr(found)
