"""How much explanations of the same rows differ between runs (Visani et al. 2022, Statistical stability indices for
LIME, for that method): runs of a random method under several seeds, or runs for several trained networks.

    runs = torch.stack([explain(model, x, target, method="lime", seed=seed) for seed in range(5)])
"""

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import DataError
from corrigible.explanations.quality._given import flat_of
from corrigible.explanations.quality.agreement import scaled_ranks_of


def rank_stability(runs: Float[Tensor, " run batch *input"]) -> Float[Tensor, " batch"]:
    """Spearman's rank correlation between two runs, averaged over all pairs of runs; 1 if all runs rank alike.

    NaN where a run's attribution is the same for all inputs.

    Raises:
        DataError: fewer than two runs, or an attribution that is NaN or infinite.
    """
    ranks = torch.stack([scaled_ranks_of(run) for run in _checked(runs)])
    # The squared length of a sum of n unit vectors is n plus twice the sum of their pairwise products.
    return (ranks.sum(dim=0).square().sum(dim=1) - len(runs)) / (len(runs) * (len(runs) - 1))


def relative_spread(runs: Float[Tensor, " run batch *input"]) -> Float[Tensor, " batch"]:
    """Standard deviation over runs relative to the mean over runs; 0 is stable.

    √Σ sd² / √Σ mean², summed over the row's inputs, where sd is the standard deviation with n − 1. NaN where the mean
    is 0 in every input.

    Raises:
        DataError: fewer than two runs, or an attribution that is NaN or infinite.
    """
    found = _checked(runs)
    length = found.mean(dim=0).norm(dim=1)
    return torch.where(length > 0, found.std(dim=0).norm(dim=1) / length, torch.nan)


def _checked(runs: Tensor) -> Tensor:
    if runs.ndim < 3 or len(runs) < 2:
        raise DataError(f"runs has shape {tuple(runs.shape)}; expected (run, batch, …) with at least two runs")
    return torch.stack([flat_of(run) for run in runs])
