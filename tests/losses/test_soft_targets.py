"""A student learns a teacher's softened probabilities, or its predictions."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from corrigible.errors import DataError, RecipeError
from corrigible.losses import cross_entropy, soft_targets, task_loss
from corrigible.models.forward import Forward
from corrigible.tasks.amounts import amounts
from corrigible.types import Batch
from finite_differences import require_slope

X = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
TEACHER = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.0, 3.0], [0.0, 0.0, 0.0], [-9.0, 4.0, 1.0]], dtype=torch.float64)
BATCH = Batch(torch.arange(4), X, torch.tensor([0, 2, 1, 0]), extra={"teacher": TEACHER})


def network(num_outputs: int = 3) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(3, num_outputs).double()


def probs(logits, temperature):
    exps = [math.exp(logit / temperature) for logit in logits]
    return [e / math.fsum(exps) for e in exps]


@pytest.mark.parametrize(("temperature", "share"), [(1.0, 1.0), (4.0, 1.0), (2.0, 0.3)])
def test_is_by_its_definition_and_moves_along_its_gradient(temperature, share):
    model, settings = network(), {"temperature": temperature, "share": share}
    hard = cross_entropy(Forward(model, BATCH), BATCH).tolist()
    found = soft_targets(Forward(model, BATCH), BATCH, **settings).tolist()
    for loss, logits, teacher, of_label in zip(found, model(X).tolist(), TEACHER.tolist(), hard, strict=True):
        pairs = zip(probs(teacher, temperature), probs(logits, temperature), strict=True)
        soft = -(temperature**2) * math.fsum(p * math.log(q) for p, q in pairs)
        assert loss == pytest.approx(share * soft + (1 - share) * of_label, rel=1e-12)

    def mean(of, differentiable=False):
        loss = soft_targets(Forward(of, BATCH), BATCH, **settings).mean()
        return loss if differentiable else loss.detach()

    require_slope(model, mean)


def test_of_amounts_the_teachers_predictions_take_the_labels_place():
    y, teacher = torch.tensor([1.0, 2.0, 4.0, 3.0]), torch.tensor([1.5, 2.0, 3.0, 3.0])
    batch = replace(BATCH, y=y, extra={"teacher": teacher}, task=amounts(y))
    forward = Forward(network(1), batch)
    found = soft_targets(forward, batch, share=0.25)
    parts = [task_loss(forward, replace(batch, y=labels)) for labels in (teacher, y)]
    torch.testing.assert_close(found, 0.25 * parts[0] + 0.75 * parts[1])


def test_what_does_not_fit_is_refused():
    forward = Forward(network(), BATCH)
    with pytest.raises(RecipeError, match="temperature is 0.0 and share is 0.9"):
        soft_targets(forward, BATCH, temperature=0.0)
    with pytest.raises(DataError, match="finds no extra\\['teacher'\\]"):
        soft_targets(forward, replace(BATCH, extra={}))
    with pytest.raises(DataError, match=r"has shape \(4, 2\) on these rows; the model gives \(4, 3\)"):
        soft_targets(forward, replace(BATCH, extra={"teacher": TEACHER[:, :2]}))
