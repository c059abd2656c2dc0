"""The effect of a region: the score minus the score with other rows' values in the region."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.data.swapping import swapped
from corrigible.explanations.scores import plain_score
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.forward import Score
from corrigible.models.modes import like_parameters, untouched
from corrigible.outputs import as_outputs


def region_effects(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch"],
    regions: Bool[Tensor, " region *input"],
    donors: Float[Tensor, " donor *input"],
    *,
    score: str | Score = "target_prob",
    seed: int = 0,
) -> Float[Tensor, " batch region"]:
    """How much each row's score falls, averaged over donors, when a region holds the donors' values.

    The model runs on rows × regions × donors, except for donors whose values in the region equal the row's own or
    another donor's; it is left unchanged. The result is on the CPU, in the model's precision.

    Raises:
        RecipeError: no score has that name.
    """
    of = plain_score(score)
    with untouched(model, seed), torch.no_grad():
        rows, lent = like_parameters(x, model), like_parameters(donors, model)
        target, masks = target.to(rows.device), regions.to(rows.device)
        size = rows_that_fit(model, rows[:1])
        before = torch.cat(
            [_scores(model, p, t, of) for p, t in zip(rows.split(size), target.split(size), strict=True)]
        )
        gone = [_effect(model, rows, target, mask.expand(rows.shape[1:]), lent, before, of, size) for mask in masks]
    return torch.stack(gone, dim=1).cpu()


def marked_effects(
    model: nn.Module,
    x: Float[Tensor, " batch token dimension"],
    target: Int[Tensor, " batch"],
    row: Int[Tensor, " pair"],
    marks: Bool[Tensor, " pair token"],
    donors: Float[Tensor, " donor token dimension"],
    *,
    score: str | Score = "target_prob",
    seed: int = 0,
) -> Float[Tensor, " pair"]:
    """Like `region_effects`, for texts, in which each pair has its own region: places ``marks[i]`` of row ``row[i]``.

    Raises:
        RecipeError: no score has that name.
    """
    of = plain_score(score)
    with untouched(model, seed), torch.no_grad():
        rows, lent = like_parameters(x, model), like_parameters(donors, model)
        target, row, marks = (part.to(rows.device) for part in (target, row, marks))
        fit = rows_that_fit(model, rows[:1])
        before = torch.cat([_scores(model, p, t, of) for p, t in zip(rows.split(fit), target.split(fit), strict=True)])
        size, gone = max(1, fit // len(lent)), []
        for places, mask in zip(row.split(size), marks.split(size), strict=True):
            changed = swapped(rows[places], mask[:, :, None].expand(-1, -1, rows.shape[2]), lent).flatten(0, 1)
            after = _scores(model, changed, target[places].repeat_interleave(len(lent)), of)
            gone.append(before[places] - after.view(-1, len(lent)).mean(dim=1))
    return torch.cat(gone).cpu()


def _effect(
    model: nn.Module, x: Tensor, target: Tensor, mask: Tensor, donors: Tensor, before: Tensor, of: Score, size: int
) -> Float[Tensor, " batch"]:
    """The mean effect over donors; donors with equal values, as in blank parts of images, are run only once."""
    lent, same = donors[:, mask].unique(dim=0, return_inverse=True)
    share = same.bincount(minlength=len(lent)).to(before) / len(donors)
    row, donor = (x[:, mask][:, None] != lent[None]).any(dim=2).nonzero(as_tuple=True)
    gone = torch.zeros_like(before)
    for rows, lenders in zip(row.split(size), donor.split(size), strict=True):
        changed = x[rows]
        changed[:, mask] = lent[lenders]
        gone.index_add_(0, rows, share[lenders] * (before[rows] - _scores(model, changed, target[rows], of)))
    return gone


def _scores(model: nn.Module, x: Tensor, target: Tensor, of: Score) -> Tensor:
    # A copy: without gradients, a model that works in place would overwrite the caller's rows.
    return of(as_outputs(model(x.clone())), target)
