"""The estimators inside scikit-learn's own tools."""

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from corrigible import TabularClassifier, TabularRegressor

N = 60
ILL = np.arange(N) % 2
X = pd.DataFrame({"age": 40 + 20 * ILL + np.arange(N) % 7, "ward": np.where(np.arange(N) % 3 == 0, "A", "B")})
Y = np.where(ILL == 1, "ill", "well")
QUICK = TabularClassifier(hidden_layer_sizes=(16,), ensemble=2, max_epochs=20, learning_rate=0.05, random_state=0)


@pytest.fixture(autouse=True)
def _training_may_end_early() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def test_a_pipeline_and_a_search() -> None:
    columns = make_column_transformer((StandardScaler(), ["age"]), remainder="passthrough")
    columns.set_output(transform="pandas")
    pipeline = make_pipeline(columns, QUICK)
    search = GridSearchCV(pipeline, {"tabularclassifier__hidden_layer_sizes": [(2,), (16,)]}, cv=2).fit(X, Y)
    assert search.best_score_ > 0.9 and search.predict(X.head(2)).tolist() == ["well", "ill"]
    assert search.best_estimator_[-1].feature_names_in_.tolist() == ["standardscaler__age", "remainder__ward"]


def test_predictions_across_folds_and_calibrated_ones() -> None:
    chances = cross_val_predict(QUICK, X, Y, cv=2, method="predict_proba")
    assert chances.shape == (N, 2) and (chances[ILL == 0, 1] > 0.5).all()
    calibrated = CalibratedClassifierCV(QUICK, cv=2).fit(X, Y)
    assert calibrated.score(X, Y) > 0.9


def test_what_stands_beside_the_labels_is_routed() -> None:
    counts, years = np.arange(N) % 3, np.linspace(0.5, 2, N)
    seen = []

    class Watching(TabularRegressor):
        def fit(self, X, y, *, sensitive_features=None, sample_weight=None, exposure=None, groups=None):  # noqa: N803
            seen.append((len(X), sensitive_features, len(sample_weight), len(exposure), len(groups)))
            return super().fit(X, y, sample_weight=sample_weight, exposure=exposure, groups=groups)

    with sklearn.config_context(enable_metadata_routing=True):
        model = Watching(task="counts", max_epochs=2, random_state=0)
        model.set_fit_request(sample_weight=True, exposure=True, groups=True).set_score_request(
            exposure=True, sample_weight=True
        )
        given = {"sample_weight": np.ones(N), "exposure": years, "groups": np.arange(N) // 2}
        scores = cross_validate(model, X, counts, params=given, cv=2)["test_score"]
    assert seen == [(N // 2, None, N // 2, N // 2, N // 2)] * 2 and np.isfinite(scores).all()
