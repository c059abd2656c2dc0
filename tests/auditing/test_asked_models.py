"""What a model's answers show: reliance, flips along causes, small steps, directions and unusual input."""

import numpy as np
import pandas as pd
import pytest

from corrigible.auditing.causes import causal_model
from corrigible.auditing.columns import columns_in
from corrigible.auditing.erratic import erratic_answers
from corrigible.auditing.flips import flip
from corrigible.auditing.jumps import breaches, jumps
from corrigible.auditing.reliance import reliance_on
from corrigible.auditing.subject import Subject, subject_of
from corrigible.data.causes import checked_causes, descendants
from corrigible.errors import DataError, RecipeError, UnsupportedModelError

ROWS = 400


def asked(function) -> Subject:
    return Subject(function)


@pytest.fixture
def frame() -> pd.DataFrame:
    """Sex moves income by 2, income and sex the job; age is nobody's child."""
    rng = np.random.default_rng(0)
    sex = rng.choice(["f", "m"], ROWS)
    income = 10 + 2 * (sex == "m") + rng.normal(size=ROWS)
    job = np.where(rng.random(ROWS) < 0.3 + 0.4 * (sex == "m"), "desk", "field")
    return pd.DataFrame({"sex": sex, "income": income, "job": job, "age": rng.integers(20, 60, ROWS)})


CAUSES = {"income": ["sex"], "job": ["sex"]}


def test_reliance_is_the_mean_move_by_another_value(frame):
    model = asked(lambda x: 5 * (x.sex == "m") + x.income)
    found = reliance_on(["sex"], model, frame, model.scores(frame), 0)
    assert [found.mean, found.low, found.high, found.largest] == pytest.approx([5, 5, 5, 5]) and found.rows == ROWS
    assert {found.before, found.after} == {"f", "m"}
    assert reliance_on(["age"], model, frame, model.scores(frame), 0).largest == 0
    assert reliance_on(["same"], model, frame.assign(same=1), model.scores(frame), 0) is None


def test_a_flip_along_known_equations_moves_as_they_say(frame):
    model = asked(lambda x: 1.0 * (x.sex == "m") + 3 * x.income)
    found = flip("sex", CAUSES, model, frame, inputs=list(frame.columns), seed=0)
    effect = abs(frame.income[frame.sex == "m"].mean() - frame.income[frame.sex == "f"].mean())
    assert found.direct.mean == pytest.approx(1)
    assert found.through.mean == pytest.approx(3 * effect, rel=1e-3)
    assert found.whole.mean == pytest.approx(1 + 3 * effect, rel=1e-3)
    assert set(found.caused) == {"income", "job"}


def test_flipped_rows_keep_their_noise_and_go_back(frame):
    """A row keeps its residual and its place among the chances; the own value gives the row back."""
    model = causal_model(frame, CAUSES, "sex", 0)
    same = model.flipped(frame, frame.sex)
    pd.testing.assert_frame_equal(same, frame, check_dtype=False)
    other = model.flipped(frame, frame.sex.map({"f": "m", "m": "f"}))
    assert (other.age == frame.age).all()
    for value in "fm":
        before, after = frame[frame.sex == value], other[frame.sex == value]
        assert np.ptp(after.income - before.income) == pytest.approx(0, abs=1e-9)
        expected = (frame[frame.sex != value].job == "desk").mean()
        assert (after.job == "desk").mean() == pytest.approx(expected, abs=0.08)
        # One uniform number per row: chances that rise take no row out.
        falls, rises = ("desk", "field") if value == "m" else ("field", "desk")
        assert not ((before.job == falls) & (after.job == rises)).all()
        assert not ((before.job == rises) & (after.job == falls)).any()


@pytest.mark.slow
def test_an_attribute_that_the_model_does_not_see_acts_through_what_it_causes(frame):
    model = asked(lambda x: 3 * x.income)
    found = flip("sex", CAUSES, model, frame, inputs=["income", "job", "age"], seed=0)
    assert found.direct.largest == 0
    assert found.whole.mean == found.through.mean > 5


def test_graphs_are_checked():
    known = ["a", "b", "c"]
    assert descendants(checked_causes({"c": ["b"], "b": "a"}, known), "a") == ["b", "c"]
    with pytest.raises(RecipeError, match=r"circle: .*a.* → "):
        checked_causes({"a": ["b"], "b": ["a"]}, known)
    with pytest.raises(RecipeError, match="'d', which is no column"):
        checked_causes({"c": ["d"]}, known)
    with pytest.raises(RecipeError, match="expected a list"):
        checked_causes({"c": 3}, known)


def test_the_largest_small_step_is_where_the_price_jumps(frame):
    model = asked(lambda x: 100.0 + 50 * (x.age >= 40) + 0.01 * x.income)
    first, *others = jumps(columns_in(frame), model, frame, 0)
    assert (first.column, {first.before, first.after}) == ("age", {"39", "40"})
    assert first.largest == pytest.approx(0.5, rel=0.01) and max(jump.largest for jump in others) < 1e-4


def test_a_direction_is_broken_by_as_much_as_the_prediction_falls(frame):
    model = asked(lambda x: 0.0 + np.where(x.age < 40, x.age, 79 - x.age))
    kept, broken = breaches({"income": 1, "age": 1}, model, frame, 0)
    assert (kept.share, kept.largest) == (0, 0)
    values = np.unique(frame.age)
    prices = np.where(values < 40, values, 79 - values)
    expected = max(prices[i] - prices[j] for i in range(len(prices)) for j in range(i, len(prices)))
    assert (broken.share, broken.largest) == (1, expected)
    with pytest.raises(RecipeError, match="expected 1"):
        breaches({"age": 2}, model, frame, 0)
    with pytest.raises(DataError, match="holds categories"):
        breaches({"sex": 1}, model, frame, 0)


def test_unusual_input_is_answered_in_five_ways(frame):
    def answer(x: pd.DataFrame) -> pd.Series:
        if not x.sex.isin(["f", "m"]).all():
            raise ValueError("no such sex")
        with np.errstate(divide="ignore"):
            return x.income + 0 * x.age + np.where(x.age == 0, np.inf, 0)

    model = asked(answer)
    found = erratic_answers(columns_in(frame), model, frame, model.scores(frame), 0)
    said = {(one.column, one.given): one.answer for one in found}
    assert said["sex", "a new category"] == "an error"
    assert said["income", "an empty cell"] == "NaN"
    assert said["age", "zero"] == "infinite"
    assert said["income", "1,000 times the largest"].startswith("outside")
    assert said["job", "a new category"].startswith("within")
    assert {one.detail for one in found if one.answer == "an error"} == {"ValueError: no such sex"} or all(
        "no such sex" in one.detail for one in found if one.answer == "an error"
    )


def test_models_are_read_or_refused_in_one_line(frame):
    y = pd.Series(["no", "yes"] * (ROWS // 2))
    of = lambda model: subject_of(model, frame, y, lambda rows: rows)  # noqa: E731
    assert of(lambda x: np.full(len(x), 0.7)).scores(frame)[0] == 0.7
    assert of(lambda x: np.full(len(x), "yes")).scores(frame)[0] == 1
    assert of(lambda x: np.full((len(x), 2), [0.2, 0.8])).scores(frame).shape == (ROWS, 1)
    for model, words in (
        (3, "a int is given"),
        (lambda x: np.full(len(x), "maybe"), "predicts 'maybe'"),
        (lambda x: np.zeros(3), "shape"),
        (lambda x: np.full(len(x), np.nan), "NaN or infinity"),
        (lambda x: x.nothing, "cannot predict"),
    ):
        with pytest.raises(UnsupportedModelError, match=words):
            of(model).checked(frame)
