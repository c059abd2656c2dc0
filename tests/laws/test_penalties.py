"""What every penalty must obey, on four kinds of networks."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import torch
from torch import Tensor, nn

from conftest import CASES, Case, case_named
from corrigible.declarations import declared
from corrigible.errors import NoGradientError, UnsupportedModelError
from corrigible.losses import cross_entropy
from corrigible.methods import settings_of
from corrigible.models.ensemble import Ensemble
from corrigible.models.forward import Forward
from corrigible.models.modes import frozen_norms
from corrigible.objective import objective_of, require_gradients, terms_of
from corrigible.penalties import FEEDBACK_PENALTIES, ON_REVIEWED_ROWS, PENALTIES, RELEVANCE_PENALTIES
from corrigible.types import Batch, Columns

OF_GROUPS = (*("demographic_parity", "equal_opportunity", "equalized_odds", "group_calibration", "bounded_group_loss"),)
SETTINGS: dict[str, dict[str, Any]] = {
    **{key: {"shrinkage": 0.0} for key in OF_GROUPS},
    "attribution_graph": {"edges": [[0, 1], [1, 2], [0, 3]]},
    "layer_sparsity": {"share_per_layer": 0.9, "most": 0.9},
    "kl_divergence": {"num_rows": 4},
    "no_change_evidence": {"num_rows": 4, "num_reviewed": 4},
    "zero_activation_evidence": {"num_rows": 4, "num_reviewed": 4},
}
"""What must be given, or lets a few rows show what they should: the weakest units are shut on all of them, and a group
of one row counts as it is."""
CONSTANT = {"7.bias", "9.bias", "11.bias", "hidden.bias", "block.norm2.bias", "out.bias"}
CONSTANT |= {"6.bias", "classifier.bias", "classifier.5.bias", *(f"convolutions.{n}.bias" for n in range(3))}
"""What is added behind the last layer that is not piecewise linear changes no gradient of a logit."""
UNREACHED: dict[str, Callable[[nn.Module], set[str]]] = {
    "grad_cam_overlap": lambda model: CONSTANT,
    "should_matter": lambda model: CONSTANT,
    "weight_norm": lambda model: {name for name, parameter in model.named_parameters() if parameter.ndim < 2},
    **dict.fromkeys(
        ("activation_norm", "layer_sparsity", "contrastive", "similarity_preserving"),
        lambda model: set(list(dict(model.named_parameters()))[-2:]),  # of the last layer
    ),
}
"""penalty -> parameters that its default settings cannot reach; all others must be reached."""
OF_ACTIVATIONS = {"grad_cam_overlap", "activation_evidence"}
"""Penalties that look at activations, which stay under an input that the network does not see."""
OF_PLACES = OF_ACTIVATIONS | {"should_matter", "attribution_smoothness", "attribution_graph"}
"""Penalties for which it matters where an input lies: an image's double is another image."""
WITHOUT_IMAGES = {"one_hot_table", "text_bag", "text_cnn"}
WITH_FUNCTIONS = {"batchnorm_resnet", "functional_relu", "text_cnn"}
"""Networks whose activation functions are no layers."""
OF_BAYESIAN = ("kl_divergence", "no_change_evidence", "zero_activation_evidence")
"""Penalties of networks whose weights have a distribution, which `test_bayesian_networks` tests."""
REFUSED = dict.fromkeys(["grad_cam_overlap", "activation_evidence", "attribution_smoothness"], WITHOUT_IMAGES)
REFUSED |= dict.fromkeys(["activation_norm", "layer_sparsity", "contrastive", "similarity_preserving"], WITH_FUNCTIONS)
REFUSED |= {name: set(CASES) for name in ("l0_norm", *OF_BAYESIAN)}
"""penalty -> networks that it cannot be applied to and must refuse."""


def on_networks(names: Iterable[str]) -> pytest.MarkDecorator:
    """Each penalty on each network that it applies to."""
    pairs = [(name, network) for name in names for network in CASES if network not in REFUSED.get(name, ())]
    return pytest.mark.parametrize(("name", "case"), pairs, indirect=["case"])


OF_ANY_NETWORK = [name for name in PENALTIES if REFUSED.get(name) != set(CASES)]
every_penalty = on_networks(PENALTIES)
every_penalty_on_reviewed_rows = on_networks(ON_REVIEWED_ROWS)
every_penalty_of_inputs = on_networks(name for name in FEEDBACK_PENALTIES if name not in OF_ACTIVATIONS)


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    """Each of the networks, with a teacher's features beside its rows, which are of two groups."""
    return taught(case_named(request.param))


@pytest.fixture
def smooth_case(smooth_case: Case) -> Case:
    return taught(smooth_case)


def taught(case: Case) -> Case:
    features = case.batch.x.flatten(1)[:, :4].square()
    group = (torch.arange(len(features)) // 2) % 2
    return replace(case, batch=replace(case.batch, extra={"teacher": features}, group=group))


class Blind(nn.Module):
    """Lets a network see nothing of the marked inputs."""

    def __init__(self, model: nn.Module, irrelevant: Tensor) -> None:
        super().__init__()
        self.model = model
        self.irrelevant = irrelevant

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x.masked_fill(self.irrelevant, 0.0))


class Halves(nn.Module):
    """Sees the sum of the two halves of a doubled input, so that each input and its double have the same gradient."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, dim=-1)
        return self.model(first + second)


def value(name: str, model: nn.Module, batch: Batch, **settings: Any) -> Tensor:
    if name in RELEVANCE_PENALTIES:
        batch = replace(batch, irrelevant=torch.zeros_like(batch.irrelevant), relevant=batch.irrelevant)
    if name == "local_independence":
        model = Ensemble([model, changed(model)])
    return PENALTIES[name](Forward(model, batch, seed=3), batch, **SETTINGS.get(name, {}), **settings)


def changed(model: nn.Module) -> nn.Module:
    """Another member for an ensemble, which stays as it is whatever becomes of the model."""
    other, generator = copy.deepcopy(model), torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return other.requires_grad_(False)


def taken(batch: Batch, places: list[int]) -> Batch:
    tensors = ("index", "x", "y", "irrelevant", "relevant", "group")
    extra = {name: values[places] for name, values in batch.extra.items()}
    return replace(batch, **{tensor: getattr(batch, tensor)[places] for tensor in tensors}, extra=extra)


def unmarked(batch: Batch) -> Batch:
    return replace(batch, irrelevant=torch.zeros_like(batch.x, dtype=torch.bool))


def literal_settings(penalty: Callable[..., Tensor]) -> list[dict[str, Any]]:
    hints = get_type_hints(penalty)
    choices = {name: get_args(hints[name]) for name in settings_of(penalty) if get_origin(hints[name]) is Literal}
    return [{name: choice} for name in choices for choice in choices[name]]


def doubled_columns(columns: Columns) -> Columns:
    names = columns.names + tuple(f"{name}'" for name in columns.names)
    return Columns(names, columns.feature + tuple(f"{name}'" for name in columns.feature), columns.one_hot * 2)


def reached(model: nn.Module, penalty: Tensor) -> set[str]:
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad(penalty, parameters, allow_unused=True)
    return {name for name, g in zip(names, gradients, strict=True) if g is not None and g.abs().max() > 0}


@every_penalty
def test_is_a_finite_scalar_and_above_zero_where_marked_inputs_are_used(name, case):
    found = value(name, case.model, case.batch)
    assert found.shape == ()
    assert torch.isfinite(found)
    assert name not in ON_REVIEWED_ROWS or found > 0


@every_penalty_on_reviewed_rows
def test_is_zero_when_nothing_is_marked(name, case):
    assert value(name, case.model, unmarked(case.batch)) == 0


@every_penalty_of_inputs
def test_is_zero_when_the_marked_inputs_have_no_influence(name, case):
    assert value(name, Blind(case.model, case.batch.irrelevant), case.batch) == 0


@every_penalty
@pytest.mark.every(2)
def test_gradient_alone_reaches_every_layer_it_should(name, case):
    expected = {parameter for parameter, _ in case.model.named_parameters()}
    expected -= UNREACHED[name](case.model) if name in UNREACHED else set()
    assert reached(case.model, value(name, case.model, case.batch)) == expected


@pytest.mark.parametrize("name", OF_ANY_NETWORK)
def test_gradient_equals_finite_differences(name, smooth_case):
    model, batch = smooth_case.model, smooth_case.batch
    # gradcheck moves the parameters in place, so the network sees each change. They move together in random directions,
    # and within a tolerance that a hundredth of the gradient would exceed; for the simplest penalty also one by one.
    if name == "right_reasons":
        assert torch.autograd.gradcheck(lambda *_: value(name, model, batch), tuple(model.parameters()))
    assert torch.autograd.gradcheck(
        lambda *_: value(name, model, batch), tuple(model.parameters()), fast_mode=True, atol=1e-8
    )


@pytest.mark.parametrize("margin", [60.0, 88.0, 95.0, 120.0])
@pytest.mark.parametrize("name", OF_ANY_NETWORK)
def test_gradient_is_finite_on_rows_predicted_with_certainty(name, margin, smooth_case):
    """In float32 the other classes' probabilities then have no inverse."""
    model, x = smooth_case.model.float(), smooth_case.batch.x.float()
    batch = replace(smooth_case.batch, x=x, y=torch.zeros_like(smooth_case.batch.y))
    with torch.no_grad():
        model[-1].bias.copy_(torch.tensor([margin, 0.0, 0.0]))
    scores = [{}, {"score": "target_log_prob"}] if "score" in settings_of(PENALTIES[name]) else [{}]
    for score in scores:
        found = torch.autograd.grad(value(name, model, batch, **score), list(model.parameters()), allow_unused=True)
        assert all(gradient.isfinite().all() for gradient in found if gradient is not None)


@every_penalty
@pytest.mark.every(2)
def test_neither_order_nor_repetition_of_rows_changes_anything(name, case):
    repeated = taken(case.batch, [2, 0, 3, 1, 0, 1, 2, 3])
    found, expected = value(name, case.model, repeated), value(name, case.model, case.batch)
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-13)


@on_networks(name for name in PENALTIES if name not in OF_PLACES)
@pytest.mark.every(2)
def test_inputs_of_equal_gradient_count_once(name, case):
    batch = case.batch
    columns = None if batch.columns is None else doubled_columns(batch.columns)
    marks = {mask: torch.cat([getattr(batch, mask)] * 2, dim=-1) for mask in ("irrelevant", "relevant")}
    doubled = replace(batch, x=torch.cat([batch.x / 2] * 2, dim=-1), columns=columns, **marks)
    background: dict[str, Any] = {}
    doubled_background: dict[str, Any] = {}
    if "background" in settings_of(PENALTIES[name]):  # The doubled categories sum to a half each; none stands for them.
        background, doubled_background = {"background": batch.x}, {"background": doubled.x}
    found = value(name, Halves(case.model), doubled, **doubled_background)
    torch.testing.assert_close(found, value(name, case.model, batch, **background))


@every_penalty
def test_leaves_the_model_as_it_was(name, case):
    model = case.model.train()
    next(iter(model.children())).eval()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = condition(model)
    with frozen_norms(model):
        penalty = value(name, model, case.batch)
    torch.autograd.grad(penalty, list(model.parameters()), allow_unused=True)
    after = condition(model)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


def condition(model: nn.Module) -> dict[str, Tensor]:
    """Everything about a model that a penalty might leave changed."""
    found = {f"state {name}": tensor.clone() for name, tensor in model.state_dict().items()}
    found |= {f"grad {name}": p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    found |= {f"trainable {name}": torch.tensor(p.requires_grad) for name, p in model.named_parameters()}
    for name, module in model.named_modules():
        found[f"mode {name}"] = torch.tensor(module.training)
        hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
        found[f"hooks {name}"] = torch.tensor([len(kind) for kind in hooks])
    return found


@every_penalty
def test_leaves_the_random_state_and_the_batch_as_they_were(name, case):
    batch, before = case.batch, torch.get_rng_state()
    x = batch.x.clone()
    value(name, case.model, batch)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(batch.x, x)
    assert not batch.x.requires_grad


@every_penalty
def test_refuses_a_model_whose_parameters_are_all_frozen(name, case):
    model = case.model.requires_grad_(False)
    model = Ensemble([model, changed(model)]) if name == "local_independence" else model
    (term,) = terms_of({name: {"weight": 1.0, **SETTINGS.get(name, {})}})
    batch = replace(case.batch, relevant=~case.batch.irrelevant)
    objective = objective_of(model, batch, batch, loss=cross_entropy, terms=[term], epoch=0, seed=0)
    with pytest.raises(NoGradientError, match=name):
        require_gradients(model, objective)


CHOICES = [
    (name, setting, network)
    for name in PENALTIES
    for setting in literal_settings(PENALTIES[name])
    for network in CASES
    if network not in REFUSED.get(name, set()) | (WITHOUT_IMAGES if "grad_cam" in setting.values() else set())
]


@pytest.mark.parametrize(("name", "settings", "case"), CHOICES, indirect=["case"])
@pytest.mark.every(3)
def test_every_choice_of_a_setting_works(name, settings, case):
    found = value(name, case.model, case.batch, **settings)
    assert torch.isfinite(found)
    assert reached(case.model, found)
    if name in ON_REVIEWED_ROWS:
        assert found > 0
        assert value(name, case.model, unmarked(case.batch), **settings) == 0


@pytest.mark.parametrize(
    ("name", "network"), [(name, network) for name in REFUSED for network in sorted(REFUSED[name])]
)
def test_refuses_a_network_that_it_cannot_look_into(name, network):
    refused = taught(case_named(network))
    with pytest.raises(UnsupportedModelError):
        value(name, refused.model, refused.batch)


def keeping_all(term):
    """The same penalty, declared to look at everything."""
    declares, penalty = term.declaration, term.value

    @declared(kind=declares.kind, rows=declares.rows, serves=declares.serves, looks_at="input")
    def whole(forward, batch):
        return penalty(forward, batch)

    return replace(term, method=replace(term.method, function=whole, settings={}))


@pytest.mark.every(5)
@pytest.mark.parametrize("is_shared", [False, True])
@on_networks(name for name in PENALTIES if name != "local_independence")
def test_what_a_pass_keeps_changes_no_gradient(name, case, is_shared):
    """A pass that keeps only what the penalty says that it needs teaches the same."""
    (term,) = terms_of({name: {"weight": 1.0, **SETTINGS.get(name, {})}})
    batch = replace(case.batch, relevant=case.batch.irrelevant.roll(1, -1))
    batches = (batch, None) if is_shared else (replace(batch, irrelevant=None, relevant=None), batch)
    gradients = []
    for kept in (term, keeping_all(term)):
        found = objective_of(case.model, *batches, loss=cross_entropy, terms=[kept], epoch=0, seed=2)
        gradients.append(torch.autograd.grad(found.total, list(case.model.parameters())))
    torch.testing.assert_close(*gradients)
