import numpy as np
import pytest
import torch

from corrigible.errors import DataError, RecipeError
from corrigible.explanations.surrogates._samples import samples_of

SETTINGS = {"around": None, "columns": None, "samples": 400, "width": 0.75, "seed": 0, "rows_at_once": None}


def rows(count=40):
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(0))


def first(x):
    return x[:, 0]


def test_no_row_of_the_data_serves_two_parts(monkeypatch):
    monkeypatch.setattr("corrigible.explanations.surrogates._synthetic.NOISE", 0.0)
    drawn = samples_of(first, rows().double(), **SETTINGS)
    parts = [
        {place: set(part.x[:, place]) for place in range(3)} for part in (drawn.growing, drawn.stopping, drawn.held_out)
    ]
    for place in range(3):
        assert not parts[0][place] & parts[1][place]
        assert not (parts[0][place] | parts[1][place]) & parts[2][place]
    assert [len(part.x) for part in (drawn.growing, drawn.stopping, drawn.held_out)] == [200, 100, 100]


def test_the_answers_are_the_models():
    drawn = samples_of(first, rows(), **SETTINGS)
    np.testing.assert_allclose(drawn.held_out.outputs[:, 0], drawn.held_out.x[:, 0])
    assert (drawn.held_out.predicted == (drawn.held_out.x[:, 0] > 0)).all()


def test_neither_the_order_of_rows_nor_chunks_matter():
    whole = samples_of(first, rows(), **SETTINGS)
    turned = samples_of(first, rows().flip(0), **SETTINGS | {"rows_at_once": 7})
    other = samples_of(first, rows(), **SETTINGS | {"seed": 1})
    assert np.array_equal(whole.held_out.x, turned.held_out.x)
    assert not np.array_equal(whole.held_out.x, other.held_out.x)


@pytest.mark.parametrize(
    ("x", "settings", "error", "message"),
    [
        (rows(7), {}, DataError, "x has 7 rows; expected at least 8"),
        (torch.zeros(9, 2, 2), {}, DataError, "surrogates are for tables"),
        (torch.full((9, 2), torch.nan), {}, DataError, "NaN"),
        (rows(), {"around": torch.zeros(4)}, DataError, r"around has shape \(4,\); expected \(3,\)"),
        (rows(), {"samples": 10}, RecipeError, "^samples is 10; expected at least 32$"),
        (rows(), {"width": 0.0}, RecipeError, "^width is 0.0; expected a number above 0$"),
    ],
)
def test_what_does_not_fit_is_refused(x, settings, error, message):
    with pytest.raises(error, match=message):
        samples_of(first, x, **SETTINGS | settings)


LEVELS = torch.randint(3, (200, 4), generator=torch.Generator().manual_seed(0)).float()
MANY = torch.randn(200, 100, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            rows(200),
            "nothing but copies of it lies near to the row .* expected points with values of other rows: give a",
        ),
        (LEVELS, "nothing but copies of it lies near to the row"),
        (
            MANY,
            "only [0-9]+ points in effect lie near to the row .* expected at least 30: give a row nearer to the data",
        ),
    ],
)
def test_a_row_far_away_from_the_data_is_refused(x, message):
    settings = SETTINGS | {"samples": 4000}
    for place in range(3):
        assert samples_of(first, x, **settings | {"around": x[place]}).around is not None
    with pytest.raises(DataError, match=message):
        samples_of(first, x, **settings | {"around": x[3] + 50})
