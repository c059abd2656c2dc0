import numpy as np
import pytest
import torch
from torch import nn

from corrigible.errors import UnsupportedModelError
from corrigible.explanations import explain
from corrigible.explanations.inputs import as_model

X = torch.tensor([[1.0, 2.0], [3.0, -1.0]])


def test_a_network_stays_what_it_is():
    model = nn.Linear(2, 2)
    assert as_model(model) is model


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[:, 0] - x[:, 1],
        lambda x: (x[:, 0] - x[:, 1])[:, None],
        lambda x: x.numpy()[:, 0] - x.numpy()[:, 1],
        lambda x: (x[:, 0] - x[:, 1]).tolist(),
        lambda x: (x[:, 0] - x[:, 1]).double(),
        lambda x: np.stack([np.zeros(len(x)), x.numpy()[:, 0] - x.numpy()[:, 1]], axis=1),
    ],
    ids=["one axis", "two axes", "array", "list", "double", "two classes"],
)
def test_scores_may_come_as_tensors_arrays_or_lists(function):
    found = explain(function, X, 1, method="feature_ablation", task="classes")
    assert found.tolist() == [[1.0, -2.0], [3.0, 1.0]]


def test_without_a_target_a_single_score_is_explained_itself_and_the_likelier_class_otherwise():
    assert explain(lambda x: -x[:, 0], X, method="feature_ablation").tolist() == [[-1.0, 0.0], [-3.0, 0.0]]
    two = explain(lambda x: torch.stack([x[:, 0], x[:, 1]], dim=1), X, method="feature_ablation")
    assert two.tolist() == [[0.0, 2.0], [3.0, 0.0]]


def test_a_function_of_tensors_can_be_explained_by_its_gradient():
    found = explain(lambda x: x[:, 0] * x[:, 1], X, method="input_gradient")
    assert found.tolist() == [[2.0, 1.0], [-1.0, 3.0]]


@pytest.mark.parametrize(
    "function", [lambda x: x.numpy().sum(1), lambda x: x.detach().sum(1), lambda x: np.zeros(len(x))]
)
def test_scores_without_a_gradient_are_refused_by_a_method_that_needs_one(function):
    with pytest.raises(UnsupportedModelError, match="scores without a gradient; choose a method that only looks at"):
        explain(function, X, method="input_gradient")


def test_an_error_of_the_function_itself_is_not_hidden():
    def faulty(x):
        raise RuntimeError("no network")

    with pytest.raises(RuntimeError, match="^no network$"):
        explain(faulty, X, method="feature_ablation")


@pytest.mark.parametrize("function", [3, "model", None])
def test_what_cannot_be_called_is_refused(function):
    with pytest.raises(UnsupportedModelError, match="expected a PyTorch network.* or a function of x"):
        as_model(function)


@pytest.mark.parametrize("result", ["a", {"a": 1}, None])
def test_results_that_are_no_scores_are_refused_in_one_line(result):
    with pytest.raises(UnsupportedModelError, match="expected scores") as refused:
        explain(lambda x: result, X, method="feature_ablation")
    assert "\n" not in str(refused.value)
