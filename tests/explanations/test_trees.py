import sys
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression

from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.explanations.trees import tree_shap
from literal_games import filled_value, rows, shapley_by_orders

X = rows(60, 4)
TWO = (X[:, 0] + X[:, 1] > 0).long().numpy()
THREE = (X[:, 0] > -0.5).long().numpy() + (X[:, 1] > 0.5).long().numpy()


@pytest.fixture
def shap():
    return pytest.importorskip("shap")


@pytest.fixture
def forest():
    return RandomForestClassifier(5, max_depth=3, random_state=0).fit(X.numpy(), THREE)


def test_without_the_package_shap_it_says_how_to_install_it(monkeypatch, forest):
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(RecipeError, match=r"needs shap, which is not installed; pip install 'corrigible\[trees\]'"):
        tree_shap(forest, X)


@pytest.mark.slow
def test_with_a_background_they_are_the_shapley_values_by_definition(shap, forest):
    background, target = X[50:55], torch.tensor([2, 0])
    found = tree_shap(forest, X[:2], target, background=background)
    assert found.dtype == X.dtype
    for row, label, attribution in zip(X[:2], target.tolist(), found, strict=True):

        def score(point, label=label):
            return forest.predict_proba(point[None].numpy())[0, label]

        value = partial(filled_value, score, row, torch.arange(4), others=background)
        torch.testing.assert_close(attribution.tolist(), shapley_by_orders(value, 4), atol=1e-6, rtol=1e-5)


def test_without_one_they_sum_to_the_probability_less_the_share_among_the_rows_the_trees_know(shap):
    forest = RandomForestClassifier(5, max_depth=3, bootstrap=False, random_state=0).fit(X.numpy(), THREE)
    found = tree_shap(forest, X[:6], 1)
    expected = forest.predict_proba(X[:6].numpy())[:, 1] - (THREE == 1).mean()
    np.testing.assert_allclose(found.sum(1).numpy(), expected, atol=1e-6)


def test_the_likeliest_class_is_explained_unless_another_is_named(shap, forest):
    likeliest = forest.predict_proba(X[:8].numpy()).argmax(1)
    assert torch.equal(tree_shap(forest, X[:8]), tree_shap(forest, X[:8], likeliest))
    contrast = tree_shap(forest, X[:8].numpy(), 2, against=0)
    torch.testing.assert_close(contrast, tree_shap(forest, X[:8], 2) - tree_shap(forest, X[:8], 0))


@pytest.mark.parametrize("kind", [GradientBoostingClassifier, HistGradientBoostingClassifier])
def test_a_single_log_odds_is_that_of_class_1(shap, kind):
    model = kind(random_state=0, max_depth=2).fit(X.numpy(), TWO)
    found, log_odds = tree_shap(model, X[:5]), model.decision_function(X[:5].numpy())
    assert torch.equal(found, tree_shap(model, X[:5], 1, against=0))
    rest = log_odds - found.sum(1).numpy()
    np.testing.assert_allclose(rest, rest[0], atol=1e-5)


def test_a_regressions_prediction_is_explained(shap):
    model = RandomForestRegressor(5, max_depth=3, bootstrap=False, random_state=0).fit(X.numpy(), X[:, 0].numpy() * 3)
    found = tree_shap(model, X[:5].float())
    assert found.dtype == torch.float32
    expected = model.predict(X[:5].numpy()) - 3 * X[:, 0].mean().item()
    np.testing.assert_allclose(found.sum(1).numpy(), expected, atol=1e-5)
    assert torch.equal(tree_shap(model, X[:5].float(), 0), found)
    with pytest.raises(DataError, match="target of row 0 is 1; expected 0 or None, the model's only output"):
        tree_shap(model, X[:6], 1)


def test_what_does_not_fit_is_refused_in_one_line(shap, forest):
    linear = LogisticRegression().fit(X.numpy(), TWO)
    with pytest.raises(UnsupportedModelError, match="shap cannot explain this LogisticRegression"):
        tree_shap(linear, X)
    with pytest.raises(UnsupportedModelError, match="this RandomForestClassifier is not fitted; expected fitted trees"):
        tree_shap(RandomForestClassifier(), X)
    with pytest.raises(DataError, match=r"x has shape \(60, 3\); expected \(batch, 4\)"):
        tree_shap(forest, X[:, :3])
    with pytest.raises(DataError, match="target of row 0 is 3; expected 0 to 2"):
        tree_shap(forest, X, 3)
    with pytest.raises(DataError, match="the background has shape"):
        tree_shap(forest, X, background=X[:, :2])
