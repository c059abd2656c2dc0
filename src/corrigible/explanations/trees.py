"""Lundberg, Erion and Lee 2018, Consistent individualized feature attribution for tree ensembles.

Computed by the package shap, an optional dependency: ``pip install 'corrigible[trees]'``.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.explanations.baselines import background_rows
from corrigible.explanations.inputs import checked_rows, checked_target


def tree_shap(
    model: Any, x: Any, target: Any = None, *, against: Any = None, background: Tensor | None = None
) -> Float[Tensor, " batch column"]:
    """Exact Shapley values of a tree, forest or gradient boosting of scikit-learn.

    The values are in units of the trees' output: probabilities of a forest, log-odds of gradient boosting, the
    prediction of a regression. They sum to the output minus its mean over the background, or over the rows that the
    trees were grown from.

    Args:
        model: a fitted model of scikit-learn, XGBoost, LightGBM or CatBoost.
        x: rows of a table, (batch, column), as a tensor or array of finite numbers.
        target: the position of a class among the model's classes, one for all rows or one per row; None for the most
            likely class, or for the score itself if the model has a single one: for a classifier it is that of class 1,
            for a regression output 0.
        against: a class, or one per row: explain why the target rather than this one.
        background: rows that stand for absent features; None for the counts of training rows stored in the trees.

    Raises:
        RecipeError: the package shap is not installed.
        UnsupportedModelError: not trees, not fitted, or trees that shap cannot explain.
        DataError: an x, target or background that does not fit.
    """
    rows = checked_rows(x, None)
    expected = getattr(model, "n_features_in_", None)
    if rows.ndim != 2 or (expected is not None and rows.shape[1] != expected):
        raise DataError(f"x has shape {tuple(rows.shape)}; expected (batch, {expected or 'column'}): rows of the table")
    data = None if background is None else background_rows(background, rows).double().cpu().numpy()
    values, means = _values_and_means(model, rows.double().cpu().numpy(), data)
    if values.shape[2] > 1:
        likeliest = (values.sum(axis=1) + means).argmax(axis=1)
    elif hasattr(model, "classes_"):
        values, likeliest = np.concatenate([0 * values, values], axis=2), 1
    else:
        likeliest = 0
    found, row = torch.from_numpy(values).to(rows), torch.arange(len(rows))
    chosen = checked_target(likeliest if target is None else target, len(rows), values.shape[2])
    if against is None:
        return found[row, :, chosen]
    return found[row, :, chosen] - found[row, :, checked_target(against, len(rows), values.shape[2])]


def _values_and_means(
    model: Any, x: NDArray[np.float64], background: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The Shapley values, (row, column, output), and the mean outputs that they are relative to, (output,)."""
    try:
        import shap
    except ImportError as error:
        raise RecipeError("tree_shap needs shap, which is not installed; pip install 'corrigible[trees]'") from error
    _check_fitted(model)
    try:
        explainer = shap.TreeExplainer(model, data=background)
    except ValueError as error:
        raise UnsupportedModelError(f"shap cannot explain this {type(model).__name__}: {error}") from error
    values = np.asarray(explainer.shap_values(x), dtype=np.float64)
    means = np.atleast_1d(np.asarray(explainer.expected_value, dtype=np.float64))
    return values.reshape(*x.shape, -1), means


def _check_fitted(model: Any) -> None:
    from sklearn.base import BaseEstimator
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if not isinstance(model, BaseEstimator):
        return
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        name = type(model).__name__
        raise UnsupportedModelError(f"this {name} is not fitted; expected fitted trees: call its fit first") from error
