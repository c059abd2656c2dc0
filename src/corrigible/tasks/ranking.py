"""Ranking: only the order of the outputs matters."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn.functional import softplus

from corrigible.tasks._labels import amounts_per_row, first_output, numbers_per_row, plain_number, strata_at
from corrigible.types import Task


def ranking(y: Any) -> Task:
    """The task of ranking rows: those with a larger label should get a larger output.

    The output is one number per row, (batch,) or (batch, 1). A row's loss is the mean over the other rows of the batch
    with another label of minus the log-probability that the pair is ordered rightly, the logistic function of the
    difference of their outputs (Burges et al. 2005, RankNet). If ``extra["query"]`` is given, only rows of the same
    query are compared; a row without any such row has loss 0.

    Args:
        y: finite numbers, one per row.

    Raises:
        DataError: labels that are not finite numbers.
    """
    labels = amounts_per_row(y, "ranking")

    def shift(outputs: Tensor, others: Tensor) -> Tensor:
        return 2 * (outputs[:, 0] - others[:, 0]).sigmoid() - 1

    return Task(
        name="ranking",
        outputs=numbers_per_row(1, "ranking"),
        num_outputs=1,
        logits=None,
        values=lambda outputs: outputs,
        observed=lambda outputs: {"predicted": outputs[:, 0]},
        standard=lambda outputs: outputs,
        combined=lambda passes: passes.mean(dim=0),
        loss=_loss,
        quality=_quality,
        moved=lambda outputs, others: shift(outputs, others).abs(),
        drawn=lambda outputs, others, y, other_y: shift(outputs, others) * (other_y - y).sign(),
        target=first_output,
        check=lambda y: amounts_per_row(y, "ranking"),
        strata=strata_at(labels),
        score="target_output",
        start=((0.0,), (1.0,)),
        metrics=("pair_accuracy", "spearman", "mean_shift", "attribution_overlap"),
        quality_name="share of pairs ordered rightly",
        moved_as="predicted orders by {} points",
        written=plain_number,
        extra=("query",),
    )


def _pairs(y: Tensor, extra: Mapping[str, Tensor]) -> Bool[Tensor, " row other"]:
    """True where two rows have different labels and belong to the same query."""
    differ = y[:, None] != y[None]
    query = extra.get("query")
    return differ if query is None else differ & (query[:, None] == query[None]).to(y.device)


def _per_row(values: Tensor, pairs: Tensor, otherwise: float) -> Tensor:
    """The mean over each row's pairs; ``otherwise`` for a row without any."""
    count = pairs.sum(dim=1)
    mean = torch.where(pairs, values, torch.zeros_like(values)).sum(dim=1) / count.clamp_min(1)
    return torch.where(count > 0, mean, torch.full_like(mean, otherwise))


def _loss(outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
    ahead = (outputs - outputs.T) * (y[:, None] - y[None]).sign()
    return _per_row(softplus(-ahead), _pairs(y, extra), 0.0)


def _quality(outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
    ahead = (outputs - outputs.T) * (y[:, None] - y[None]).sign()
    right = (ahead > 0).double() + (ahead == 0).double() / 2
    return _per_row(right, _pairs(y, extra), 0.5)
