"""Right for the right reasons, against its equation written out."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import log_softmax

from corrigible.errors import RecipeError
from corrigible.explanations.scores import SCORE_NAMES, score_named
from corrigible.models import table_mlp
from corrigible.models.forward import Forward
from corrigible.penalties import right_reasons
from corrigible.types import Batch


def test_equation_1_row_by_row_and_class_by_class(case):
    """Sum over rows n and marked inputs d of (∂/∂x_nd Σ_k log ŷ_nk)², over the number of marked inputs."""
    batch = replace(case.batch, columns=None)
    total, num_marked = 0.0, 0
    for row in range(len(batch.x)):
        gradient = torch.zeros_like(batch.x[row])
        for label in range(case.model(batch.x[:1]).shape[1]):
            x = batch.x[row : row + 1].clone().requires_grad_()
            gradient += torch.autograd.grad(log_softmax(case.model(x), dim=1)[0, label], x)[0][0]
        for size, is_irrelevant in zip(gradient.flatten().tolist(), batch.irrelevant[row].flatten(), strict=True):
            total += size**2 if is_irrelevant else 0.0
            num_marked += int(is_irrelevant)
    found = right_reasons(Forward(case.model, batch), batch, score="summed_log_prob")
    torch.testing.assert_close(found, torch.tensor(total / num_marked, dtype=torch.float64))


def test_l1_takes_sizes_instead_of_squares(case):
    forward = Forward(case.model, case.batch)
    gradient = forward.input_gradient(lambda logits, _: log_softmax(logits, dim=1).sum(dim=1), case.batch.y)
    expected = gradient[case.batch.irrelevant].abs().mean()
    found = right_reasons(forward, case.batch, score="summed_log_prob", norm="l1")
    torch.testing.assert_close(found, expected)


def jacobian_rows(model: nn.Module, num_rows: int, *, one_index: bool = False) -> Batch:
    """The same inputs again and again, as different rows or as one."""
    x = torch.tensor([[0.3, -1.0, 0.5]], dtype=torch.float64).repeat(num_rows, 1)
    index = torch.zeros(num_rows, dtype=torch.long) if one_index else torch.arange(num_rows)
    marked = torch.ones_like(x, dtype=torch.bool)
    return Batch(index, x, torch.zeros(num_rows, dtype=torch.long), marked)


@pytest.fixture
def model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 4)).double()


def projected(model: nn.Module, batch: Batch, seed: int) -> torch.Tensor:
    forward = Forward(model, batch, seed=seed)
    return forward.input_gradient(score_named("random_projection", forward), batch.y).detach()


def test_projection_is_the_default(smooth_case):
    found = [
        right_reasons(Forward(smooth_case.model, smooth_case.batch), smooth_case.batch, **settings)
        for settings in ({}, {"score": "random_projection"}, {"score": "summed_log_prob"})
    ]
    assert found[0] == found[1] != found[2]


def test_mean_over_draws_is_the_squared_norm_of_the_jacobian(model):
    """E[(vᵀJ)ᵢ²] = ‖J₍:,ᵢ₎‖² over 4,000 draws: no class can cancel another."""
    batch = jacobian_rows(model, 1_000)
    jacobian = torch.autograd.functional.jacobian(lambda x: log_softmax(model(x), dim=-1), batch.x[0])
    expected = jacobian.square().sum(0)
    squares = torch.stack([projected(model, batch, seed).square() for seed in range(4)])
    torch.testing.assert_close(squares.mean((0, 1)), expected, rtol=0.05, atol=0)
    penalty = torch.stack([right_reasons(Forward(model, batch, seed=s), batch).detach() for s in range(4)]).mean()
    torch.testing.assert_close(penalty, expected.mean(), rtol=0.05, atol=0)


def test_draws_are_fresh_per_row_and_per_step(model):
    gradient = projected(model, jacobian_rows(model, 8), seed=0)
    assert len(gradient[:, 0].unique()) == 8
    same_row = projected(model, jacobian_rows(model, 8, one_index=True), seed=0)
    torch.testing.assert_close(same_row, same_row[:1].expand_as(same_row))
    steps = [projected(model, jacobian_rows(model, 1), seed)[0, 0].item() for seed in range(8)]
    assert len(set(steps)) == 8


def test_summed_log_probs_can_cancel_where_the_projection_cannot():
    """Two classes at even odds, moved apart by the confounder: the sum of their log-probabilities stands still."""
    model = nn.Linear(1, 2, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0], [-1.0]]))
    batch = Batch(torch.arange(1), torch.zeros(1, 1).double(), torch.tensor([0]), torch.ones(1, 1, dtype=torch.bool))
    assert right_reasons(Forward(model, batch), batch, score="summed_log_prob") == 0
    assert right_reasons(Forward(model, batch), batch) > 0


@pytest.mark.parametrize("score", SCORE_NAMES)
@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_every_score_and_norm_reaches_the_weights(score, norm):
    """Raw logits give a gradient that the last bias cannot change; log-probabilities reach it too."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = table_mlp(5, 3, hidden=(6, 4), dropout=0.0).double()
        x = torch.randn(4, 5, dtype=torch.float64)
    batch = Batch(torch.arange(4), x, torch.arange(4) % 3, torch.ones_like(x, dtype=torch.bool))
    penalty = right_reasons(Forward(model, batch), batch, score=score, norm=norm)
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad(penalty, parameters, allow_unused=True)
    unreached = {n for n, g in zip(names, gradients, strict=True) if g is None or not g.any()}
    assert unreached == ({names[-1]} if score in ("target_logit", "margin") else set())


def test_a_misspelt_score_is_refused(smooth_case):
    with pytest.raises(RecipeError, match="did you mean 'summed_log_prob'"):
        right_reasons(Forward(smooth_case.model, smooth_case.batch), smooth_case.batch, score="sumed_log_prob")
