"""Sagawa, Koh, Hashimoto and Liang 2020, Distributionally robust neural networks for group shifts, algorithm 1.

The loss is a weighted sum of the groups' losses, and at each step a group's weight grows with its loss, so that the
worst group comes to dominate. A step uses all groups of a batch at once, whereas the paper's algorithm draws one group.
"""

from collections.abc import Generator, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.data.dataset import as_dataset, labelled, require_classes
from corrigible.errors import DataError, RecipeError
from corrigible.losses import cross_entropy
from corrigible.models.forward import Forward
from corrigible.models.networks import copied, trainable_network
from corrigible.objective import PenaltySettings, Term
from corrigible.protocols.baselines.label_groups import label_groups
from corrigible.protocols.schedule import Schedule, Validation, require_fit, run
from corrigible.protocols.training_facts import own_terms
from corrigible.training import Epoch
from corrigible.types import Batch


class GroupWeightedLoss:
    """Cross-entropy whose mean over a batch is the weighted sum of the groups' mean losses.

    At each call, the weight of each group in the batch is multiplied by exp(step_size × its mean loss); then the
    weights are scaled to sum to 1.
    """

    def __init__(self, groups: Int[Tensor, " row"], step_size: float) -> None:
        self.groups = groups
        self.step_size = step_size
        num_groups = int(groups.max()) + 1
        self.weights: Float[Tensor, " group"] = torch.full((num_groups,), 1 / num_groups, dtype=torch.float64)

    def __call__(self, forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
        losses = cross_entropy(forward, batch)
        group = self.groups[batch.index.cpu()]
        counts = group.bincount(minlength=len(self.weights))
        sums = torch.zeros_like(self.weights).index_add_(0, group, losses.detach().cpu().double())
        growth = self.step_size * sums / counts.clamp_min(1)
        grown = self.weights * (growth - growth.max()).exp()  # Only ratios count; less the maximum, none overflows.
        self.weights = grown / grown.sum()
        return losses * (len(losses) * self.weights / counts.clamp_min(1))[group].to(losses)


NEEDS_GROUPS = (
    "group_dro needs the group of every row; expected rows of (x, y, group): "
    "name the column with group = … in [data], or leave this baseline out"
)


def group_dro(
    model: nn.Module,
    data: Any,
    *,
    schedule: Schedule,
    step_size: float = 0.01,
    penalties: PenaltySettings | Sequence[Term] | None = None,
    watch: Validation | None = None,
    seed: int = 0,
) -> Generator[Epoch, None, nn.Module]:
    """Train a copy of the model on the loss of the worst group; a group is one pair of label and sensitive attribute.

    Args:
        data: ``(x, y, group)`` arrays or a map-style data set of (x, y, group).
        step_size: how fast the weights of the groups change; 0 keeps them equal.
        penalties: those of the network's own objective, as the divergence of a Bayesian network is.
        watch: named numbers to report after each epoch.

    Raises:
        DataError: data without groups.
        RecipeError: a step size that is negative, infinite or NaN.
    """
    if not 0 <= step_size < float("inf"):
        raise RecipeError(f"step_size is {step_size}; expected a number of at least 0, such as 0.01")
    model, dataset = trainable_network(model), labelled(as_dataset(data))
    require_classes(dataset)
    require_fit(model, dataset)
    groups = label_groups(dataset)
    if groups is None:
        raise DataError(NEEDS_GROUPS)
    trained = copied(model)
    loss, terms = GroupWeightedLoss(groups, step_size), own_terms(penalties, trained, dataset, seed)
    yield from run(trained, dataset, schedule, loss=loss, penalties=terms, validation=watch, seed=seed)
    return trained
