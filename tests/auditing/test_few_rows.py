"""Few rows and rare groups: what they show is found, what they cannot show is said, and chance is no concern."""

import numpy as np
import pandas as pd
import pytest

import corrigible
from corrigible.auditing.flips import flip
from corrigible.auditing.subject import Subject
from corrigible.errors import DataError


def proxies(frame, attribute):
    y = np.arange(len(frame), dtype=float)
    found = corrigible.audit(lambda x: x.age, frame, y, sensitive_features=attribute, num_resamples=0)
    return found, next(part for part in found.sections if part.key == "proxies")


@pytest.mark.parametrize(("rows", "rare"), [(60, 30), (600, 20)])
def test_a_copy_of_the_attribute_is_a_concern_however_rare_the_group(rows, rare):
    rng = np.random.default_rng(0)
    is_rare = rng.permutation(rows) < rare
    X = pd.DataFrame({"age": rng.normal(size=rows), "copy": is_rare.astype(float)})
    found, part = proxies(X, pd.Series(np.where(is_rare, "m", "f"), name="sex"))
    assert found.proxies[0].told.low > 0.9 and found.proxies[0].alone_by_chance < 0.1
    assert sum("copy" in one.text for one in part.findings if one.is_concern) == 2  # Together, and alone.


def test_what_tells_nothing_alone_is_no_concern():
    rng = np.random.default_rng(1)
    X = pd.DataFrame({"age": rng.normal(size=60), "other": rng.choice(list("abcdefgh"), 60)})
    assert proxies(X, pd.Series(["f", "m"] * 30, name="sex"))[1].num_concerns == 0


def test_a_group_of_too_few_rows_is_not_measured():
    X = pd.DataFrame({"age": np.arange(40.0), "same": 1.0, "empty": np.nan})
    _, part = proxies(X, pd.Series(["f"] * 37 + ["m"] * 3, name="sex"))
    assert "m 3 rows" in part.not_measured and "at least 10" in part.not_measured
    _, part = proxies(X[["age"]].assign(sex=["f", "m"] * 20), "sex")
    assert not part.not_measured
    _, part = proxies(X.assign(age=1.0), pd.Series(["f", "m"] * 20, name="sex"))
    assert any("not measured: no other column could tell sex" in one.text for one in part.findings)


def test_a_class_of_few_rows_is_not_told_apart_from_the_others():
    rng = np.random.default_rng(5)
    group = np.append(rng.choice(list("abc"), 297, p=[0.5, 0.3, 0.2]), ["d"] * 3)
    X = pd.DataFrame({"age": rng.normal(size=300), "copy": group == "b"})
    found, _ = proxies(X, pd.Series(group, name="place"))
    areas = found.proxies[0].told
    assert areas.high - areas.low < 0.2  # One row of the class d would move the mean of the areas by up to a quarter.


def rows_of(sex, effect, rng):
    frame = pd.DataFrame({"sex": sex, "age": rng.integers(20, 60, len(sex)) + 5 * (sex == "m")})
    return frame.assign(km=frame.age / 10 + effect * (sex == "m") + rng.normal(size=len(sex)))


def flipped(frame, causes):
    return flip("sex", {"km": causes}, Subject(lambda x: x.km), frame, inputs=["sex", "age", "km"], seed=0)


@pytest.mark.parametrize(("rows", "rare", "causes"), [(30, 15, ["sex"]), (300, 15, ["sex", "age"])])
@pytest.mark.slow
def test_an_effect_on_few_rows_or_of_a_rare_group_is_found(rows, rare, causes):
    rng = np.random.default_rng(2)
    found = flipped(rows_of(np.where(rng.permutation(rows) < rare, "m", "f"), 10, rng), causes)
    assert found.through.mean == pytest.approx(10, rel=0.15) and found.through.mean > 2 * found.through_by_chance


def test_a_flip_without_effect_moves_no_more_than_chance():
    rng = np.random.default_rng(3)
    found = flipped(rows_of(rng.choice(["f", "m"], 300), 0, rng), ["sex", "age"])
    assert 0 < found.through.mean < 1.1 * found.through_by_chance
    assert found.direct.mean == 0


def test_a_flip_that_cannot_be_learned_is_refused():
    rng = np.random.default_rng(4)
    sex = np.array(["f"] * 36 + ["m"] * 4)
    with pytest.raises(DataError, match="4 rows m; a flip needs two groups of at least 10 rows"):
        flipped(rows_of(sex, 1, rng), ["sex"])
    with pytest.raises(DataError, match="sex causes km, which has a value in 0 rows"):
        flipped(rows_of(np.array(["f", "m"] * 20), 1, rng).assign(km=np.nan), ["sex"])
