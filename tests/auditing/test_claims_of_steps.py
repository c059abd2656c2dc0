"""What an audit claims of directions and small steps: only what was tried, and only steps that are small."""

import numpy as np
import pandas as pd
import pytest

import corrigible
from corrigible.auditing.columns import columns_in
from corrigible.auditing.jumps import breaches, jumps
from corrigible.auditing.said_of_inputs import directions_section
from corrigible.auditing.subject import Subject
from corrigible.errors import UnsupportedModelError
from corrigible.figures import percent

ROWS = 300
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"age": RNG.integers(0, 40, ROWS), "km": RNG.random(ROWS), "same": 1.0})


def directions(model, column):
    found = breaches({column: 1}, Subject(model), FRAME, 0)
    return found[0], directions_section(found, [""] * ROWS, of_classes=False, why="").findings[0].text


def test_every_value_of_a_column_of_few_is_tried():
    found, _ = directions(lambda x: 100 + x.age - 90.0 * (x.age == 11), "age")
    assert (found.share, found.largest) == (1, 89)


def test_a_direction_says_how_much_was_tried_and_a_constant_column_is_not_measured():
    found, said = directions(lambda x: x.km, "km")
    assert (found.rows, found.values, found.num_comparisons) == (300, 33, 300 * 33 * 32 // 2)
    assert said.endswith("no breach found in 158,400 comparisons (300 rows, 33 values)")
    assert directions(lambda x: x.km, "same")[1].endswith("not measured, it holds 1 value")


def test_a_dummy_and_an_outlier_make_no_step_small():
    frame = FRAME.assign(dummy=np.arange(ROWS) % 2, cost=np.append(np.linspace(0, 100, ROWS - 1), 999_999.0))
    frame["age"] = frame.age.where(frame.index > 3, 999)
    model = Subject(lambda x: 100.0 + 50 * x.dummy + x.cost.clip(upper=100) + 100 * (x.age == 999))
    found = {jump.column: jump for jump in jumps(columns_in(frame), model, frame, 0)}
    assert found["dummy"].largest > 0.2 and not found["dummy"].is_small
    assert found["cost"].largest < 0.011 and found["cost"].is_small
    assert found["age"].largest == 0


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda x: x.age + RNG.normal(0, 30, len(x)), "when asked again"),
        (lambda x: x.age.rank() / len(x), "among fewer rows in another order"),
        (lambda x: np.arange(len(x)) * 1.0, "among fewer rows in another order"),
    ],
)
def test_answers_that_do_not_depend_on_the_row_alone_are_refused(model, words):
    with pytest.raises(UnsupportedModelError, match=words) as raised:
        corrigible.audit(model, FRAME, FRAME.km, num_resamples=0)
    assert "\n" not in str(raised.value)


def test_a_forbidden_column_that_is_the_same_everywhere_is_said():
    found = corrigible.audit(lambda x: x.km, FRAME, FRAME.age, forbidden=["same", "km"], num_resamples=0)
    assert "not measured: same, which is the same in all rows" in str(found)


def test_a_wiggle_is_told_from_a_fall_from_the_least_to_the_largest_value():
    frame = pd.DataFrame({"age": np.tile(np.arange(10.0), 5), "km": np.repeat(np.arange(5.0), 10)})

    def dips(rows):  # Falls once between, except where km is 4: there it falls all along.
        return np.where(rows.km == 4, -rows.age, rows.age - 5.0 * (rows.age == 3))

    (found,) = breaches({"age": 1}, Subject(dips), frame, 0)
    assert found.share == 1 and found.overall == 0.2
    (said,) = directions_section([found], [""] * 50, of_classes=False, why="").findings
    assert said.text.endswith(f"from the least value to the largest they fall on {percent(0.2)}")
