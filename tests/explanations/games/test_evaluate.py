"""What every explainer that looks at coalitions must obey."""

import copy
import importlib
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from corrigible.errors import NoGradientError, RecipeError
from corrigible.explanations import explain
from corrigible.explanations.coalitions import EXPLAINERS
from corrigible.explanations.coalitions.permutation_shapley import permutation_plans_of
from corrigible.explanations.scores import SCORE_NAMES
from finite_differences import require_slope
from literal_games import COLUMNS, LABELS, Wrapped, rows, smooth_net

FEW = {"kernel_shap": {"samples": 14}, "lime": {"samples": 12}, "permutation_shapley": {"samples": 2}}
SAMPLING = ("kernel_shap", "lime", "permutation_shapley")
OTHERS = rows(5, seed=4)
ABSENT = {
    "fixed": {"baseline": 0.3},
    "marginal": {"background": OTHERS},
    "conditional": {"background": OTHERS, "absent": "conditional"},
}
every_method = pytest.mark.parametrize("method", EXPLAINERS)
PAIRS = [
    (method, absent)
    for method in EXPLAINERS
    for absent in ABSENT
    if (absent == "fixed" or method != "occlusion") and (absent != "conditional" or method != "linear_shap")
]
every_way = pytest.mark.parametrize(("method", "absent"), PAIRS)
wrapped_or_not = pytest.mark.parametrize("wrap", [lambda model: model, Wrapped], ids=["sequence", "module"])


def net(method):
    return smooth_net() if method != "linear_shap" else nn.Sequential(nn.Linear(5, 3)).double()


def explained(method, model, x, target=1, absent="fixed", **settings):
    return explain(model, x, target, method=method, **FEW.get(method, {}), **ABSENT[absent], **settings)


@every_way
def test_neither_the_order_of_the_rows_nor_their_company_matters(method, absent):
    model, x, target = net(method), rows(4), torch.tensor([0, 1, 2, 1])
    found = explained(method, model, x, target, absent)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(explained(method, model, x[order], target[order], absent), found[order])
    torch.testing.assert_close(explained(method, model, x[1:2], target[1:2], absent), found[1:2])


@pytest.mark.every(5)
@pytest.mark.parametrize("rows_at_once", [1, 5])
@every_way
def test_rows_at_once_bounds_what_the_model_sees_and_changes_nothing(method, absent, rows_at_once):
    model, x, seen = net(method), rows(2), []
    settings = {"score": "target_logit" if method == "linear_shap" else "random_projection"}
    if method != "occlusion":
        settings["groups"] = LABELS
    expected = explained(method, model, x, 1, absent, **settings)
    unwatched = explained(method, model, x, 1, absent, rows_at_once=rows_at_once, **settings)
    model.register_forward_pre_hook(lambda module, arguments: seen.append(len(arguments[0])))
    found = explained(method, model, x, 1, absent, rows_at_once=rows_at_once, **settings)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(unwatched, expected, rtol=1e-10, atol=1e-12)
    assert max(seen) <= rows_at_once


@every_method
def test_the_same_seed_gives_the_same_result_and_only_what_is_drawn_heeds_it(method):
    model = nn.Sequential(nn.Linear(8, 3)).double() if method == "linear_shap" else smooth_net(8)
    x = rows(3, 8)
    results = [explained(method, model, x, seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2]) == (method not in SAMPLING)


@every_method
def test_why_this_class_rather_than_that_is_the_difference_of_two_explanations(method):
    model, x, first, second = net(method), rows(4), torch.tensor([0, 1, 2, 1]), torch.tensor([1, 2, 0, 0])
    found = explained(method, model, x, first, against=second)
    expected = explained(method, model, x, first) - explained(method, model, x, second)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("score", SCORE_NAMES)
@pytest.mark.parametrize("method", [method for method in EXPLAINERS if method != "linear_shap"])
def test_any_score_can_be_explained(method, score):
    found = explained(method, net(method), rows(2), score=score)
    assert found.isfinite().all() and found.count_nonzero() > 0


@wrapped_or_not
@every_way
def test_the_parameter_gradient_equals_finite_differences(method, absent, wrap):
    model, x, target = net(method), rows(2), torch.tensor([2, 0])
    factors = rows(2, seed=8)

    def loss(changed, differentiable=False):
        settings = {"groups": LABELS} if method != "occlusion" else {}
        found = explained(method, wrap(changed), x, target, absent, differentiable=differentiable, **settings)
        return (found * factors).sum()

    require_slope(model, loss)


@wrapped_or_not
@every_method
def test_the_model_and_the_random_state_are_left_as_found(method, wrap):
    inner = nn.Sequential(*net(method), nn.Dropout(0.5)).train()
    model, x = wrap(inner), rows(3)
    inner[0].weight.grad = torch.ones_like(inner[0].weight)
    state, before = copy.deepcopy(model.state_dict()), (torch.get_rng_state(), x.clone())
    for differentiable in (False, True):
        found = explained(method, model, x, differentiable=differentiable)
        assert found.requires_grad == differentiable
    torch.testing.assert_close(found.detach(), explained(method, model.eval(), x), rtol=1e-10, atol=1e-12)
    model.train()
    explained(method, model, x)
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert torch.equal(torch.get_rng_state(), before[0]) and torch.equal(x, before[1])
    assert inner[0].weight.grad.eq(1).all()
    torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@every_method
def test_a_caller_who_has_switched_gradients_off_gets_the_same_result(method, context):
    model, x = net(method), rows(2)
    expected = explained(method, model, x)
    with context():
        assert torch.equal(explained(method, model, x.clone()).clone(), expected)


@every_method
def test_a_model_that_works_in_place_does_not_change_the_rows(method):
    model, x = nn.Sequential(nn.ReLU(inplace=True), *net(method)), rows(3).abs()
    before, others = x.clone(), rows(5, seed=4).abs()
    absent = {} if method == "occlusion" else {"background": others}
    explain(model, x, 1, method=method, **FEW.get(method, {}), **absent)
    assert torch.equal(x, before)
    assert torch.equal(others, rows(5, seed=4).abs())


@every_method
def test_the_columns_of_a_feature_share_its_value(method):
    model, x = net(method), rows(3)
    found = explained(method, model, x, columns=COLUMNS)
    assert torch.equal(found[:, 1], found[:, 2]) and torch.equal(found[:, 1], found[:, 3])
    if method != "occlusion":
        assert torch.equal(found, explained(method, model, x, groups=LABELS.numpy()))
        assert torch.equal(found, explained(method, model, x, groups=LABELS.tolist()))


@every_method
def test_a_single_score_that_is_a_function_of_arrays_can_be_explained(method):
    weight = np.arange(1.0, 6.0)
    found = explained(method, lambda x: x.numpy() @ weight, rows(3), None)
    exact = (rows(3) - 0.3) * torch.from_numpy(weight)
    if method == "lime":
        assert torch.corrcoef(torch.stack([found.flatten(), exact.flatten()]))[0, 1] > 0.8
    else:
        torch.testing.assert_close(found, exact)


@every_method
def test_a_classifier_of_another_library_can_be_explained(method):
    x = rows(60)
    classifier = LogisticRegression().fit(x.numpy(), (x[:, 1] > 0).long().numpy())
    if method == "linear_shap":
        found = explained(method, lambda x: classifier.decision_function(x.numpy()), x, 0)
    else:
        found = explained(method, classifier.predict_proba, x)
    assert found.abs().mean(0).argmax() == 1


@every_method
def test_a_result_that_reaches_no_parameter_is_refused(method):
    with pytest.raises(NoGradientError, match="reaches none"):
        explained(method, net(method).requires_grad_(False), rows(2), differentiable=True)


@every_method
def test_an_unknown_score_or_setting_is_refused_with_the_right_names(method):
    with pytest.raises(RecipeError, match="did you mean 'margin'"):
        explained(method, net(method), rows(2), score="margins")
    with pytest.raises(RecipeError, match="unknown setting 'scores': did you mean 'score'"):
        explained(method, net(method), rows(2), scores="margin")


class Pools(TorchDispatchMode):
    """Watches how many images at a time PyTorch's own kernel pools."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if "max_pool" in str(function):
            self.seen.append(len(args[0]))
        return function(*args, **kwargs or {})


@pytest.mark.parametrize("method", [method for method in EXPLAINERS if method != "linear_shap"])
def test_images_are_pooled_without_looking_for_the_place_of_each_maximum(method):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3)).double()
    x, settings = rows(2, 36).reshape(2, 1, 6, 6), {"rows_at_once": 50}
    if method != "occlusion":
        settings["groups"] = torch.arange(36).reshape(1, 6, 6) // 12
    explained(method, model, x, **settings)  # A first look at the model itself.
    with Pools() as pools:
        explained(method, model, x, **settings)
    assert max(pools.seen, default=0) <= 1  # A first look at the scores.
    with Pools() as pools:
        explained(method, model, x, differentiable=True, **settings)
    assert max(pools.seen) > 1


@every_method
def test_called_by_itself_it_is_what_explain_gives(method):
    model, x = net(method), rows(3)
    own = partial(EXPLAINERS[method], **FEW.get(method, {}))
    torch.testing.assert_close(own(model, x, torch.tensor([1, 1, 1]), baseline=0.3), explained(method, model, x))


@pytest.mark.parametrize("method", ["permutation_shapley", "kernel_shap", "lime"])
def test_plans_are_made_as_they_are_played_and_add_up(method, monkeypatch):
    model, x = smooth_net(12), rows(3, 12)
    expected = explain(model, x, 0, method=method, samples=40)
    home = importlib.import_module(f"corrigible.explanations.coalitions.{method}")
    monkeypatch.setattr(home, "MOST_PLANNED", 7)
    torch.testing.assert_close(explain(model, x, 0, method=method, samples=40), expected)


def test_no_plan_of_many_orders_is_ever_whole():
    plans = permutation_plans_of(50, samples=1000, seed=0)
    assert max(plan.present.numel() for plan in plans) <= 4096 * 50
