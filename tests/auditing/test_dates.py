"""Dates are moved to dates: by small steps, along directions, and to unusual ones."""

import numpy as np
import pandas as pd
import pytest

from corrigible.auditing.causes import causal_model
from corrigible.auditing.columns import column_of, columns_in
from corrigible.auditing.erratic import erratic_answers
from corrigible.auditing.jumps import breaches, jumps
from corrigible.auditing.stored import stored
from corrigible.auditing.subject import Subject

START = pd.Timestamp("2020-01-01")
RNG = np.random.default_rng(0)


def days(rows):
    assert all(str(rows[name].dtype).startswith("datetime64") for name in ("many", "few"))
    assert (rows.many == rows.many.dt.normalize()).all()
    return 1000.0 + (rows.many - START).dt.days - 2 * (rows.few - START).dt.days / 366


@pytest.fixture
def rows():
    many = START + pd.to_timedelta(RNG.permutation(200), unit="D")
    return pd.DataFrame({"many": many, "few": pd.to_datetime(RNG.choice(["2020-01-01", "2021-01-01"], 200))})


def test_steps_and_directions_of_dates_are_dates(rows):
    subject = Subject(days)
    found = {jump.column: jump for jump in jumps(columns_in(rows), subject, rows, 0)}
    assert {found["few"].before, found["few"].after} == {"2020-01-01", "2021-01-01"}
    assert abs(found["many"].predicted_after - found["many"].predicted) == pytest.approx(2)  # A hundredth of 199 days.
    kept, broken = breaches({"many": 1, "few": 1}, subject, rows, 0)
    assert kept.share == 0 and (broken.share, broken.before, broken.after) == (1, "2020-01-01", "2021-01-01")


def test_unusual_dates_are_dates(rows):
    subject = Subject(lambda x: (x.many - x.few).dt.days)
    found = erratic_answers(columns_in(rows), subject, rows, np.zeros((200, 1)), 0)
    assert [one.given for one in found[:3]] == ["an empty cell", "a date in 1700", "a date in 2250"]
    assert [one.answer for one in found[:3]] == ["NaN", *["outside the usual range"] * 2]


@pytest.mark.parametrize(
    "held",
    [
        pd.Series(pd.date_range("2020-03-27", periods=4, tz="Europe/Berlin")),
        pd.Series(pd.date_range("2020-06-01 03:00", periods=4, freq="h")).astype("datetime64[s]"),
        pd.Series(["2020-01-01", None], dtype="datetime64[ns]"),
        pd.Series([1, 2], dtype="Int64"),
        pd.Series([1, 2], dtype="int8"),
        pd.Series([0.5, None]),
    ],
)
def test_a_column_read_as_numbers_is_stored_as_it_was(held):
    pd.testing.assert_series_equal(stored(column_of(held, "held").values, held), held)


def test_a_date_that_an_attribute_causes_stays_a_date():
    """Of m it is 100 days later."""
    held = pd.DataFrame({"sex": RNG.choice(["f", "m"], 200)})
    held["start"] = START + pd.to_timedelta(RNG.integers(0, 9, 200) + 100 * (held.sex == "m"), unit="D")
    other = causal_model(held, {"start": ["sex"]}, "sex", 0).flipped(held, held.sex.map({"f": "m", "m": "f"}))
    assert other.start.dtype == held.start.dtype
    later = (other.start - held.start).dt.days[held.sex == "f"]
    assert later.between(98, 102).all()
