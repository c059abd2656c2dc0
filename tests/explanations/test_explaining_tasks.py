"""What is explained of each task, against definitions written out, and of a single output of which nothing is known."""

import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import CorrigibleError, DataError, RecipeError
from corrigible.explanations import explain
from corrigible.explanations.question import question_of
from corrigible.explanations.scores import TargetValue, target_logit
from corrigible.tasks import TASKS

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64)
AMOUNTS = torch.linspace(-3, 5, 6, dtype=torch.float64)
LABELS = {
    "classes": torch.tensor([0, 1, 2, 0, 1, 2]),
    "several_labels": torch.tensor([[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 1]]),
    "amounts": AMOUNTS,
    "counts": torch.tensor([0.0, 0, 1, 3, 0, 2]),
    "positive_amounts": AMOUNTS.exp(),
    "quantiles": AMOUNTS,
    "ordered_classes": torch.tensor([0, 1, 2, 3, 1, 2]),
    "ranking": AMOUNTS,
}


def task_of(name):
    return TensorData(X, LABELS[name], task=name).task


def network(num_outputs):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, num_outputs)).double()


def network_for(name):
    return network(task_of(name).num_outputs)


def expected_class(steps):
    """The probability of being above each class, added up."""
    return steps.sigmoid().cumprod(0).sum()


EXPLAINED = {
    "classes": lambda z: z.max(),
    "several_labels": lambda z: z.max(),
    "amounts": lambda z: z[0],
    "counts": lambda z: z[0],
    "positive_amounts": lambda z: z[0],
    "quantiles": lambda z: z.sort().values[1],
    "ordered_classes": expected_class,
    "ranking": lambda z: z[0],
}
"""What is explained by default of the output of one row."""
VALUE = {
    "classes": lambda z, k: z.softmax(0)[k],
    "several_labels": lambda z, k: z.sigmoid()[k],
    "amounts": lambda z, k: z[0],
    "counts": lambda z, k: z[0].exp(),
    "positive_amounts": lambda z, k: z[0].exp(),
    "quantiles": lambda z, k: z.sort().values[k],
    "ordered_classes": lambda z, k: expected_class(z),
    "ranking": lambda z, k: z[0],
}
"""The prediction in the unit of the labels."""


def test_every_task_is_tested():
    assert set(EXPLAINED) == set(VALUE) == set(LABELS) == set(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_the_gradient_is_that_of_what_the_task_explains(name):
    model = network_for(name)
    found = explain(model, X, method="input_gradient", task=task_of(name))
    for row, gradient in zip(X, found, strict=True):
        at = row.clone().requires_grad_()
        (expected,) = torch.autograd.grad(EXPLAINED[name](model(at)), at)
        torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("name", TASKS)
def test_ablation_is_the_loss_of_what_the_task_explains(name):
    model, task = network_for(name), task_of(name)
    target = question_of(model, X, task=task).target
    found = explain(model, X, method="feature_ablation", task=task)
    with torch.no_grad():
        for row, label, attribution in zip(X, target.tolist(), found, strict=True):
            for place in range(4):
                changed = row.clone()
                changed[place] = 0
                of = EXPLAINED[name] if name not in ("classes", "several_labels") else (lambda z, k=label: z[k])
                torch.testing.assert_close(attribution[place], of(model(row)) - of(model(changed)))


@pytest.mark.parametrize(("method", "settings"), [("integrated_gradients", {"steps": 200}), ("exact_shapley", {})])
@pytest.mark.parametrize("name", TASKS)
def test_values_in_the_unit_of_the_labels_are_complete(name, method, settings):
    model, task = network_for(name), task_of(name)
    found = explain(model, X, method=method, task=task, score="target_value", **settings)
    target = question_of(model, X, task=task).target.tolist()
    with torch.no_grad():
        start = model(torch.zeros(4, dtype=torch.float64))
        gain = [VALUE[name](model(row), k) - VALUE[name](start, k) for row, k in zip(X, target, strict=True)]
    torch.testing.assert_close(found.sum(dim=1), torch.stack(gain), atol=5e-3, rtol=5e-3)


def test_a_score_may_be_the_function_itself():
    task = task_of("counts")
    for score in (TargetValue(task), lambda outputs, target: outputs[:, 0].exp()):
        found = explain(network(1), X, method="kernel_shap", score=score)
        expected = explain(network(1), X, method="kernel_shap", score="target_value", task=task)
        torch.testing.assert_close(found, expected)
    single = explain(network(1), X, score=target_logit)
    assert single.any()
    torch.testing.assert_close(single, explain(network(1), X))


def test_one_class_of_several_that_have_an_order():
    task, model = task_of("ordered_classes"), network(3)
    found = explain(model, X, 3, method="exact_shapley", score="target_prob", task=task)
    with torch.no_grad():
        highest = model(X).sigmoid().prod(dim=1) - model(torch.zeros_like(X)).sigmoid().prod(dim=1)
    torch.testing.assert_close(found.sum(dim=1), highest)
    predicted = explain(model, X, method="exact_shapley", score="target_prob", task=task)
    chosen = task.logits(model(X)).argmax(dim=1)
    torch.testing.assert_close(
        predicted, explain(model, X, chosen, method="exact_shapley", score="target_prob", task=task)
    )


@pytest.mark.parametrize(
    ("method", "takes_baseline"),
    [
        ("integrated_gradients", True),
        ("deep_lift", True),
        ("gradient_x_input", False),
        ("exact_shapley", True),
        ("kernel_shap", True),
        ("permutation_shapley", True),
        ("linear_shap", True),
        ("feature_ablation", True),
    ],
)
def test_of_a_linear_regression_each_input_gets_its_weight_times_its_distance(method, takes_baseline):
    torch.manual_seed(0)
    model = nn.Linear(4, 1).double()
    start = torch.tensor([0.5, -1.0, 0.0, 2.0], dtype=torch.float64) if takes_baseline else 0.0
    settings = {"baseline": start} if takes_baseline else {}
    expected = model.weight.detach() * (X - start)
    for asked in ({}, {"target": 0}, {"task": task_of("amounts")}, {"task": task_of("amounts"), "target": 0}):
        torch.testing.assert_close(explain(model, X, method=method, **asked, **settings), expected)


@pytest.mark.parametrize(
    ("num_outputs", "settings", "error", "message"),
    [
        (1, {"target": 1}, DataError, "target of row 0 is 1; expected 0 or None, the model's only output"),
        (3, {"target": 3}, DataError, "expected 0 to 2"),
        (1, {"task": "amount"}, RecipeError, "unknown task 'amount': did you mean 'amounts'"),
        (1, {"task": "amounts"}, RecipeError, "expected 'classes' or the task of a data set"),
        (1, {"task": task_of("amounts"), "score": "target_prob"}, RecipeError, "the task 'amounts': unknown score"),
        (1, {"task": task_of("amounts"), "score": target_logit}, RecipeError, "the task 'amounts': unknown score"),
        (2, {"task": task_of("amounts")}, CorrigibleError, r"the task 'amounts' expects \(batch, 1\)"),
        (3, {"task": task_of("ordered_classes"), "target": 1}, DataError, "expected 0 or None"),
        (3, {"task": task_of("quantiles"), "method": "deep_lift"}, RecipeError, "deep_lift needs 'target_logit' or"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(num_outputs, settings, error, message):
    with pytest.raises(error, match=message) as refused:
        explain(network(num_outputs), X, **settings)
    assert "\n" not in str(refused.value)
