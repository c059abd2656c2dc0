"""Estimators with several sensitive features, and gaps that they enforce."""

import numpy as np
import pandas as pd
import pytest
import torch

from corrigible import Feedback, TabularClassifier, TabularRegressor
from corrigible.errors import DataError, RecipeError
from corrigible.protocols.fairness import enforced

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"hidden_layer_sizes": (8,), "ensemble": 1, "max_epochs": 4, "learning_rate": 0.01, "random_state": 0}
QUICK = {"epochs": 4, "batch_size": 64, "progress": False}


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enforced, "NUM_RESAMPLES", 10)


def people(num_rows: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    draws = np.random.default_rng(seed)
    beside = pd.DataFrame(
        {
            "sex": draws.choice(["f", "m"], num_rows),
            "born": draws.choice(["here", "there", None], num_rows, p=[0.6, 0.39, 0.01]),
            "age": draws.uniform(18, 80, num_rows),
        }
    )
    x = pd.DataFrame(
        {"hours": draws.normal(size=num_rows) + 1.2 * (beside["sex"] == "m"), "luck": draws.normal(size=num_rows)}
    )
    y = (x.sum(axis=1) + draws.normal(size=num_rows) > 0.5).to_numpy()
    return x, y, beside


@pytest.fixture(scope="module")
def fitted() -> TabularClassifier:
    x, y, beside = people(600)
    return TabularClassifier(**SMALL).fit(x, y, sensitive_features=beside)


def gap_of(model: TabularClassifier, x: pd.DataFrame, sex: "pd.Series[str]") -> float:
    decided = model.predict(x)
    return abs(decided[sex == "m"].mean() - decided[sex == "f"].mean())


def test_several_columns_form_groups_and_stand_each_by_itself(fitted):
    _, _, beside = people(600)
    data = fitted._rows.data
    assert data.group_names[:3] == ("f, here", "f, missing", "f, there") and len(data.group_names) == 6
    assert [data.group_names[group] for group in data.group[:50]] == [
        f"{sex}, {born if isinstance(born, str) else 'missing'}"
        for sex, born in beside[["sex", "born"]][:50].to_numpy()
    ]
    assert set(data.extra) == {"sex", "born", "age"} and data.extra["sex"].dtype == torch.int64
    np.testing.assert_allclose(data.extra["age"].numpy(), beside["age"], rtol=1e-6)


def test_a_gap_is_enforced_without_the_attribute(fitted):
    x, _, beside = people(600)
    found = fitted.enforce(gap=0.1, sensitive="sex", **QUICK)
    assert gap_of(fitted, x, beside["sex"]) > 0.25 > 0.15 > gap_of(found, x, beside["sex"])
    assert "demographic_parity of sex (positive: True): asked for a gap of 0.1" in str(found.enforced_)
    assert not hasattr(fitted, "enforced_")


def test_rows_to_judge_by_are_given_as_a_frame(fitted):
    x, y, beside = people(500, seed=1)
    found = fitted.enforce(
        "equal_opportunity", gap=0.3, X=x, y=y, sensitive_features=beside["sex"], sensitive=None, **QUICK
    )
    assert found.enforced_.before[0].count == 500


@pytest.mark.slow
def test_what_is_enforced_is_saved(fitted, tmp_path):
    x, _, _ = people(600)
    found = fitted.enforce(gap=0.15, sensitive="sex", **QUICK)
    found.save(tmp_path / "kept")
    loaded = TabularClassifier.load(tmp_path / "kept")
    assert str(loaded.enforced_) == str(found.enforced_)
    np.testing.assert_array_equal(loaded.predict_proba(x), found.predict_proba(x))
    found.seal(tmp_path / "sealed")
    assert TabularClassifier.load(tmp_path / "sealed").enforced_.asked == 0.15


@pytest.mark.slow
def test_prices_still_sum_to_the_labels():
    x, _, beside = people(600)
    claims = np.random.default_rng(2).poisson(np.exp(0.3 * x["hours"] - 1))
    model = TabularRegressor(task="counts", **SMALL).fit(x, claims, sensitive_features=beside[["sex"]])
    found = model.enforce(gap=0.1, sensitive="sex", **QUICK)
    assert found.predict(x).sum() == pytest.approx(claims.sum(), rel=1e-4)
    assert found.enforced_.has_reached


def test_what_cannot_be_enforced_is_refused(fitted):
    x, y, beside = people(600)
    alone = TabularClassifier(**SMALL).fit(x, y)
    with pytest.raises(
        DataError, match="enforce needs groups in the rows of fit: give sensitive_features to fit, too$"
    ):
        alone.enforce()
    with pytest.raises(DataError, match="to fit, too; those given here are of the rows that judge"):
        alone.enforce(X=x, y=y, sensitive_features=beside)
    with pytest.raises(DataError, match="X and y came without sensitive_features; give those of these rows too"):
        fitted.enforce(X=x, y=y)
    named = TabularClassifier(**SMALL).fit(x, y, sensitive_features=beside["sex"])
    assert named.enforce(gap=1.0, sensitive="sex").enforced_.sensitive == "sex"
    corrected = fitted.correct([Feedback("luck", scope="dataset")], epochs=1, progress=False)
    with pytest.raises(RecipeError, match="is corrected, and training on may undo it; do both: correct"):
        corrected.enforce(gap=0.1)
    with pytest.raises(DataError, match="age of row 3 is missing or infinite; expected a number in each row"):
        TabularClassifier(**SMALL).fit(
            x, y, sensitive_features=beside.assign(age=beside["age"].where(beside.index != 3))
        )
    with pytest.raises(DataError, match="a sensitive attribute is called 'exposure'"):
        TabularClassifier(**SMALL).fit(x, y, sensitive_features=beside.rename(columns={"sex": "exposure"}))
    with pytest.raises(DataError, match="sensitive_features has shape .5, 3.; expected"):
        TabularClassifier(**SMALL).fit(x, y, sensitive_features=beside[:5])
