"""One pass, shared: what it shows, how often it runs, and what it refuses."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError
from corrigible.explanations.scores import SCORES, target_log_prob
from corrigible.models.centring import centred
from corrigible.models.forward import Forward
from corrigible.outputs import class_logits
from corrigible.types import Batch, Columns


def rows(x: Tensor, **others) -> Batch:
    return Batch(torch.arange(len(x)), x, torch.zeros(len(x), dtype=torch.long), **others)


def chain(*, inplace: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(inplace=inplace), nn.Linear(5, 3))


@pytest.fixture
def batch() -> Batch:
    return rows(torch.randn(6, 4, generator=torch.Generator().manual_seed(0)))


def test_runs_the_model_once_and_only_when_looked_at(batch):
    model, calls = chain(), []
    model.register_forward_hook(lambda *_: calls.append(1))
    forward = Forward(model, batch)
    assert calls == []
    _ = forward.logits, forward.log_probs, forward.activation("1"), forward.layers
    forward.input_gradient(target_log_prob, batch.y)
    assert calls == [1]


def test_log_probs_are_the_logs_of_the_softmax(batch):
    forward = Forward(chain(), batch)
    exponentials = forward.logits.exp()
    torch.testing.assert_close(forward.log_probs.exp(), exponentials / exponentials.sum(1, keepdim=True))


def test_activation_is_what_the_layer_gave(batch):
    model = chain()
    forward = Forward(model, batch)
    assert torch.equal(forward.activation("0"), model[0](batch.x))
    assert torch.equal(forward.activation("1"), model[:2](batch.x))
    assert torch.equal(forward.activation("2"), forward.logits)
    assert forward.layers == ("0", "1", "2")


def test_activation_lies_between_input_and_logits(batch):
    model = chain()
    forward = Forward(model, batch)
    score = forward.logits[:, 1].sum()
    hidden = forward.gradient(score, forward.activation("0"))
    torch.testing.assert_close(hidden @ model[0].weight, forward.gradient(score, forward.x))


def test_activation_of_a_layer_called_twice_is_the_last(batch):
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(self.layer(x))

    model = Twice()
    assert torch.equal(Forward(model, batch).activation("layer"), model.layer(model.layer(batch.x)))


def test_unknown_layer_is_refused_naming_the_layers_there_are(batch):
    with pytest.raises(UnsupportedModelError, match=r"no layer 'conv'.*0, 1, 2"):
        Forward(chain(), batch).activation("conv")


def test_layer_overwritten_in_place_is_refused(batch):
    forward = Forward(chain(inplace=True), batch)
    with pytest.raises(UnsupportedModelError, match=r"overwritten in place.*inplace=False"):
        forward.activation("0")
    assert torch.equal(forward.activation("1"), chain()[:2](batch.x))


def test_hooks_are_gone_after_the_pass_and_after_an_error(batch):
    model = chain()
    _ = Forward(model, batch).logits
    with pytest.raises(RuntimeError):
        _ = Forward(model, rows(torch.randn(2, 9))).logits
    assert all(not module._forward_hooks for module in model.modules())


def test_leaves_the_rows_alone(batch):
    forward = Forward(chain(), batch)
    forward.input_gradient(target_log_prob, batch.y).sum().backward()
    assert not batch.x.requires_grad
    assert batch.x.grad is None


def test_without_tracking_the_logits_still_reach_the_parameters(batch):
    model = chain()
    forward = Forward(model, batch, track_input=False)
    assert not forward.x.requires_grad
    forward.logits.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_pass_inside_no_grad_still_has_gradients(batch):
    model = chain()
    with torch.no_grad():
        forward = Forward(model, batch)
        assert forward.logits.requires_grad
        found = forward.input_gradient(target_log_prob, batch.y)
    torch.testing.assert_close(found, Forward(model, batch).input_gradient(target_log_prob, batch.y))


@pytest.mark.parametrize("shape", [(6,), (6, 1)])
def test_a_single_logit_means_two_classes(shape):
    z = torch.linspace(-2, 2, 6).reshape(shape)
    logits = class_logits(z)
    assert logits.shape == (6, 2)
    torch.testing.assert_close(logits.softmax(1)[:, 1], z.flatten().sigmoid())


@pytest.mark.parametrize("output", [torch.zeros(2, 3, 4), torch.tensor(1.0), (torch.zeros(2, 3),)])
def test_other_outputs_are_refused(output):
    with pytest.raises(
        UnsupportedModelError, match=r"with places|expected \(batch,\) or \(batch, num_outputs\)|expected scores as one"
    ):
        class_logits(output)


@pytest.mark.parametrize("score", SCORES.values(), ids=list(SCORES))
def test_input_gradient_equals_a_loop_over_rows(score, case):
    gradient = Forward(case.model, replace(case.batch, columns=None)).input_gradient(score, case.batch.y)
    for row in range(len(case.batch.x)):
        x = case.batch.x[row : row + 1].clone().requires_grad_()
        (expected,) = torch.autograd.grad(score(case.model(x), case.batch.y[row : row + 1])[0], x)
        torch.testing.assert_close(gradient[row], expected[0])


def test_input_gradient_is_computed_once_per_score_and_target(batch, monkeypatch):
    backwards, grad = [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: backwards.append(1) or grad(*a, **k))
    forward, other = Forward(chain(), batch), torch.ones(6, dtype=torch.long)
    first = forward.input_gradient(target_log_prob, batch.y)
    assert forward.input_gradient(target_log_prob, batch.y) is first
    assert len(backwards) == 1
    assert not torch.equal(forward.input_gradient(target_log_prob, other), first)
    assert len(backwards) == 2
    forward.input_gradient(SCORES["margin"], batch.y)
    assert len(backwards) == 3


def test_input_gradient_of_short_lived_targets_is_never_mistaken(batch):
    forward = Forward(chain(), batch)
    for label in (0, 1, 2) * 3:
        found = forward.input_gradient(target_log_prob, torch.full((6,), label))
        expected = Forward(chain(), batch).input_gradient(target_log_prob, torch.full((6,), label))
        assert torch.equal(found, expected)


def test_gradient_is_zero_where_independent(batch):
    forward = Forward(nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3)), batch)
    unrelated = torch.ones(3, requires_grad=True)
    assert torch.equal(forward.gradient(unrelated.sum(), forward.x), torch.zeros_like(batch.x))
    assert torch.equal(forward.gradient(torch.tensor(2.0), forward.x), torch.zeros_like(batch.x))


def test_gradient_can_be_differentiated_unless_told_otherwise(batch):
    forward = Forward(nn.Sequential(nn.Linear(4, 3), nn.Softplus()), batch)
    assert forward.input_gradient(target_log_prob, batch.y).requires_grad
    assert not forward.input_gradient(target_log_prob, batch.y, create_graph=False).requires_grad


def test_centring_follows_the_definition(table_case):
    columns, x = table_case.batch.columns, table_case.batch.x
    gradient = torch.randn(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = gradient.clone()
    for row in range(len(x)):
        for category in ("site", "sex"):
            places = [i for i, feature in enumerate(columns.feature) if feature == category]
            mean = sum(gradient[row, i] for i in places) / len(places)
            for i in places:
                expected[row, i] = gradient[row, i] - mean
    torch.testing.assert_close(centred(gradient, columns), expected)


def test_centring_leaves_a_table_without_categories_alone():
    gradient = torch.randn(3, 2)
    assert torch.equal(centred(gradient, None), gradient)
    assert torch.equal(centred(gradient, Columns(("a", "b"), ("a", "b"), (False, False))), gradient)


def test_a_number_beside_a_category_of_the_same_feature_is_not_centred():
    columns = Columns(("dose", "dose=none", "dose=some"), ("dose",) * 3, (False, True, True))
    found = centred(torch.tensor([[5.0, 1.0, 3.0]]), columns)
    assert torch.equal(found, torch.tensor([[5.0, -1.0, 1.0]]))


def test_a_constant_moved_between_a_category_and_the_bias_changes_no_input_gradient(table_case):
    """Both networks say the same about every row that exists."""
    model, batch = table_case.model, table_case.batch
    before = Forward(model, batch)
    expected = before.input_gradient(target_log_prob, batch.y)
    logits = before.logits.detach()
    with torch.no_grad():
        model[0].weight[:, 1:4] += 0.7
        model[0].bias -= 0.7
    after = Forward(model, batch)
    torch.testing.assert_close(after.logits.detach(), logits)
    torch.testing.assert_close(after.input_gradient(target_log_prob, batch.y), expected)


def test_draws_belong_to_the_seed_and_the_row(batch):
    draws = Forward(chain(), batch, seed=5).normal("noise", 2, 3)
    assert draws.shape == (6, 2, 3)
    assert draws.dtype == batch.x.dtype
    reordered = Forward(chain(), replace(batch, index=batch.index.flip(0)), seed=5)
    assert torch.equal(reordered.normal("noise", 2, 3), draws.flip(0))
    assert not torch.equal(Forward(chain(), batch, seed=6).normal("noise", 2, 3), draws)


def test_counts_its_rows(batch):
    assert Forward(chain(), batch).num_rows == 6


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_rows_come_in_the_precision_of_the_model(dtype):
    forward = Forward(nn.Linear(4, 3).to(dtype), rows(torch.randn(2, 4)))
    assert forward.logits.dtype == forward.input_gradient(target_log_prob, forward.batch.y).dtype == dtype


def test_a_model_that_works_on_its_input_in_place_is_differentiated_and_leaves_the_rows_alone():
    class Shifting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            x -= 1.0
            return x**2

    x = torch.randn(2, 3)
    forward = Forward(Shifting(), rows(x.clone()))
    gradient = forward.input_gradient(SCORES["target_logit"], forward.batch.y)
    assert torch.equal(forward.batch.x, x)
    assert torch.allclose(gradient[:, 0], 2 * (x[:, 0] - 1))
    assert not gradient[:, 1:].any()


def test_attention_can_be_differentiated_twice():
    attention = nn.MultiheadAttention(4, 2, batch_first=True)

    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = attention

        def forward(self, x: Tensor) -> Tensor:
            return self.attention(x, x, x, need_weights=False)[0].mean(dim=1)

    forward = Forward(Attending(), rows(torch.randn(2, 3, 4)))
    forward.input_gradient(target_log_prob, forward.batch.y).square().sum().backward()
    assert attention.in_proj_weight.grad is not None
    assert attention.in_proj_weight.grad.any()


def test_without_gradients_nothing_is_kept_and_no_graph_is_built(batch):
    with torch.no_grad():
        forward = Forward(chain(), batch, track_input=False)
        assert not forward.logits.requires_grad
        assert forward.layers == ()


def test_a_pass_beside_has_the_rows_at_other_points_with_their_draws(case):
    forward = Forward(case.model, case.batch, seed=5)
    points = torch.stack([case.batch.x + 1, case.batch.x * 2])
    beside = forward.at(points)
    torch.testing.assert_close(beside.logits, torch.cat([case.model(at) for at in points]))
    assert torch.equal(beside.normal("name", 2), forward.normal("name", 2).repeat(2, 1))
    assert torch.equal(beside.batch.y, case.batch.y.repeat(2))
    uniform = forward.uniform("name", 3)
    assert uniform.shape == (len(case.batch.x), 3)
    assert bool(((uniform > 0) & (uniform < 1)).all())


def test_a_pass_beside_gives_the_same_gradients_to_parameters_and_input(case):
    """Though what goes back to the parameters spares the input."""
    found = []
    for forward in (Forward(case.model, case.batch).at(case.batch.x[None]), Forward(case.model, case.batch)):
        gradient = forward.input_gradient(target_log_prob, case.batch.y)
        value = gradient.square().sum() + forward.log_probs[:, 0].sum()
        found.append([gradient, *torch.autograd.grad(value, list(case.model.parameters()))])
    torch.testing.assert_close(found[0], found[1])
