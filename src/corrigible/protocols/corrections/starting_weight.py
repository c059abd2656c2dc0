"""The first weight that is tried: at which the penalty pulls as strongly as the label loss does."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from corrigible.batches import collate
from corrigible.data.dataset import strata_of
from corrigible.data.swapping import some_rows
from corrigible.errors import NoGradientError
from corrigible.feedback.masks import Marks, marks_to_swap
from corrigible.models.bayes.drawing import drawing_activations, num_draws
from corrigible.models.forward import Forward, Loss
from corrigible.models.modes import device_of, evaluating
from corrigible.objective import Term, parameter_gradient
from corrigible.protocols.corrections.swap_score import swapped_batches
from corrigible.protocols.schedule import Schedule
from corrigible.protocols.training_facts import Known

NUM_ROWS = 64
"""Rows with irrelevant inputs whose gradients give the first weight."""


def starting_weight(term: Term, known: Known, schedule: Schedule) -> float | None:
    """The norm of the label loss's gradient divided by that of the penalty's; None if the penalty's is zero.

    The label loss is computed on swapped rows: on rows that hold the confounder, a fooled model has almost no gradient
    of the label loss left. Of a Bayesian network both gradients are means over draws.

    Raises:
        NoGradientError: the penalty has no gradient with respect to any parameter.
    """
    model, marks, labels = known.model, known.marks, strata_of(known.dataset)
    swaps = marks_to_swap(marks, labels)
    rows = some_rows(swaps.irrelevant.rows(labels), NUM_ROWS, known.seed)
    is_relevance = term.declaration.serves == {"relevant"}
    about = some_rows(marks.relevant.rows(labels), NUM_ROWS, known.seed) if is_relevance else rows
    with evaluating(model), drawing_activations(model):
        reviewed = collate(known.dataset, about, marks).to(device_of(model))

        def penalty(seed: int) -> list[Tensor | None]:
            return parameter_gradient(model, term.value(Forward(model, reviewed, seed=seed), reviewed))

        gradients = _mean_over_draws(model, penalty, known.seed)
        if all(gradient is None for gradient in gradients):
            raise NoGradientError(
                f"penalty {term.name!r} does not reach the model's parameters: it would teach nothing"
            )
        penalty_norm = _norm(gradients)
        if penalty_norm == 0.0:
            return None
        label_norm = _norm(_swapped_label_gradient(known, swaps, rows, schedule.label_loss))
    return label_norm / penalty_norm


def _swapped_label_gradient(known: Known, marks: Marks, rows: Tensor, loss: Loss) -> list[Tensor | None]:
    model, num_donors = known.model, min(10, len(known.dataset))

    def of_batches(seed: int) -> Iterator[list[Tensor | None]]:
        for batch in swapped_batches(known.dataset, marks, rows, num_donors=num_donors, seed=known.seed):
            batch = batch.to(device_of(model))
            losses = loss(Forward(model, batch, track_input=False, seed=seed), batch)
            yield parameter_gradient(model, losses.sum() / (num_donors * len(rows)))

    return _mean_over_draws(model, lambda seed: _sum(of_batches(seed)), known.seed)


def _mean_over_draws(
    model: nn.Module, gradient: Callable[[int], list[Tensor | None]], seed: int
) -> list[Tensor | None]:
    """The gradient for this seed; of a network whose weights have a distribution the mean over eight seeds."""
    num = num_draws(model) or 1
    total = _sum(gradient(seed + number) for number in range(num))
    return [None if each is None else each / num for each in total]


def _sum(gradients: Iterator[list[Tensor | None]]) -> list[Tensor | None]:
    total = next(gradients)
    for found in gradients:
        total = [b if a is None else a if b is None else a + b for a, b in zip(total, found, strict=True)]
    return total


def _norm(gradients: list[Tensor | None]) -> float:
    squares = [gradient.cpu().double().square().sum() for gradient in gradients if gradient is not None]
    return torch.stack(squares).sum().sqrt().item() if squares else 0.0
