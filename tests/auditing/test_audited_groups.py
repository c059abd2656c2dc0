"""Groups of people in an audit: how they are cut, what is left out, and what is not measured."""

import numpy as np
import pandas as pd
import pytest

import corrigible
from corrigible.auditing.columns import column_of
from corrigible.auditing.cut_in_groups import groups_of
from corrigible.errors import DataError

ROWS = 200
RNG = np.random.default_rng(0)
X = pd.DataFrame({"age": RNG.integers(20, 60, ROWS), "km": RNG.random(ROWS)})


def audited(model, y, attribute, frame=X, **settings):
    found = corrigible.audit(model, frame, y, sensitive_features=attribute, num_resamples=0, **settings)
    return found.groups[0], [one.text for one in found.sections[1].findings]


def test_a_number_that_many_hold_is_a_group_of_its_own():
    values = np.concatenate([np.zeros(850), np.linspace(1, 38, 120), np.linspace(-9, -1, 30)])
    groups = groups_of(column_of(values, "points"))
    assert groups.levels == ("-9 to -1", "0", "1 to 38")
    assert [int((groups.values == place).sum()) for place in range(3)] == [30, 850, 120]
    quarters = groups_of(column_of(np.arange(100.0), "age"))
    assert np.unique(quarters.values, return_counts=True)[1] == pytest.approx([25] * 4, abs=1)


def test_a_model_that_adds_to_those_with_any_shows_a_gap():
    points = np.where(np.arange(ROWS) % 5 == 0, np.arange(ROWS) + 1.0, 0.0)
    frame = X.assign(points=points)
    _, said = audited(lambda x: x.age + 100.0 * (x.points > 0), X.age.to_numpy(float), "points", frame)
    assert any("the mean prediction differs between groups" in text for text in said)


def test_gaps_that_are_not_defined_and_rows_left_out_are_said():
    group = pd.Series(["f", "m", None, "m"] * (ROWS // 4), name="sex", dtype=object)
    y = ((group == "m") & (X.age > 30)).astype(int)
    found, said = audited(lambda x: x.km, y, group)
    assert found.num_unknown == ROWS // 4
    assert any("50 rows have no value of it" in text for text in said)
    assert any("equal opportunity" in text and "not measured" in text for text in said)


def test_two_single_rows_are_not_compared():
    group = pd.Series([None] * ROWS, name="sex", dtype=object)
    group[:2] = ["a", "b"]
    _, said = audited(lambda x: x.km, X.km.to_numpy(), group)
    assert "sex: no gap can be told from chance: 0 groups of at least 30 rows, and two are needed" in said


def test_amounts_of_groups_are_sums_by_exposure():
    exposure, sex = RNG.uniform(0.01, 1, ROWS), pd.Series(["f", "m"] * (ROWS // 2), name="sex")
    claims = RNG.poisson(2 * exposure)
    found, _ = audited(lambda x: 1.0 + x.km, claims, sex, exposure=exposure)
    at = (sex == "m").to_numpy()
    (group,) = [one for one in found.groups if one.name == "m"]
    assert group.label.value == pytest.approx(claims[at].sum() / exposure[at].sum())
    assert group.predicted.value == pytest.approx(np.average(1 + X.km[at], weights=exposure[at]))
    assert group.label.low < group.label.value < group.label.high
    values = {one.name: one.predicted.value for one in found.groups}
    gap = next(gap.measured.value for gap in found.gaps if gap.measured.metric == "group_mean_gap")
    assert gap == pytest.approx(abs(values["m"] - values["f"]))


def test_an_attribute_by_the_name_of_another_column_is_refused():
    values = np.array(["f", "m"] * (ROWS // 2))
    frame = X.assign(group=["p", "q", "q", "p"] * (ROWS // 4))
    for attribute, words in (
        (values, "has no name, and X has a column 'group'"),
        (pd.Series(values, name="group"), "is another than the column 'group'"),
        (pd.DataFrame(np.column_stack([values, values]), columns=["a", "a"]), "two columns 'a'"),
    ):
        with pytest.raises(DataError, match=words):
            audited(lambda x: x.km, X.km, attribute, frame)
    with pytest.raises(DataError, match="'lists' of X holds a list"):
        audited(lambda x: x.km, X.km, "group", frame.assign(lists=[[1]] * ROWS))
    bands = pd.Series(np.where(X.age > 40, "old", "young"), name="age")
    assert audited(lambda x: x.km, X.km, bands)[0].attribute == "age"
