"""Rows of one group are held out together, and are never taken for one row."""

import numpy as np
import pandas as pd
import pytest
import torch

from corrigible import TabularClassifier
from corrigible.data.dataset import TensorData
from corrigible.errors import DataError
from corrigible.estimators.distinct_rows import distinct_rows
from corrigible.estimators.holding_out import divided

N = 400
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"age": RNG.normal(50, 10, N)})
Y = (np.arange(N) % 4 == 0).astype(np.int64)


def sides(cluster, fraction=0.1, y=Y):
    beside = [y.astype(np.float64)] if cluster is None else [y.astype(np.float64), cluster.astype(np.float64)]
    parts = distinct_rows(FRAME, beside, np.ones(N))
    data = TensorData(torch.zeros(N, 1), torch.from_numpy(y[parts.index]))
    of_parts = None if cluster is None else cluster[parts.index]
    kept, held = divided(data, parts, of_parts, fraction=fraction, seed=0)
    return parts.index[kept.numpy()], parts.index[held.numpy()]


@pytest.mark.parametrize("num_clusters", [3, 40, 150])
def test_no_cluster_is_on_both_sides(num_clusters):
    cluster = np.arange(N) % num_clusters
    kept, held = sides(cluster)
    assert len(held) and not set(cluster[kept]) & set(cluster[held])
    assert len(kept) + len(held) == N and len(kept) > N / 2
    assert len(sides(cluster, fraction=0.0)[1]) == 0


def test_each_class_is_held_out_by_its_share_of_clusters():
    cluster = np.arange(N) // 4 + 100 * Y  # 100 persons of the first class and 100 of the second
    held = sides(cluster)[1]
    assert [len(set(cluster[held[Y[held] == label]])) for label in (0, 1)] == [10, 10]
    held = sides(None)[1]
    assert [int((Y[held] == label).sum()) for label in (0, 1)] == [30, 10]


def fitted(groups, rows=slice(None), **given):
    model = TabularClassifier(hidden_layer_sizes=(4,), ensemble=1, max_epochs=2, random_state=0)
    return model.fit(FRAME.iloc[rows].round(-1), Y[rows], groups=groups[rows], **given)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_weight_of_two_is_the_row_twice_within_its_group():
    # Ages are rounded, so that many rows of different groups are equal in all else.
    groups = np.array([f"person {number:03}" for number in np.arange(N) % 150])
    weight = RNG.integers(3, size=N)
    twice = RNG.permutation(np.repeat(np.arange(N), weight))
    weighted, repeated = fitted(groups, sample_weight=weight), fitted(groups, twice)
    assert (weighted.predict_proba(FRAME) == repeated.predict_proba(FRAME)).all()
    assert weighted.validation_loss_curve_ == repeated.validation_loss_curve_
    assert weighted.validation_loss_curve_ != fitted(groups[::-1], sample_weight=weight).validation_loss_curve_


def test_groups_that_cannot_be_used_are_refused():
    for groups, refused in (
        (np.zeros(N), "groups holds one group, '0.0'; expected at least two"),
        (np.array([*range(N - 1), np.nan]), f"groups of row {N - 1} is missing; expected a group"),
        (np.zeros((N, 2)), r"groups has shape \(400, 2\); expected one value for each"),
    ):
        with pytest.raises(DataError, match=refused):
            fitted(groups)


def test_rows_of_weight_0_are_no_second_group():
    x, weight = pd.DataFrame({"a": np.arange(4.0)}), np.array([1.0, 1.0, 0.0, 0.0])
    with pytest.raises(DataError, match="groups holds one group, '7'"):
        TabularClassifier().fit(x, [0, 1, 0, 1], groups=[7, 7, 8, 8], sample_weight=weight)
