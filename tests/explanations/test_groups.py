import logging

import pytest
import torch

from corrigible.errors import DataError, RecipeError
from corrigible.explanations import explain
from corrigible.explanations.groups import by_group, default_segments, groups_of, numbered_anew, shared_evenly
from corrigible.explanations.segments import grid_segments, slic_segments
from corrigible.types import Columns

COLUMNS = Columns(("a=0", "b", "a=1"), ("a", "b", "a"), (True, False, True))


def test_without_groups_they_are_the_features_or_else_every_input():
    assert groups_of(torch.zeros(2, 2, 2), None, None).tolist() == [[[0, 1], [2, 3]]]
    assert groups_of(torch.zeros(2, 3), None, COLUMNS).tolist() == [[0, 1, 0]]


def test_groups_are_given_for_one_row_or_for_each():
    x = torch.zeros(2, 3)
    assert groups_of(x, torch.tensor([1, 1, 0]), COLUMNS).tolist() == [[1, 1, 0]]
    assert groups_of(x, torch.tensor([[1, 1, 0], [0, 0, 0]]), None).tolist() == [[1, 1, 0], [0, 0, 0]]


def test_columns_of_another_table_are_refused():
    with pytest.raises(DataError, match=r"x has shape \(2, 4\); expected \(batch, 3\)"):
        groups_of(torch.zeros(2, 4), None, COLUMNS)


def test_hand_worked_sums_and_shares():
    attribution = torch.tensor([[1.0, 2.0, 4.0], [1.0, -1.0, 3.0]])
    assert by_group(attribution, torch.tensor([1, 0, 1])).tolist() == [[2.0, 5.0], [-1.0, 4.0]]
    assert by_group(attribution, [[0, 0, 0], [0, 1, 2]]).tolist() == [[7.0, 0.0, 0.0], [1.0, -1.0, 3.0]]
    assert by_group(attribution, torch.tensor([1, 0, 1]), num_groups=3).tolist() == [[2.0, 5.0, 0.0], [-1.0, 4.0, 0.0]]
    assert shared_evenly(torch.tensor([[6.0, 4.0]]), torch.tensor([[1, 0, 1]])).tolist() == [[2.0, 6.0, 2.0]]


def test_what_is_shared_evenly_sums_to_the_groups_value_again():
    labels = torch.tensor([[[0, 2], [1, 2]], [[1, 1], [1, 0]]])
    values = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 0.0]])
    assert torch.equal(by_group(shared_evenly(values, labels), labels), values)


def test_gaps_in_the_numbers_are_closed_row_by_row_and_the_order_stays():
    labels = torch.tensor([[5, 0, 5, 2], [3, 3, 3, 3], [0, 1, 2, 3]])
    assert numbered_anew(labels).tolist() == [[2, 0, 2, 1], [0, 0, 0, 0], [0, 1, 2, 3]]


@pytest.mark.parametrize(("name", "expected"), [("grid", lambda x: grid_segments(x, size=4)), ("slic", slic_segments)])
def test_images_can_be_cut_by_name(name, expected):
    x = torch.rand(2, 1, 28, 28)
    found = groups_of(x, name, None)
    assert torch.equal(found.expand_as(x), expected(x).expand_as(x))


def test_a_name_is_refused_where_there_is_nothing_to_cut():
    with pytest.raises(RecipeError, match="did you mean 'grid'"):
        groups_of(torch.rand(2, 1, 8, 8), "grids", None)
    with pytest.raises(DataError, match=r"cuts images.*shape \(2, 5\)"):
        groups_of(torch.rand(2, 5), "slic", None)
    with pytest.raises(DataError, match="expected their numbers"):
        by_group(torch.rand(2, 1, 8, 8), "grid")


@pytest.mark.parametrize(
    ("shape", "most", "count"),
    [
        ((3, 28, 28), 256, 49),
        ((1, 24, 24), 16, 16),
        ((1, 16, 16), 256, None),
        ((12, 1000), 256, 12),
        ((1, 1000), 256, 49),
        ((2, 12, 12, 12), 256, 27),
        ((300,), 256, None),
    ],
)
def test_rows_of_many_inputs_are_cut_into_segments_which_is_said(shape, most, count, caplog):
    with caplog.at_level(logging.WARNING, logger="corrigible"):
        found = default_segments(torch.zeros(2, *shape), most)
    if count is None:
        assert found is None and not caplog.records
    else:
        assert found.shape == shape and found.unique().tolist() == list(range(count))
        assert found[0].unique().numel() == count or len(shape) == 2
        assert f"in {count} segments; give groups" in caplog.text


def test_a_large_picture_is_explained_in_segments_unless_groups_are_given():
    x = torch.rand(1, 1, 18, 18, generator=torch.Generator().manual_seed(0))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(324, 2))
    default = explain(model, x, 0, method="kernel_shap", samples=100)
    segments = default_segments(x, 256)
    assert torch.equal(default, explain(model, x, 0, method="kernel_shap", samples=100, groups=segments))
    single = explain(model, x, 0, method="permutation_shapley", samples=1, groups=torch.arange(324).view(1, 18, 18))
    assert single.unique().numel() > 49


def test_fewer_samples_than_groups_are_said(caplog):
    with caplog.at_level(logging.WARNING, logger="corrigible"):
        explain(torch.nn.Linear(40, 2), torch.ones(1, 40), 0, method="lime", samples=30)
    assert "30 samples cannot tell 40 groups apart" in caplog.text
