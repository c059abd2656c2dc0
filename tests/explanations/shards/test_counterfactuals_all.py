"""Counterfactuals of whole data sets: as they are of the same rows at once, whatever interrupts the work."""

import pandas as pd
import pytest
import torch
from torch import nn

import corrigible
from corrigible.data.dataset import TensorData
from corrigible.errors import RecipeError, StudyError
from corrigible.explanations.counterfactuals import Immutable, schema_of
from corrigible.explanations.shards import counterfactuals_all, explain_all, read_counterfactuals, read_shards
from corrigible.types import Columns

COLUMNS = Columns(("a", "b", "c"), ("a", "b", "c"), (False, False, False))
IMMUTABLE = [Immutable("c")]


@pytest.fixture(scope="module")
def net():
    model = nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.5, 2.0]]))
        model.bias.zero_()
    return model


@pytest.fixture(scope="module")
def data():
    x = torch.randn(23, 3, generator=torch.Generator().manual_seed(0))
    return TensorData(x, torch.arange(23) % 2, columns=COLUMNS)


def settings(data):
    return {"schema": schema_of(COLUMNS, data.x), "rows": data.x, "constraints": IMMUTABLE, "plausible": False}


def whole(folder):
    parts = list(read_counterfactuals(folder))
    assert [len(part) for part in parts] == [10, 10, 3]
    index, changed, cost = (torch.cat([getattr(part, name) for part in parts]) for name in ("index", "changed", "cost"))
    return index, changed, cost, [status for part in parts for status in part.status]


def test_shards_hold_what_the_same_rows_give_at_once(net, data, tmp_path):
    list(counterfactuals_all(net, data, tmp_path, rows_per_shard=10, **settings(data)))
    index, changed, cost, status = whole(tmp_path)
    direct = corrigible.counterfactuals(net, data.x, **settings(data))
    assert index.tolist() == list(range(23))
    assert status == list(direct.status)
    assert torch.equal(changed.nan_to_num(), direct.changed.nan_to_num())
    assert torch.equal(cost.nan_to_num(), direct.cost.nan_to_num())
    assert torch.equal(changed[:, 0, 2].nan_to_num(), torch.where(changed[:, 0, 2].isnan(), 0, data.x[:, 2]))


def test_an_interrupted_call_goes_on_with_the_missing_shards(net, data, tmp_path):
    records = counterfactuals_all(net, data, tmp_path / "cut", rows_per_shard=10, **settings(data))
    planned = next(records)
    assert (planned.num_rows, planned.num_shards, planned.num_kept) == (23, 3, 0)
    next(records)
    records.close()
    with pytest.raises(StudyError, match="2 of 3 shards are missing"):
        list(read_counterfactuals(tmp_path / "cut"))
    again = list(counterfactuals_all(net, data, tmp_path / "cut", rows_per_shard=10, **settings(data)))
    assert again[0].num_kept == 1
    list(counterfactuals_all(net, data, tmp_path / "whole", rows_per_shard=10, **settings(data)))
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "cut" / path.name).read_bytes()


def test_other_constraints_or_settings_do_not_go_on(net, data, tmp_path):
    begun = counterfactuals_all(net, data, tmp_path, rows_per_shard=10, **settings(data))
    next(begun), next(begun)
    begun.close()
    for other in ({"constraints": [Immutable("a")]}, {"k": 2}):
        with pytest.raises(StudyError, match="were started differently"):
            list(counterfactuals_all(net, data, tmp_path, rows_per_shard=10, **{**settings(data), **other}))


def test_what_is_no_schema_and_shards_of_something_else_are_refused(net, data, tmp_path):
    with pytest.raises(RecipeError, match=r"schema is a Columns; expected schema_of\(columns, rows\)"):
        list(counterfactuals_all(net, data, tmp_path, **{**settings(data), "schema": COLUMNS}))
    list(explain_all(net, data, tmp_path / "other", method="input_gradient"))
    with pytest.raises(StudyError, match="are of 'input_gradient'; read them with read_shards"):
        list(read_counterfactuals(tmp_path / "other"))
    list(counterfactuals_all(net, data, tmp_path / "these", **settings(data)))
    with pytest.raises(StudyError, match="are of 'counterfactuals'; read them with read_counterfactuals"):
        list(read_shards(tmp_path / "these"))


def test_other_rows_in_a_frame_do_not_go_on(net, data, tmp_path):
    asked, rows = settings(data), pd.DataFrame(data.x.numpy(), columns=list("abc"))
    begun = counterfactuals_all(net, data, tmp_path, rows_per_shard=10, **{**asked, "rows": rows})
    next(begun), next(begun)
    begun.close()
    with pytest.raises(StudyError, match="were started differently: rows was"):
        list(counterfactuals_all(net, data, tmp_path, rows_per_shard=10, **{**asked, "rows": rows + 1}))
