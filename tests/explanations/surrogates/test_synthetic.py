import numpy as np
import pytest

from corrigible.explanations.surrogates._synthetic import MOST_LEVELS, NEIGHBOURS, NOISE, points_of, space_of
from corrigible.types import Columns

COLUMNS = Columns(("a", "b=0", "b=1", "b=2", "few"), ("a", "b", "b", "b", "few"), (False, True, True, True, False))


def rows(count=60):
    rng = np.random.default_rng(0)
    category = np.eye(3)[rng.integers(3, size=count)]
    return np.column_stack([5 * rng.standard_normal(count), category, rng.integers(4, size=count)])


def drawn(x, count=500, around=None, width=0.75):
    rng = np.random.default_rng(1)
    return points_of(x, count, space_of(x, COLUMNS), around=around, width=width, rng=rng)


@pytest.mark.parametrize("around", [None, rows()[3]])
def test_categories_stay_categories_and_few_levels_stay_levels(around):
    x = drawn(rows(), around=around).x
    assert set(np.unique(x[:, 1:4])) == {0.0, 1.0}
    assert (x[:, 1:4].sum(axis=1) == 1).all()
    assert set(x[:, 4]) <= set(rows()[:, 4])


@pytest.mark.parametrize("around", [None, rows()[3]])
def test_numbers_get_noise_within_the_range_of_the_data(around):
    x, data = drawn(rows(), around=around).x[:, 0], rows()[:, 0]
    assert len(np.unique(x)) > 300
    assert data.min() <= x.min() < x.max() <= data.max()
    assert np.isclose(space_of(rows(), COLUMNS).noise[0], NOISE * data.std())


def test_everywhere_each_point_mixes_a_row_with_one_of_its_nearest(monkeypatch):
    monkeypatch.setattr("corrigible.explanations.surrogates._synthetic.NOISE", 0.0)
    data = rows()
    scaled = data / space_of(data, COLUMNS).scale
    near = np.square(scaled[:, None] - scaled).sum(axis=2).argsort(axis=1)[:, : NEIGHBOURS + 1]
    points = drawn(data, 60)
    exchanged = 0
    for point in points.x:
        made_of = {
            (row, donor)
            for row in range(len(data))
            for donor in near[row]
            if all(
                (point[part] == data[row, part]).all() or (point[part] == data[donor, part]).all()
                for part in ([0], [1, 2, 3], [4])
            )
        }
        assert made_of
        exchanged += not (point == data).all(axis=1).any()
    assert exchanged > 10
    assert np.allclose(points.weight, 1 / 60)


def test_around_a_row_points_count_by_their_proximity():
    data = rows()
    center, sd = data[3], data.std(axis=0)
    points = drawn(data, 50, around=center, width=0.5)
    kernel = []
    for point in points.x:
        numbers = [((point[place] - center[place]) / sd[place]) ** 2 for place in (0, 4)]
        is_other = float((point[1:4] != center[1:4]).any())
        kernel.append(np.exp(-(sum(numbers) + is_other) / (0.5**2 * 3)))
    np.testing.assert_allclose(points.weight, np.array(kernel) / np.sum(kernel))


def test_the_narrower_the_kernel_the_nearer_the_points():
    data = rows()
    spread = [np.abs(drawn(data, around=data[3], width=width).x[:, 0] - data[3, 0]).mean() for width in (0.1, 1.0)]
    assert spread[0] < spread[1] / 2


def test_far_from_the_data_some_points_still_count():
    far = rows()[3] + np.array([1e6, 0, 0, 0, 0])
    assert np.isclose(drawn(rows(), around=far).weight.sum(), 1)


def test_more_levels_than_a_few_get_noise():
    x = np.column_stack([np.arange(MOST_LEVELS + 1.0), *np.zeros((4, MOST_LEVELS + 1))])
    assert (space_of(x, COLUMNS).noise > 0).tolist() == [True, False, False, False, False]
