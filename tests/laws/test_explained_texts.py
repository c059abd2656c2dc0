"""Explaining networks for texts: every method works on (token, dimension), and words stand or fall as a whole."""

import pytest
import torch

from corrigible.errors import DataError, UnsupportedModelError
from corrigible.explanations import EXPLAINERS
from corrigible.explanations import explain as explain_inputs
from corrigible.explanations.groups import groups_of
from corrigible.explanations.words import settings_for_texts
from corrigible.models import text_bag, text_cnn

MODELS = {"text_bag": lambda: text_bag(6, 3, hidden=(5, 4)), "text_cnn": lambda: text_cnn(6, 3, filters=4)}
NOT_FOR_TEXTS = {"linear_shap", "guided_backpropagation", "grad_cam", "guided_grad_cam"}
"""For linear models, or for images and ReLUs: these refuse or work, but never answer in silence with something else."""
COMPLETE = ("integrated_gradients", "deep_lift", "permutation_shapley", "kernel_shap", "exact_shapley")
BY_WORD = ("permutation_shapley", "kernel_shap", "exact_shapley", "feature_ablation")
every_model = pytest.mark.parametrize("name", MODELS)


def explain(model, x, target, *, method, **settings):
    return explain_inputs(model, x, target, method=method, **settings_for_texts(method, settings))


def made(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, x = MODELS[name]().double().eval(), torch.randn(3, 7, 6, dtype=torch.float64)
    x[:, 5:] = 0
    return model, x


@every_model
@pytest.mark.parametrize("method", EXPLAINERS)
def test_every_method_explains_texts_or_says_that_it_cannot(method, name):
    model, x = made(name)
    try:
        found = explain(model, x, [0, 1, 2], method=method)
    except UnsupportedModelError:
        assert method in NOT_FOR_TEXTS
        return
    assert found.shape == x.shape
    assert found.isfinite().all() and found.any()


@every_model
@pytest.mark.parametrize("method", COMPLETE)
def test_the_words_add_up_to_the_score_less_that_of_no_words(method, name):
    model, x = made(name)
    settings = {"steps": 200} if method == "integrated_gradients" else {}
    found = explain(model, x, 1, method=method, score="target_logit", **settings)
    expected = (model(x) - model(0 * x))[:, 1].detach()
    torch.testing.assert_close(found.sum(dim=(1, 2)), expected, atol=2e-2, rtol=1e-3)
    assert found[:, 5:].abs().max() < 1e-9  # Padding has no part in it.


@every_model
@pytest.mark.parametrize("method", BY_WORD)
def test_all_numbers_of_a_word_are_absent_together(method, name):
    model, x = made(name)
    found = explain(model, x, 1, method=method)
    torch.testing.assert_close(found, found[..., :1].expand_as(found))


@every_model
def test_a_word_counts_as_much_as_leaving_it_out_changes_the_score(name):
    model, x = made(name)
    found = explain(model, x, 2, method="feature_ablation", score="target_logit").sum(dim=2)
    for token in range(7):
        without = x.clone()
        without[:, token] = 0
        torch.testing.assert_close(found[:, token], (model(x) - model(without))[:, 2].detach())


def test_groups_that_were_chosen_stay():
    chosen = {"groups": torch.zeros(7, 6, dtype=torch.long)}
    assert settings_for_texts("kernel_shap", chosen) == chosen
    assert settings_for_texts("input_gradient", {}) == {}


def test_only_texts_have_words_that_stand_together():
    with pytest.raises(DataError, match=r"groups='token' is for texts, .*x has shape \(1, 1, 4, 4\)"):
        groups_of(torch.zeros(1, 1, 4, 4), "token", None)
