"""Georgiev et al. 2024, Attribute-to-delete: machine unlearning via datamodel matching, KLoM (section 2).

An unlearned model is to be indistinguishable from a retrained one. Both are random, by their seeds; so the
distributions of what they say are compared, row by row.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import DataError

LEAST_STD = 0.1
"""Models that say the same with every seed count as if their margins, in nats, had this standard deviation."""


def klom(unlearned: Float[Tensor, " model row"], retrained: Float[Tensor, " other row"]) -> Float[Tensor, " row"]:
    """The Kullback-Leibler divergence of each row's margins: of unlearned models seen from retrained ones, in nats.

    0 is indistinguishable. Both distributions are taken as normal, because a dozen models fill no histogram, as the
    paper does with hundreds. With few models it is above 0 even between models that were made alike: compare it with
    that of two halves of the retrained ones.

    Args:
        unlearned, retrained: `margins`, one line per model, each with a seed of its own.

    Raises:
        DataError: fewer than two models of a kind.
    """
    for name, found in (("unlearned", unlearned), ("retrained", retrained)):
        if len(found) < 2:
            raise DataError(f"{name} has {len(found)} models; expected at least two, with different seeds")
    (mean, variance), (mean_r, variance_r) = (
        (found.mean(dim=0), found.var(dim=0).clamp_min(LEAST_STD**2)) for found in (unlearned, retrained)
    )
    return (variance.log() - variance_r.log() + (variance_r + (mean_r - mean).square()) / variance - 1) / 2


def row_attack(unlearned: Float[Tensor, " model row"], retrained: Float[Tensor, " other row"]) -> Float[Tensor, ""]:
    """How often an attacker with shadow models tells an unlearned model from a retrained one: 0.5 is guessing.

    This is U-LiRA (Hayes et al. 2024, Inexact unlearning needs more careful evaluations to avoid a false sense of
    privacy): for each row, each model is held out in turn, and called unlearned if its margin is likelier under the
    normal distribution of the other unlearned models than under that of the other retrained ones. The accuracy is
    the mean over rows of that on both kinds. The rows to forget are the same in all shadow models, which is the
    easiest case for the attacker.

    Raises:
        DataError: fewer than three models of a kind, of which one is held out.
    """
    if min(len(unlearned), len(retrained)) < 3:
        raise DataError(f"{min(len(unlearned), len(retrained))} models of a kind; expected at least three")
    told = [
        (_density(model, _without(mine, place)) > _density(model, others)).double()
        + (_density(model, _without(mine, place)) == _density(model, others)).double() / 2
        for mine, others in ((unlearned, retrained), (retrained, unlearned))
        for place, model in enumerate(mine)
    ]
    count = len(unlearned)
    return (torch.stack(told[:count]).mean() + torch.stack(told[count:]).mean()) / 2


def _without(models: Tensor, place: int) -> Tensor:
    return torch.cat([models[:place], models[place + 1 :]])


def _density(margin: Float[Tensor, " row"], models: Float[Tensor, " model row"]) -> Float[Tensor, " row"]:
    """The logarithm of the normal density, up to a constant."""
    std = models.std(dim=0).clamp_min(LEAST_STD)
    return -std.log() - ((margin - models.mean(dim=0)) / std).square() / 2
