"""What people give as data: what is understood, and what each slip is answered with."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, SubsetRandomSampler, TensorDataset, WeightedRandomSampler

from corrigible.data.dataset import all_rows, as_dataset
from corrigible.errors import DataError

X, Y = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 0, 1, 0, 1])
ROWS = TensorDataset(X, Y)


class Stream(IterableDataset):
    def __iter__(self):
        yield from ROWS


@pytest.mark.parametrize("data", [ROWS, DataLoader(ROWS, batch_size=2, shuffle=True), DataLoader(ROWS)])
def test_a_loader_stands_for_its_data_set(data):
    found = all_rows(as_dataset(data))
    assert torch.equal(found.x, X) and torch.equal(found.y, Y)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"x": X, "y": Y}, r"a dictionary with x, y; expected \(x, y\)"),
        ([X, Y], r"a list of Tensor; .*write \(x, y\) in round brackets"),
        ((X,), r"a tuple of 1; expected \(x, y\) or \(x, y, group\)"),
        ((X, Y, Y, Y), "a tuple of 4"),
        (X, r"a Tensor alone; expected \(x, y\)"),
        (X.numpy(), "a ndarray alone"),
        (pd.DataFrame(X.numpy()), "a DataFrame alone"),
        ("rows.csv", "a str alone"),
        (None, "a NoneType, whose rows have no number"),
        (Stream(), "a Stream, whose rows have no number"),
        (DataLoader(Stream()), "a Stream, whose rows have no number"),
        (DataLoader(ROWS, collate_fn=list), "a collate_fn of its own"),
        (DataLoader(ROWS, sampler=SubsetRandomSampler([0, 1])), "SubsetRandomSampler; .*torch.utils.data.Subset"),
        (DataLoader(ROWS, sampler=WeightedRandomSampler([1.0] * 6, 6)), "WeightedRandomSampler; .*weight="),
        ((X, Y[:4]), "x and y have 6 and 4 rows; expected the same number"),
        ((X[0], Y[:1]), r"x and y have 3 and 1 rows; .*x has shape \(3,\), rows first"),
        ((X, Y[:, None]), r"y has shape \(6, 1\); .*: y\[:, 0\]"),
        ((X, torch.eye(2)[Y]), r"y has shape \(6, 2\); .*y.argmax\(1\)"),
        ((X, Y - 1), "y holds -1"),
        ((X, 2 * Y - 1), r"for -1 and 1 write \(y \+ 1\) // 2"),
        ((X, Y.float() + np.nan), "y of row 0 is NaN; drop rows without a label"),
        ((X, ["a", "b"] * 3), "pandas.factorize"),
    ],
)
def test_a_slip_is_answered_with_the_remedy(data, words):
    with pytest.raises(DataError, match=words) as error:
        as_dataset(data)
    assert "\n" not in str(error.value)


def test_labels_in_another_order_than_their_rows_are_refused():
    frame = pd.DataFrame(X.numpy(), index=list("abcdef"))
    labels = pd.Series(Y.numpy(), index=list("abcdef"))
    assert torch.equal(all_rows(as_dataset((frame, labels))).x, X)
    with pytest.raises(DataError, match=r"y.loc\[x.index\]"):
        as_dataset((frame, labels[::-1]))
