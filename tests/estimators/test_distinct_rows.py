"""Equal rows are one row with the sum of their weights."""

import numpy as np
import pandas as pd

from corrigible.estimators.distinct_rows import distinct_rows

FRAME = pd.DataFrame({"age": [3.0, 1.0, 3.0, np.nan, np.nan, -0.0, 0.0], "ward": ["b", "a", "b", "a", "a", None, None]})


def test_rows_that_are_equal_in_every_column_and_label_are_one():
    labels = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    found = distinct_rows(FRAME, [labels], np.ones(7))
    assert found.num_rows == 4
    seen = {int(row): found.weight[found.index == row].sum() for row in found.index}
    assert seen == {0: 8 / 7, 1: 4 / 7, 3: 8 / 7, 5: 8 / 7}
    assert distinct_rows(FRAME, [np.arange(7.0)], np.ones(7)).num_rows == 7


def test_no_part_is_heavier_than_the_mean_and_parts_add_up():
    found = distinct_rows(FRAME[:3], [np.arange(3.0)], np.array([1.0, 2.5, 0.1]))
    share = np.array([found.weight[found.index == row].sum() for row in range(3)])
    np.testing.assert_allclose(share, 3 * np.array([1.0, 2.5, 0.1]) / 3.6)
    assert found.weight.max() <= 1 and len(found.index) == 5


def test_the_order_follows_from_what_the_rows_hold():
    labels, weight = np.arange(7.0), np.arange(1.0, 8.0)
    shuffled = np.random.default_rng(0).permutation(7)
    one = distinct_rows(FRAME, [labels], weight)
    other = distinct_rows(FRAME.iloc[shuffled], [labels[shuffled]], weight[shuffled])
    assert (one.index == shuffled[other.index]).all() and (one.weight == other.weight).all()
