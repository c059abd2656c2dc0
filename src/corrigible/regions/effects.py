"""What a region does for the score: the score less that with other rows' values in the region."""

from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.data.swapping import swapped
from corrigible.errors import RecipeError, unknown
from corrigible.explanations.chunks import rows_that_fit
from corrigible.explanations.passes import untouched
from corrigible.explanations.scores import SCORES
from corrigible.models.forward import Score, class_logits
from corrigible.models.modes import like_parameters


def checked_score(name: str) -> Score:
    """The score of that name, of those that need no draws.

    Raises:
        RecipeError: no score has that name.
    """
    if name not in SCORES:
        raise RecipeError(unknown("score", name, SCORES))
    return SCORES[name]


def region_effects(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch"],
    regions: Bool[Tensor, " region *input"],
    donors: Float[Tensor, " donor *input"],
    *,
    score: str = "target_prob",
    seed: int = 0,
) -> Float[Tensor, " batch region"]:
    """How much of each row's score goes, in the mean over donors, when a region holds the donors' values.

    The model runs on rows × regions × donors; it is left as it was found. On the CPU, in the model's precision.

    Raises:
        RecipeError: no score has that name.
    """
    of = checked_score(score)
    with untouched(model, seed), torch.no_grad():
        rows, lent = like_parameters(x, model), like_parameters(donors, model)
        target, masks = target.to(rows.device), regions.to(rows.device)
        size = max(1, rows_that_fit(model, rows[:1]) // len(lent))
        before = torch.cat([of(class_logits(model(p.clone())), t) for p, t in _parts(rows, target, size)])
        after = [
            torch.cat([_swapped_score(model, p, t, mask, lent, of) for p, t in _parts(rows, target, size)])
            for mask in masks
        ]
    return (before[:, None] - torch.stack(after, dim=1)).cpu()


def _parts(rows: Tensor, target: Tensor, size: int) -> Iterable[tuple[Tensor, Tensor]]:
    return zip(rows.split(size), target.split(size), strict=True)


def _swapped_score(model: nn.Module, x: Tensor, target: Tensor, mask: Tensor, donors: Tensor, of: Score) -> Tensor:
    changed = swapped(x, mask.expand(x.shape), donors).flatten(0, 1)
    scores = of(class_logits(model(changed)), target.repeat_interleave(len(donors)))
    return scores.view(len(x), len(donors)).mean(dim=1)
