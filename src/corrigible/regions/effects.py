"""The effect of a region: how much the prediction changes with other rows' values in the region."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.data.swapping import swapped
from corrigible.explanations.question import answers
from corrigible.explanations.reading import meaning_of
from corrigible.explanations.scores import margin, plain_score, score_for, target_logit
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.forward import Score
from corrigible.models.modes import like_parameters, untouched
from corrigible.models.pooling import QuickPooling
from corrigible.outputs import as_outputs, class_logits
from corrigible.progress import counted
from corrigible.tasks import CLASSES
from corrigible.types import Task

Change = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(outputs, outputs with the region replaced, target) -> how much the prediction changes, one number per row."""


def predicted(
    model: nn.Module, x: Float[Tensor, " batch *input"], task: Task, score: str | Score | None, *, seed: int = 0
) -> Int[Tensor, " batch"]:
    """The predicted class of each row, also of a single logit; for other tasks what `explain` explains by default."""
    outputs = answers(model, x, seed=seed)
    if task.name == "classes":
        return class_logits(outputs).argmax(dim=1).cpu()
    return meaning_of(task, outputs, score).target(outputs).cpu()


def logit_of_class(outputs: Float[Tensor, " batch output"], target: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The logit of the class; of a single logit z that of class 1, and minus it for class 0."""
    return (margin if outputs.shape[1] == 1 else target_logit)(outputs, target)


def region_effects(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch"],
    regions: Bool[Tensor, " region *input"],
    donors: Float[Tensor, " donor *input"],
    *,
    score: str | Score | None = None,
    task: Task = CLASSES,
    seed: int = 0,
    donors_per_row: int | None = None,
) -> Float[Tensor, " batch region"]:
    """How much each row's prediction changes, averaged over donors, when a region holds the donors' values.

    For classes, this is how much the score falls. For other tasks, a region matters whichever way it moves the
    prediction: the effect is the distance that the prediction moves, between 0 and 1 (`Task.moved`), or if a score is
    named, the absolute change of the score.

    The model runs on rows × regions × donors, except for donors whose values in the region equal the row's own or
    another donor's; it is left unchanged. The result is on the CPU, in the model's precision.

    Args:
        score: None for the probability of the target class, or of another task for the distance.
        donors_per_row: how many of the donors lend to each row, the next row getting the next ones; None for all.

    Raises:
        RecipeError: no score has that name.
    """
    of = change_of(score, task)
    with untouched(model, seed), torch.no_grad(), QuickPooling():
        rows, lent = like_parameters(x, model), like_parameters(donors, model)
        target, masks = target.to(rows.device), regions.to(rows.device)
        size = rows_that_fit(model, rows[:1])
        before = torch.cat([_outputs(model, part) for part in rows.split(size)])
        lends = _lends(len(rows), len(lent), donors_per_row).to(before)
        asked = _Asked(model, rows, target, before, lent, lends, of, size)
        gone = [
            _effect(asked, mask.expand(rows.shape[1:])) for mask in counted("regions exchanged: region", list(masks))
        ]
    return torch.stack(gone, dim=1).cpu()


def marked_effects(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch"],
    row: Int[Tensor, " pair"],
    marks: Bool[Tensor, " pair *mask"],
    donors: Float[Tensor, " donor *input"],
    *,
    score: str | Score | None = None,
    task: Task = CLASSES,
    seed: int = 0,
) -> Float[Tensor, " pair"]:
    """Like `region_effects`, where each pair has its own region: ``marks[i]`` of row ``row[i]``.

    Args:
        marks: of a shape that expands to that of a row.

    Raises:
        RecipeError: no score has that name.
    """
    of = change_of(score, task)
    with untouched(model, seed), torch.no_grad():
        rows, lent = like_parameters(x, model), like_parameters(donors, model)
        target, row, marks = (part.to(rows.device) for part in (target, row, marks))
        fit = rows_that_fit(model, rows[:1])
        before = torch.cat([_outputs(model, part) for part in rows.split(fit)])
        size, gone = max(1, fit // len(lent)), []
        pairs = list(zip(row.split(size), marks.split(size), strict=True))
        for places, mask in counted("regions exchanged: part", pairs):
            changed = swapped(rows[places], mask.expand(-1, *rows.shape[1:]), lent).flatten(0, 1)
            of_pair = places.repeat_interleave(len(lent))
            change = of(before[of_pair], _outputs(model, changed), target[of_pair])
            gone.append(change.view(-1, len(lent)).mean(dim=1))
    return torch.cat(gone).cpu()


def change_of(score: str | Score | None, task: Task) -> Change:
    """How much the prediction changes, as `region_effects` says.

    Raises:
        RecipeError: no score has that name.
    """
    if task.name == "classes":
        of_class = plain_score("target_prob" if score is None else score_for(score, task))
        return lambda before, after, target: of_class(before, target) - of_class(after, target)
    if score is None:
        return lambda before, after, target: task.moved(before, after)
    of = plain_score(score_for(score, task))
    return lambda before, after, target: (of(before, target) - of(after, target)).abs()


def _lends(num_rows: int, num_donors: int, per_row: int | None) -> Float[Tensor, " batch donor"]:
    """The share that each donor has in the effect on each row."""
    count = min(per_row or num_donors, num_donors)
    turn = (torch.arange(num_donors) - count * torch.arange(num_rows)[:, None]) % num_donors
    return (turn < count).float() / count


class _Asked(NamedTuple):
    """Rows whose regions are exchanged, and what is exchanged for what; the same for every region."""

    model: nn.Module
    x: Float[Tensor, " batch *input"]
    target: Int[Tensor, " batch"]
    before: Float[Tensor, " batch output"]
    """The outputs for the rows as they are."""
    donors: Float[Tensor, " donor *input"]
    lends: Float[Tensor, " batch donor"]
    """The share that each donor has in the effect on each row."""
    change: Change
    size: int
    """Rows that the model takes at once."""


def _effect(asked: _Asked, mask: Bool[Tensor, " *input"]) -> Float[Tensor, " batch"]:
    """The mean effect over donors; donors with equal values, as in blank parts of images, are run only once."""
    x, before, target = asked.x, asked.before, asked.target
    lent, same = asked.donors[:, mask].unique(dim=0, return_inverse=True)
    share = asked.lends.new_zeros(len(x), len(lent)).index_add(1, same, asked.lends)
    is_other = (x[:, mask][:, None] != lent[None]).any(dim=2)
    row, donor = (is_other & (share > 0)).nonzero(as_tuple=True)
    gone = before.new_zeros(len(before))
    for rows, lenders in zip(row.split(asked.size), donor.split(asked.size), strict=True):
        changed = x[rows]
        changed[:, mask] = lent[lenders]
        change = asked.change(before[rows], _outputs(asked.model, changed), target[rows])
        gone.index_add_(0, rows, share[rows, lenders] * change)
    return gone


def _outputs(model: nn.Module, x: Tensor) -> Float[Tensor, " batch output"]:
    # A copy: without gradients, a model that works in place would overwrite the caller's rows.
    return as_outputs(model(x.clone()))
