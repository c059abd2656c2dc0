"""What every explainer that follows gradients must obey, and occlusion."""

from itertools import product

import pytest
import torch
from torch import nn
from torch.nn.functional import relu

from corrigible.errors import DataError, NoGradientError, RecipeError, UnsupportedModelError
from corrigible.explanations import EXPLAINERS, explain
from corrigible.explanations.attribution import EXPLAINERS as BY_GRADIENT
from corrigible.explanations.scores import SCORE_NAMES
from corrigible.methods import settings_of
from corrigible.models import lenet, table_mlp
from corrigible.types import Columns

COLUMNS = Columns(
    ("age", "site=a", "site=b", "site=c", "dose"),
    ("age", "site", "site", "site", "dose"),
    (False, True, True, True, False),
)


class Residual(nn.Module):
    """One block with BatchNorm and a shortcut."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.first = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = self.stem(x)
        x = self.relu(x + self.second(self.relu(self.norm(self.first(x)))))
        return self.head(x.mean(dim=(2, 3)))


class Functional(nn.Module):
    """ReLUs that are no layers."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, stride=2), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(relu(self.second(relu(self.first(x)))).mean(dim=(2, 3)))


def smooth_net():
    """Differentiable everywhere, in float64; 6×6 images, a last convolution of 3×3."""
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.Softplus(),
        nn.Conv2d(2, 3, 3, stride=2, padding=1),
        nn.Softplus(),
        nn.Flatten(),
        nn.Linear(27, 3),
    ).double()


def rectified_net():
    """The same with ReLUs."""
    net = smooth_net()
    net[1], net[3] = nn.ReLU(inplace=True), nn.ReLU()
    return net


NETS = {
    "lenet": (lenet, (1, 28, 28), None),
    "residual": (Residual, (3, 8, 8), None),
    "functional": (Functional, (1, 8, 8), None),
    "table": (lambda: table_mlp(5, 3, hidden=(8,)), (5,), COLUMNS),
}
METHODS = [*BY_GRADIENT, "occlusion"]
NEEDS_CONVOLUTION, NEEDS_RELU = ("grad_cam", "guided_grad_cam"), ("guided_backpropagation", "guided_grad_cam")
PAIRS = [
    (method, net)
    for method, net in product(METHODS, NETS)
    if net != "table" or method not in (*NEEDS_CONVOLUTION, *NEEDS_RELU)
]
SCORED = [(method, score) for method, score in product(METHODS, SCORE_NAMES) if method != "deep_lift"]
FEW = {
    "integrated_gradients": {"steps": 10},
    "smooth_grad": {"samples": 6},
    "expected_gradients": {
        "samples": 6,
        "background": torch.linspace(-1, 1, 108, dtype=torch.float64).view(3, 1, 6, 6),
    },
}


def small_net(method):
    return rectified_net() if method in NEEDS_RELU else smooth_net()


def random_score(method):
    """DeepLIFT explains logits alone."""
    return "target_logit" if method == "deep_lift" else "random_projection"


@pytest.fixture(autouse=True)
def _repeatable():
    torch.manual_seed(0)


def made(net, num_rows=3):
    make, shape, columns = NETS[net]
    model = make()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    return model, torch.randn(num_rows, *shape), columns


def snapshot(model):
    """Everything about a model that an explainer might disturb."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "modes": [module.training for module in model.modules()],
        "hooks": [len(getattr(module, hook)) for module in model.modules() for hook in hooks],
        "state": {name: value.clone() for name, value in model.state_dict().items()},
        "grad": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "random": torch.get_rng_state(),
    }


def assert_same(before, after):
    for key, value in before.items():
        torch.testing.assert_close(after[key], value, rtol=0, atol=0, msg=f"{key} changed")


@pytest.mark.parametrize(("method", "net"), PAIRS)
def test_the_result_is_a_finite_attribution_of_the_shape_of_x_that_is_not_all_zero(method, net):
    model, x, columns = made(net)
    attribution = explain(model, x, [0, 1, 2], method=method, columns=columns)
    assert attribution.shape == x.shape
    assert attribution.dtype == x.dtype
    assert attribution.isfinite().all()
    assert attribution.count_nonzero() > 0
    assert not attribution.requires_grad


def test_grad_cam_refuses_a_model_without_convolution_and_says_what_it_found():
    model, x, columns = made("table")
    with pytest.raises(UnsupportedModelError, match=r"no convolution.*found Linear, SiLU, Dropout"):
        explain(model, x, method="grad_cam", columns=columns)


@pytest.mark.parametrize("method", NEEDS_RELU)
def test_guided_methods_refuse_a_model_without_relu(method):
    with pytest.raises(UnsupportedModelError, match=r"no ReLU ran.*choose input_gradient"):
        explain(smooth_net(), torch.randn(2, 1, 6, 6), method=method)


@pytest.mark.parametrize("differentiable", [False, True])
@pytest.mark.parametrize(("method", "net"), PAIRS)
@pytest.mark.every(2)
def test_the_model_and_the_random_state_are_left_as_found(method, net, differentiable):
    model, x, columns = made(net)
    model.train()
    next(iter(model.children())).eval()
    parameters = list(model.parameters())
    parameters[0].grad = torch.ones_like(parameters[0])
    parameters[1].requires_grad_(False)
    before, rows = snapshot(model), x.clone()
    score = random_score(method)
    explain(model, x, method=method, columns=columns, differentiable=differentiable, score=score)
    EXPLAINERS[method](model, x, torch.zeros(3, dtype=torch.long), differentiable=differentiable)
    with pytest.raises(RecipeError):
        explain(model, x, method=method, score="no_such_score")
    assert_same(before, snapshot(model))
    assert torch.equal(x, rows)
    assert not x.requires_grad


@pytest.mark.parametrize(("method", "net"), PAIRS)
def test_the_model_explains_itself_in_eval_mode(method, net):
    model, x, columns = made(net)
    in_training = explain(model.train(), x, method=method, columns=columns)
    assert torch.equal(in_training, explain(model.eval(), x, method=method, columns=columns))


@pytest.mark.parametrize(("method", "score"), SCORED)
@pytest.mark.every(2)
def test_the_same_seed_gives_the_same_result_and_only_random_scores_and_draws_heed_it(method, score):
    model, x = small_net(method), torch.randn(2, 1, 6, 6, dtype=torch.float64)
    results = [explain(model, x, method=method, score=score, seed=seed, **FEW.get(method, {})) for seed in (1, 1, 2)]
    assert torch.equal(results[0], results[1])
    heeds_seed = score == "random_projection" or method in ("smooth_grad", "expected_gradients")
    assert torch.equal(results[0], results[2]) != heeds_seed


@pytest.mark.parametrize("score", ["target_logit", "random_projection"])
@pytest.mark.parametrize(("method", "net"), PAIRS)
@pytest.mark.every(2)
def test_the_order_of_the_rows_does_not_matter(method, net, score):
    model, x, columns = made(net)
    score = random_score(method) if score == "random_projection" else score
    order = torch.tensor([2, 0, 1])
    target = torch.tensor([0, 1, 2])
    straight = explain(model, x, target, method=method, columns=columns, score=score)
    reordered = explain(model, x[order], target[order], method=method, columns=columns, score=score)
    torch.testing.assert_close(reordered, straight[order], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rows_at_once", [1, 2, 7])
@pytest.mark.parametrize("method", METHODS)
def test_rows_at_once_bounds_what_the_model_sees_and_changes_nothing(method, rows_at_once):
    model, x = small_net(method), torch.randn(3, 1, 6, 6, dtype=torch.float64)
    settings = {"score": random_score(method), **FEW.get(method, {})}
    expected = explain(model, x, method=method, **settings)
    seen = []
    model.register_forward_pre_hook(lambda module, arguments: seen.append(len(arguments[0])))
    found = explain(model, x, method=method, rows_at_once=rows_at_once, **settings)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert max(seen) <= rows_at_once


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("method", METHODS)
def test_a_caller_who_has_switched_gradients_off_gets_the_same_result(method, context):
    model, x = small_net(method), torch.randn(2, 1, 6, 6, dtype=torch.float64)
    expected = explain(model, x, method=method)
    with context():
        found = explain(model, x.clone(), method=method)
    assert torch.equal(found.clone(), expected)


@pytest.mark.parametrize(("method", "net"), PAIRS)
def test_a_result_has_no_graph_unless_it_is_asked_for(method, net):
    model, x, columns = made(net)
    settings = {"columns": columns} if "columns" in settings_of(EXPLAINERS[method]) else {}
    assert not EXPLAINERS[method](model, x, torch.tensor([0, 1, 2]), **settings).requires_grad


@pytest.mark.parametrize(("method", "net"), PAIRS)
def test_a_differentiable_result_is_the_same_and_reaches_the_first_layer(method, net):
    model, x, columns = made(net)
    target = torch.tensor([0, 1, 2])
    found = explain(model, x, target, method=method, columns=columns, differentiable=True)
    torch.testing.assert_close(found.detach(), explain(model, x, target, method=method, columns=columns))
    (gradient,) = torch.autograd.grad(found.square().sum(), next(model.parameters()))
    assert gradient.isfinite().all()
    assert gradient.count_nonzero() > 0


@pytest.mark.parametrize("method", METHODS)
def test_a_differentiable_result_that_reaches_no_parameter_is_refused(method):
    model, x = small_net(method).requires_grad_(False), torch.randn(2, 1, 6, 6, dtype=torch.float64)
    with pytest.raises(NoGradientError, match="none of the model's 0 trainable parameters"):
        explain(model, x, method=method, differentiable=True)
    model[5].requires_grad_(True)
    assert explain(model, x, method=method, differentiable=True).requires_grad


class Unused(nn.Module):
    """A layer that does not take part."""

    def __init__(self, model):
        super().__init__()
        self.model, self.unused = model.requires_grad_(False), nn.Linear(2, 2)

    def forward(self, x):
        return self.model(x)


@pytest.mark.parametrize("method", METHODS)
def test_parameters_that_the_output_does_not_depend_on_do_not_count_as_reached(method):
    x = torch.randn(2, 1, 6, 6, dtype=torch.float64)
    with pytest.raises(NoGradientError, match="none of the model's 2 trainable parameters"):
        explain(Unused(small_net(method)), x, method=method, differentiable=True)


@pytest.mark.parametrize("method", METHODS)
def test_an_unknown_score_or_setting_is_refused_with_the_right_names(method):
    model, x = small_net(method), torch.randn(2, 1, 6, 6)
    meant = "target_logit" if method == "deep_lift" else "did you mean 'margin'"
    with pytest.raises(RecipeError, match=meant):
        explain(model, x, method=method, score="margins")
    with pytest.raises(RecipeError, match="unknown setting 'scores': did you mean 'score'"):
        explain(model, x, method=method, scores="margin")


@pytest.mark.parametrize("method", [method for method in METHODS if method not in (*NEEDS_CONVOLUTION, *NEEDS_RELU)])
def test_two_classes_ask_why_the_one_rather_than_the_other(method):
    model, x = small_net(method), torch.randn(3, 1, 6, 6, dtype=torch.float64)
    target, against = torch.tensor([0, 1, 2]), torch.tensor([2, 0, 1])
    both = [explain(model, x, classes, method=method, score="target_logit") for classes in (target, against)]
    found = explain(model, x, target, against=against, method=method, score="target_logit")
    torch.testing.assert_close(found, both[0] - both[1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_a_single_example_is_refused_in_one_clear_line(method):
    with pytest.raises(DataError, match=r"x has shape \(1, 28, 28\).*cannot be multiplied.*batch axis") as refused:
        explain(lenet(), torch.randn(1, 28, 28), method=method)
    assert "\n" not in str(refused.value)
