"""Carlini et al. 2022, Membership inference attacks from first principles: LiRA, a likelihood ratio for each row.

What a network says of a row's label is nearly normal over seeds, with one mean if it was trained on the row and another
if it was not. Both are estimated from shadow models, for each row by itself: some rows are hard for all networks.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

MODELS_FOR_OWN_SPREAD = 64
"""With fewer shadow models one spread is estimated for all rows together, as the paper advises."""
LEAST_SPREAD = 1e-6
"""For networks that all say the same."""


def likelihood_ratio(
    margin: Float[Tensor, " row"], shadows: Float[Tensor, " model row"], has_seen: Bool[Tensor, " model row"]
) -> Float[Tensor, " row"]:
    """The logarithm of how much likelier each margin is if the row was trained on than if it was not (online LiRA).

    Args:
        margin: of the attacked model.
        shadows: of each shadow model.
        has_seen: which rows each shadow model was trained on, at least two and not all but one.
    """
    seen, unseen = (_normal(shadows, kind) for kind in (has_seen, ~has_seen))
    return _log_density(margin, *seen) - _log_density(margin, *unseen)


def standard_score(
    margin: Float[Tensor, " row"], shadows: Float[Tensor, " model row"], has_seen: Bool[Tensor, " model row"]
) -> Float[Tensor, " row"]:
    """By how many standard deviations each margin is above those of models that did not see the row (offline LiRA).

    The paper takes the probability of a smaller margin, which orders rows alike.

    Args:
        margin, shadows, has_seen: as `likelihood_ratio` takes them.
    """
    mean, spread = _normal(shadows, ~has_seen)
    return (margin - mean) / spread


def _normal(
    shadows: Float[Tensor, " model row"], chosen: Bool[Tensor, " model row"]
) -> tuple[Float[Tensor, " row"], Float[Tensor, " row"]]:
    """Mean and standard deviation of each row over the models chosen for it."""
    count = chosen.sum(dim=0)
    mean = (shadows * chosen).sum(dim=0) / count
    squares = ((shadows - mean).square() * chosen).sum(dim=0)
    if len(shadows) < MODELS_FOR_OWN_SPREAD:
        spread = (squares.sum() / (count - 1).sum()).sqrt().expand_as(mean)
    else:
        spread = (squares / (count - 1)).sqrt()
    return mean, spread.clamp_min(LEAST_SPREAD)


def _log_density(
    margin: Float[Tensor, " row"], mean: Float[Tensor, " row"], spread: Float[Tensor, " row"]
) -> Float[Tensor, " row"]:
    found: Tensor = torch.distributions.Normal(mean, spread).log_prob(margin)
    return found
