"""The axioms tell explainers apart, and so do the textbook's counterexamples."""

import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.explanations import EXPLAINERS, explain
from corrigible.explanations.trust import axiom_cases as cases
from corrigible.explanations.trust.axioms import AXIOMS, axiom_markdown, axiom_table, check_axioms

ALL = set(AXIOMS)
KNOWN = {
    "input_gradient": {"implementation_invariance", "dummy", "linearity", "symmetry"},
    "gradient_x_input": {"implementation_invariance", "dummy", "linearity", "symmetry"},
    "integrated_gradients": ALL,
    "exact_shapley": ALL,
    "kernel_shap": ALL,
    "deep_lift": ALL - {"implementation_invariance"},
    "occlusion": ALL - {"completeness"},
    "guided_backpropagation": {"symmetry"},
}
"""Which axioms each method satisfies, by theory."""


@pytest.fixture(scope="module")
def table():
    return axiom_table(steps=50, tolerance=0.1)


@pytest.mark.parametrize("method", ["input_gradient", "gradient_x_input"])
def test_the_gradient_of_1_minus_relu_of_1_minus_x_is_0_at_2_although_the_score_rose_by_1(method):
    case = cases.saturated()
    assert case.model(torch.tensor([[0.0], [2.0]], dtype=torch.float64)).flatten().tolist() == [0, 1]
    assert explain(case.model, case.x, method=method).item() == 0
    assert explain(case.model, case.x, method="integrated_gradients").item() == pytest.approx(1, abs=0.02)
    (missed,) = check_axioms(method, axioms=["sensitivity"])
    assert not missed.holds
    assert missed.where == "input 0 alone changes the score by 1"


def test_the_textbooks_twins_compute_the_same_but_are_explained_otherwise_by_deep_lift():
    case = cases.twins()
    grid = torch.cartesian_prod(*[torch.linspace(-4, 4, 17, dtype=torch.float64)] * 2)
    assert torch.equal(case.model(grid), case.twin(grid))
    for method, first, second in (
        ("integrated_gradients", [1.5, -0.5], [1.5, -0.5]),
        ("deep_lift", [1.5, -0.5], [2.0, -1.0]),
    ):
        settings = {"steps": 300} if method == "integrated_gradients" else {}
        for model, expected in ((case.model, first), (case.twin, second)):
            found = explain(model, case.x, method=method, **settings)[0].tolist()
            assert found == pytest.approx(expected, abs=0.01)


def test_what_is_known_about_the_built_in_networks_is_true():
    torch.manual_seed(0)
    x = torch.randn(50, 3, dtype=torch.float64)
    cancelled, exchangeable = cases.cancelled(), cases.exchangeable()
    assert torch.allclose(cancelled.model(x[:, :2]), x[:, :1].relu())
    assert torch.allclose(exchangeable.model(x), exchangeable.model(x[:, [1, 0, 2]]))


@pytest.mark.parametrize("method", KNOWN)
@pytest.mark.every(3)
def test_every_method_satisfies_what_theory_says_and_nothing_else(table, method):
    assert {result.axiom for result in table[method] if result.holds} == KNOWN[method]


@pytest.mark.parametrize("method", EXPLAINERS)
def test_every_explainer_stands_in_the_table_with_an_answer_to_every_axiom(table, method):
    assert [result.axiom for result in table[method]] == list(AXIOMS)
    assert all(result.holds is not None for result in table[method])


def test_grad_cam_is_tested_on_images_instead(table):
    assert "convolutional" in table["grad_cam"][0].tested
    assert not next(result for result in table["grad_cam"] if result.axiom == "implementation_invariance").holds


def test_the_table_is_written_as_markdown_with_notes(table):
    text = axiom_markdown(table)
    lines = text.splitlines()
    assert lines[0] == "| method | " + " | ".join(axiom.replace("_", " ") for axiom in AXIOMS) + " |"
    assert "| `integrated_gradients` | yes | yes | yes | yes | yes | yes |" in lines
    assert "| `gradient_x_input` | no (1) | no (2) | yes | yes | yes | yes |" in lines
    assert "1. On 1 − ReLU(1 − x), one input changed at a time (1 row)." in lines


def cheat(model, x, target):
    """Says what the first row of weights says, whatever the model computes."""
    return next(model.parameters()).flatten()[: x[0].numel()].expand(len(x), -1) * x


def test_a_users_own_explainer_is_found_out():
    results = {
        result.axiom: result for result in check_axioms(cheat, axioms=["completeness", "implementation_invariance"])
    }
    assert results["completeness"].method == "cheat"
    assert not results["completeness"].holds
    assert not results["implementation_invariance"].holds


def test_an_explainer_that_gives_nothing_misses_what_happens():
    results = {result.axiom: result for result in check_axioms(lambda model, x, target: torch.zeros_like(x))}
    assert {axiom for axiom, result in results.items() if result.holds} == ALL - {"sensitivity", "completeness"}
    assert results["completeness"].violation == pytest.approx(1)


def image_model():
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 3)
    return nn.Sequential(*layers).double(), torch.rand(2, 1, 8, 8, dtype=torch.float64)


def test_integrated_gradients_hold_on_a_users_model_and_the_gradient_is_not_complete():
    model, x = image_model()
    results = check_axioms("integrated_gradients", model, x, steps=20, tolerance=0.05)
    assert all(result.holds for result in results)
    gradient = {result.axiom: result for result in check_axioms("input_gradient", model, x)}
    assert {axiom for axiom, result in gradient.items() if result.holds} >= KNOWN["input_gradient"]
    assert not gradient["completeness"].holds
    assert gradient["completeness"].violation > 0.5


def test_a_violation_is_measured_by_hand():
    linear = nn.Linear(2, 1, bias=False).double()
    linear.weight.data = torch.tensor([[2.0, 1.0]], dtype=torch.float64)
    x = torch.tensor([[1.0, 1.0]], dtype=torch.float64)

    def half(model, x, target):
        return explain(model, x, target, method="gradient_x_input") * torch.tensor([1.0, *[0.5] * (x.shape[1] - 1)])

    results = {result.axiom: result for result in check_axioms(half, linear, x)}
    assert results["completeness"].violation == pytest.approx(0.5 / 3)
    assert results["completeness"].where == "row 0 sums to 2.5, the score changes by 3"
    assert results["sensitivity"].violation == 0
    # Of two copies, each is worth half of the input: 1 and 0.25 against 0.5 and 0.25.
    assert results["symmetry"].violation == pytest.approx(0.5)
    assert results["dummy"].holds
    assert results["linearity"].holds


def test_a_baseline_and_a_background_say_what_nothing_means():
    torch.manual_seed(0)
    model, x = (
        nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double(),
        torch.randn(3, 4, dtype=torch.float64),
    )
    background = torch.randn(5, 4, dtype=torch.float64)
    for given in ({"baseline": 2.0}, {"background": background}):
        (found,) = check_axioms("exact_shapley", model, x, axioms=["completeness"], **given)
        assert found.violation < 1e-9
    sensitivity, *_ = check_axioms("exact_shapley", model, x, background=background)
    assert sensitivity.holds is None
    assert "a single baseline" in sensitivity.tested
    with pytest.raises(RecipeError, match="'integrated_gradients' has no background"):
        check_axioms("integrated_gradients", model, x, background=background)
    with pytest.raises(RecipeError, match="both a baseline and a background"):
        check_axioms("exact_shapley", model, x, background=background, baseline=0.0)


def test_a_named_layer_is_found_inside_the_networks_that_tests_build():
    model, x = image_model()
    results = check_axioms("grad_cam", model, x, layer="0", axioms=["dummy", "linearity", "symmetry"])
    assert all(result.holds is not None for result in results)


def test_a_score_that_is_not_linear_in_the_logits_is_not_tested_for_linearity():
    (found,) = check_axioms("input_gradient", score="target_log_prob", axioms=["linearity"])
    assert found.holds is None
    assert "not linear in the logits" in found.tested


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"axioms": ["dumy"]}, "unknown axiom 'dumy': did you mean 'dummy'"),
        ({"steps": 3}, "unknown setting 'steps'"),
        ({"groups": torch.zeros(4, dtype=torch.long)}, "leave out 'groups'"),
        ({"score": "random_projection"}, "another function for every row"),
        ({"model": nn.Linear(2, 2)}, "without rows"),
    ],
)
def test_what_cannot_be_tested_is_refused(arguments, message):
    with pytest.raises(RecipeError, match=message):
        check_axioms("input_gradient", **arguments)


def test_a_method_that_cannot_explain_the_model_at_all_is_an_error():
    with pytest.raises(UnsupportedModelError, match="no convolution"):
        check_axioms("grad_cam", nn.Linear(3, 2), torch.randn(2, 3))


def test_a_regression_is_tested_as_its_task_says():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)).double(), torch.randn(4, 3).double()
    plain = {found.axiom: found for found in check_axioms("exact_shapley", model, x)}
    assert all(found.holds for found in plain.values())
    assert "output 0" in plain["linearity"].tested
    task = TensorData(x, torch.arange(4.0), task="counts").task
    rates = {found.axiom: found for found in check_axioms("exact_shapley", model, x, task=task, score="target_value")}
    assert rates["completeness"].holds and rates["dummy"].holds
    assert rates["linearity"].holds is None
