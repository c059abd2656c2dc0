"""scikit-learn's own checks of both estimators, without expected failures."""

import warnings
from collections.abc import Iterator

import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import (
    check_dtype_object,
    check_estimator,
    check_estimators_pickle,
    check_fit_idempotent,
    check_methods_subset_invariance,
    check_regressors_int,
    check_sample_weight_equivalence_on_dense_data,
    check_supervised_y_2d,
)

from corrigible import TabularClassifier, TabularRegressor

QUICK = (
    check_dtype_object,
    check_estimators_pickle,
    check_fit_idempotent,
    check_methods_subset_invariance,
    check_sample_weight_equivalence_on_dense_data,
    check_supervised_y_2d,
)


@pytest.fixture(autouse=True)
def _training_may_end_early() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@pytest.mark.parametrize("check", QUICK, ids=lambda check: check.__name__)
def test_a_classifier_passes(check) -> None:
    check("TabularClassifier", TabularClassifier(ensemble=2, max_epochs=3, learning_rate=0.01))


@pytest.mark.parametrize(
    "check", [check_regressors_int, check_sample_weight_equivalence_on_dense_data], ids=lambda check: check.__name__
)
def test_a_regressor_passes(check) -> None:
    check("TabularRegressor", TabularRegressor(ensemble=2, max_epochs=3, learning_rate=0.01))


@pytest.mark.slow
@pytest.mark.parametrize(
    "estimator",
    [TabularClassifier(max_epochs=30, learning_rate=0.02), TabularRegressor(max_epochs=30, learning_rate=0.02)],
    ids=lambda estimator: type(estimator).__name__,
)
def test_every_check_passes(estimator: BaseEstimator) -> None:
    results = check_estimator(estimator, on_skip=None)
    assert len(results) > 50
    skipped = {result["check_name"] for result in results if result["status"] != "passed"}
    assert skipped <= {"check_array_api_input"}  # It needs an environment variable.
