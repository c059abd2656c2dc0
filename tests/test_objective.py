"""What a step minimises: mean label loss plus weight × penalty, from one pass per batch."""

import math
import sys
from dataclasses import replace
from types import ModuleType

import pytest
import torch
from torch import nn

from corrigible.declarations import declared
from corrigible.errors import NoGradientError, RecipeError, TrainingDivergedError
from corrigible.losses import cross_entropy
from corrigible.models.forward import Forward
from corrigible.models.modes import frozen_norms
from corrigible.objective import objective_of, parameter_gradient, require_gradients, terms_of
from corrigible.penalties import gradient_size, right_reasons

L1 = {"score": "summed_log_prob", "norm": "l1"}


def objective(case, terms, *, epoch=0, reviewed=True, loss=cross_entropy, **changes):
    batch = replace(case.batch, irrelevant=None, relevant=None, **changes)
    rows = case.batch if reviewed else None
    return objective_of(case.model, batch, rows, loss=loss, terms=terms, epoch=epoch, seed=5)


def named(term, name):
    """The same term under another name."""
    return replace(term, method=replace(term.method, name=name))


def worst(forward, batch):
    return forward.logits.sum() * torch.inf


@declared(rows="labelled")
def odd(forward, batch):
    return forward.logits.sum() * torch.nan


def cut(forward, batch):
    return forward.logits.detach().square().mean()


def test_total_is_the_mean_label_loss_plus_the_weighted_penalties(case):
    found = objective(case, terms_of({"right_reasons": {"weight": 3.0, **L1}, "gradient_size": 0.5}))
    forward = Forward(case.model, case.batch, seed=5)
    label_losses = nn.functional.cross_entropy(case.model(case.batch.x), case.batch.y, reduction="none")
    reasons, size = right_reasons(forward, case.batch, **L1), gradient_size(forward, case.batch)
    torch.testing.assert_close(found.label_losses, label_losses)
    torch.testing.assert_close(dict(found.penalties), {"right_reasons": reasons, "gradient_size": size})
    torch.testing.assert_close(found.total, label_losses.mean() + 3.0 * reasons + 0.5 * size)


def test_rows_count_by_their_weight(case):
    weight = torch.tensor([1.0, 0.0, 2.0, 5.0], dtype=torch.float64)
    found = objective(case, (), weight=weight)
    losses = found.label_losses.tolist()
    expected = sum(w * loss for w, loss in zip(weight.tolist(), losses, strict=True)) / 8.0
    assert math.isclose(found.total.item(), expected)


def test_penalties_on_the_same_rows_share_one_pass(case):
    calls = []
    case.model.register_forward_hook(lambda *_: calls.append(1))
    (reasons,) = terms_of({"right_reasons": 1.0})
    (size,) = terms_of({"gradient_size": 1.0})
    terms = [reasons, named(reasons, "again"), size, named(size, "again on all rows")]
    assert len(objective(case, terms).penalties) == 4
    assert len(calls) == 2


def test_a_penalty_of_weight_0_is_not_computed(case):
    calls = []
    case.model.register_forward_hook(lambda *_: calls.append(1))
    plain = objective(case, ()).total
    calls.clear()
    found = objective(case, terms_of({"right_reasons": 0, "gradient_size": lambda epoch: 0.0}))
    assert torch.equal(found.total, plain)
    assert found.penalties == {}
    assert len(calls) == 1


def test_feedback_penalties_rest_without_reviewed_rows(case):
    found = objective(case, terms_of({"right_reasons": 2.0}), reviewed=False)
    assert torch.equal(found.total, objective(case, ()).total)
    assert found.penalties == {}


@pytest.mark.parametrize(("training", "num_passes"), [(False, 1), (True, 2)])
def test_marked_label_batches_stand_in_for_reviewed_rows(training, num_passes, resnet_case):
    """One pass serves both, except where BatchNorm mixes the rows of the label pass."""
    model, batch, calls = resnet_case.model.train(training), resnet_case.batch, []
    model.register_forward_hook(lambda *_: calls.append(1))
    terms = terms_of({"right_reasons": 2.0})
    found = objective_of(model, batch, None, loss=cross_entropy, terms=terms, epoch=0, seed=5)
    assert len(calls) == num_passes
    with frozen_norms(model):
        expected = right_reasons(Forward(model, batch, seed=5), batch)
    torch.testing.assert_close(found.penalties["right_reasons"], expected)
    torch.testing.assert_close(found.total, found.label_losses.mean() + 2.0 * expected)


def test_a_scheduled_weight_is_that_of_the_epoch(case):
    terms = terms_of({"gradient_size": lambda epoch: 10.0 * epoch})
    totals = [objective(case, terms, epoch=epoch).total for epoch in range(3)]
    penalty = objective(case, terms, epoch=1).penalties["gradient_size"]
    for epoch in range(3):
        torch.testing.assert_close(totals[epoch], totals[0] + 10 * epoch * penalty)


def test_reviewed_rows_neither_move_nor_feel_batch_statistics(resnet_case):
    model = resnet_case.model.train()
    reference = objective_statistics(model, resnet_case, ())
    assert all(map(torch.equal, objective_statistics(model, resnet_case, ("right_reasons",)), reference))
    assert not torch.equal(reference[0], dict(model.named_buffers())["norm.running_mean"])
    found = objective(resnet_case, terms_of({"right_reasons": 1.0})).penalties["right_reasons"]
    with frozen_norms(model):
        expected = right_reasons(Forward(model, resnet_case.batch, seed=5), resnet_case.batch)
    torch.testing.assert_close(found, expected)


def objective_statistics(model, case, names) -> list[torch.Tensor]:
    """The buffers after one objective; the model gets its old ones back."""
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    objective(case, terms_of(dict.fromkeys(names, 1.0)))
    found = [buffer.clone() for buffer in model.buffers()]
    model.load_state_dict(state)
    return found


@pytest.mark.parametrize(
    ("penalties", "loss", "message"),
    [
        ({}, lambda f, b: f.logits[:, 0] * torch.nan, r"label loss nan\); lower the learning rate or weight"),
        ({worst: 1.0}, cross_entropy, "label loss .*, worst -?inf"),
        ({odd: 1.0}, cross_entropy, "odd nan"),
    ],
)
def test_a_part_that_is_not_finite_is_named(penalties, loss, message, smooth_case):
    with pytest.raises(TrainingDivergedError, match=message):
        objective(smooth_case, terms_of(penalties), loss=loss)


@pytest.mark.parametrize(
    ("penalties", "message"),
    [
        ({"right_reason": 1.0}, "unknown penalty 'right_reason': did you mean 'right_reasons'"),
        ({"right_reasons": {"weight": 1.0, "norn": "l1"}}, "penalty 'right_reasons': unknown setting 'norn'.*'norm'"),
        ({"right_reasons": {"weight": 1.0, "norm": "l3"}}, "expected one of 'l2', 'l1'"),
        ({"right_reasons": {"norm": "l1"}}, "has weight None; expected a number of at least 0"),
        ({"right_reasons": -1}, "has weight -1"),
        ({"right_reasons": True}, "has weight True"),
        ({"right_reasons": "auto"}, "has weight 'auto'"),
        ({"right_reasons": math.nan}, "has weight nan"),
        ({"right_reasons": {"weight": math.inf}}, "has weight inf"),
    ],
)
def test_other_penalties_and_weights_are_refused(penalties, message):
    with pytest.raises(RecipeError, match=message):
        terms_of(penalties)


def test_a_users_own_penalty_sees_the_reviewed_rows(monkeypatch, case):
    module = ModuleType("own_penalties")
    module.marked = lambda forward, batch, *, scale=1.0: forward.logits.mean() * batch.irrelevant.sum() * scale
    monkeypatch.setitem(sys.modules, "own_penalties", module)
    found = objective(case, terms_of({"own_penalties:marked": {"weight": 1.0, "scale": 2.0}}))
    expected = case.model(case.batch.x).mean() * case.batch.irrelevant.sum() * 2.0
    torch.testing.assert_close(found.penalties["own_penalties:marked"], expected)


def test_parameter_gradient_is_none_where_there_is_no_path(smooth_case):
    model = smooth_case.model
    model[5].bias.requires_grad_(False)
    value = model[0](smooth_case.batch.x).square().sum()
    gradients = parameter_gradient(model, value)
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    assert [name for name, g in zip(names, gradients, strict=True) if g is not None] == ["0.weight", "0.bias"]
    again = parameter_gradient(model, value)
    assert torch.equal(gradients[0], again[0])
    assert all(p.grad is None for p in model.parameters())


def test_parameter_gradient_of_a_constant_is_none_everywhere(smooth_case):
    assert parameter_gradient(smooth_case.model, torch.tensor(1.0)) == [None] * 6


def test_a_penalty_that_reaches_no_parameter_is_refused(smooth_case):
    good = terms_of({"right_reasons": 1.0})
    require_gradients(smooth_case.model, objective(smooth_case, good))
    with pytest.raises(NoGradientError, match=r"penalty 'cut' does not reach.*detach"):
        require_gradients(smooth_case.model, objective(smooth_case, [*good, *terms_of({cut: 1.0})]))
