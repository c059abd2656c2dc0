"""Decoys: where they are, what they tell, and that they touch nothing else."""

import pytest
import torch

from corrigible.data.dataset import TensorData
from corrigible.data.decoys import ALL_CORNERS, corner_mask, corner_squares, leaking_column
from corrigible.errors import DataError
from corrigible.types import Columns

Y = torch.arange(10).repeat(20)
X = torch.rand(200, 1, 6, 7, generator=torch.Generator().manual_seed(0))


def at(corner: int, size: int) -> tuple[slice, slice]:
    """Rows and columns of a corner of a 6 x 7 image, counted from the top left."""
    top, left = [(0, 0), (0, 7 - size), (6 - size, 0), (6 - size, 7 - size)][corner]
    return slice(top, top + size), slice(left, left + size)


@pytest.mark.parametrize("corners", [(0,), (3,), (1, 2), ALL_CORNERS])
def test_squares_tell_the_class_in_these_corners_and_nothing_else_changes(corners):
    x = X.clone()
    planted = corner_squares(x, Y, informative=True, corners=corners, size=2, seed=0)
    expected = X.clone()
    irrelevant = torch.zeros_like(X, dtype=torch.bool)
    for row, digit in enumerate(Y.tolist()):
        for corner in corners:
            expected[row, :, *at(corner, 2)] = (255 - 25 * digit) / 255
            irrelevant[row, :, *at(corner, 2)] = True
    torch.testing.assert_close(planted.x, expected)
    assert torch.equal(planted.irrelevant, irrelevant)
    assert torch.equal(x, X)


def test_uninformative_squares_have_the_greys_of_random_classes():
    planted = corner_squares(X, Y, informative=False, size=2, seed=0)
    greys = planted.x[planted.irrelevant].reshape(200, 16)
    assert torch.equal(greys, greys[:, :1].expand_as(greys))
    shown = ((255 - 255 * greys[:, 0]) / 25).round().long()
    assert sorted(shown.unique().tolist()) == list(range(10))
    # 200 rows: a grey that told the class would agree 200 times, a random one about 20 times.
    assert int((shown == Y).sum()) < 50
    assert torch.equal(planted.x[~planted.irrelevant], X[~planted.irrelevant])


def test_one_per_row_uses_every_corner_and_one_at_a_time():
    planted = corner_squares(X, Y, informative=True, one_per_row=True, size=2, seed=0)
    each = torch.stack([corner_mask((1, 6, 7), corners=(corner,), size=2) for corner in ALL_CORNERS])
    matches = (planted.irrelevant[:, None] == each).flatten(2).all(dim=2)
    assert matches.sum(dim=1).eq(1).all()
    assert matches.sum(dim=0).gt(20).all()
    assert torch.equal(planted.x[~planted.irrelevant], X[~planted.irrelevant])


def test_the_seed_settles_the_draws_and_the_global_generator_is_left_alone():
    state = torch.get_rng_state()
    one = corner_squares(X, Y, informative=False, one_per_row=True, size=2, seed=1)
    same = corner_squares(X, Y, informative=False, one_per_row=True, size=2, seed=1)
    other = corner_squares(X, Y, informative=False, one_per_row=True, size=2, seed=2)
    assert torch.equal(one.x, same.x) and not torch.equal(one.x, other.x)
    assert torch.equal(state, torch.get_rng_state())


def test_the_mask_of_a_shape_is_that_of_the_planted_rows_in_every_channel():
    x = torch.zeros(2, 3, 6, 7)
    planted = corner_squares(x, torch.tensor([0, 1]), informative=True, corners=(1, 3), size=3, seed=0)
    mask = corner_mask((3, 6, 7), corners=(1, 3), size=3)
    assert torch.equal(planted.irrelevant, mask.expand(2, 3, 6, 7)) and int(mask.sum()) == 3 * 2 * 9


def test_wrong_classes_sizes_and_corners_are_refused():
    with pytest.raises(DataError, match="0 to 4"):
        corner_squares(X, Y, informative=True, num_classes=5, seed=0)
    with pytest.raises(ValueError, match="size is 7"):
        corner_mask((1, 6, 7), size=7)
    for corners in ((), (4,)):
        with pytest.raises(ValueError, match="corners are"):
            corner_mask((1, 6, 7), corners=corners)


TABLE = TensorData(
    torch.zeros(200, 2), Y, columns=Columns(("a=1", "a=2"), ("a", "a"), (True, True)), class_names=("n",)
)


def test_a_leak_is_the_class_and_a_shuffled_leak_has_the_same_values():
    leaked = leaking_column(TABLE, informative=True, noise=0.0, seed=0)
    assert torch.equal(leaked.x[:, 2], Y.float())
    shuffled = leaking_column(TABLE, informative=False, noise=0.0, seed=0).x[:, 2]
    assert torch.equal(shuffled.sort().values, Y.float().sort().values)
    assert int((shuffled == Y).sum()) < 50


def test_a_leak_is_one_more_feature_and_all_else_stays():
    leaked = leaking_column(TABLE, informative=True, seed=0)
    assert leaked.columns == Columns(("a=1", "a=2", "leak"), ("a", "a", "leak"), (True, True, False))
    assert torch.equal(leaked.x[:, :2], TABLE.x) and leaked.y is TABLE.y and leaked.class_names == ("n",)


def test_noise_is_the_standard_deviation_around_the_class():
    leaked = leaking_column(TABLE, informative=True, noise=0.5, seed=0)
    assert 0.4 < float((leaked.x[:, 2] - Y).std()) < 0.6


def test_columns_without_names_get_some_and_a_second_leak_is_refused():
    leaked = leaking_column(TensorData(torch.zeros(200, 2), Y), informative=True, seed=0)
    assert leaked.columns is not None and leaked.columns.names == ("x0", "x1", "leak")
    with pytest.raises(DataError, match="leak"):
        leaking_column(leaked, informative=True, seed=0)
