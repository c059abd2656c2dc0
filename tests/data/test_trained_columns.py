"""A corrected network remembers the columns that it was corrected on."""

import copy

import pandas as pd
import pytest
import torch
from torch import nn

import corrigible
from corrigible.data.trained_columns import remember_columns, require_columns
from corrigible.errors import DataError
from corrigible.types import Columns

FRAME = pd.DataFrame(torch.randn(8, 3, generator=torch.Generator().manual_seed(0)).numpy(), columns=["a", "b", "c"])
Y = (FRAME["a"] > 0).astype(int)


def named(*names: str) -> Columns:
    return Columns(names, names, (False,) * len(names))


@pytest.fixture
def corrected() -> nn.Module:
    model = nn.Linear(3, 2)
    remember_columns(model, named("a", "b", "c"))
    return model


def test_another_order_is_refused_through_every_door(corrected):
    other = FRAME[["c", "b", "a"]]
    for look in (
        lambda: corrigible.evaluate(corrected, (other, Y), metrics=["accuracy"], num_resamples=0),
        lambda: corrigible.explain(corrected, other, 0),
        lambda: corrigible.correct(corrected, (other, Y), [corrigible.Feedback("c", scope="dataset")], epochs=1),
    ):
        with pytest.raises(DataError, match=r"another order .*'c' in place of 'a'; .*x\[\['a', 'b', 'c'\]\]"):
            look()


def test_other_columns_are_named(corrected):
    with pytest.raises(DataError, match=r"x lacks \['c'\]"):
        require_columns(corrected, named("a", "b"))
    with pytest.raises(DataError, match=r"x has \['d'\] too"):
        require_columns(corrected, named("a", "b", "c", "d"))


def test_the_same_columns_and_rows_without_names_are_taken(corrected):
    require_columns(copy.deepcopy(corrected), named("a", "b", "c"))
    require_columns(corrected, None)
    remember_columns(corrected, None)
    require_columns(corrected, named("c", "b", "a"))
