"""Several labels at once: each row has none, one or more of them."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from corrigible.errors import DataError
from corrigible.tasks._labels import numbers_per_row, plain_number
from corrigible.types import Task


def several_labels(y: Any) -> Task:
    """The task of predicting several labels at once, each present or absent.

    Outputs are one logit per label, (batch, label). The loss is the binary cross-entropy averaged over the labels. The
    score that is explained is the logit of one label, the target.

    Args:
        y: 1 where the row has the label and 0 elsewhere, (row, label).

    Raises:
        DataError: labels that are not 0 or 1, or not (row, label).
    """
    labels = _present(y)
    rarest_first, share = labels.sum(dim=0).argsort(), labels.double().mean(dim=0)

    def strata(y: Tensor) -> Int[Tensor, " row"]:
        """The rarest label that the row has, counted from 1; 0 for rows without any."""
        present, found = y.cpu() > 0, torch.zeros(len(y), dtype=torch.long)
        for label in rarest_first.flip(0).tolist():
            found[present[:, label]] = label + 1
        return found

    return Task(
        name="several_labels",
        outputs=numbers_per_row(labels.shape[1], "several_labels"),
        num_outputs=labels.shape[1],
        logits=None,
        values=lambda outputs: outputs.sigmoid(),
        observed=lambda outputs: {"probs": outputs.sigmoid(), "predicted": (outputs > 0).long()},
        standard=lambda outputs: outputs,
        combined=_combined,
        loss=_loss,
        quality=lambda outputs, y, extra: ((outputs > 0) == (y > 0)).double().mean(dim=1),
        moved=lambda outputs, others: (outputs.sigmoid() - others.sigmoid()).abs().amax(dim=1),
        drawn=_drawn,
        target=lambda outputs: outputs.argmax(dim=1),
        check=partial(_present, num_labels=labels.shape[1]),
        strata=strata,
        score="target_output",
        start=(tuple(share.clamp(0.01, 0.99).logit().tolist()), (1.0,) * labels.shape[1]),
        metrics=("label_accuracy", "exact_match", "macro_f1", "macro_auc", "mean_shift", "attribution_overlap"),
        quality_name="share of labels right",
        moved_as="a predicted chance by up to {} points",
        chance=float(torch.maximum(share, 1 - share).mean()),
        written=plain_number,
        reads="logits",
    )


def _present(y: Any, *, num_labels: int | None = None) -> Float[Tensor, " row label"]:
    given = torch.as_tensor(y)
    if given.ndim != 2:
        raise DataError(f"y has shape {tuple(given.shape)}; the task 'several_labels' expects (row, label)")
    if num_labels is not None and given.shape[1] != num_labels:
        raise DataError(f"y has {given.shape[1]} labels; the task was made for {num_labels}: give these rows as many")
    if not bool(((given == 0) | (given == 1)).all()):
        bad = given[(given != 0) & (given != 1)][0]
        raise DataError(f"y holds {float(bad):g}; the task 'several_labels' expects 1 where a row has a label, else 0")
    return given.float()


def _combined(passes: Float[Tensor, " pass batch label"]) -> Float[Tensor, " batch label"]:
    """The logits of the mean probabilities."""
    present, absent = (logsigmoid(sign * passes).logsumexp(dim=0) for sign in (1, -1))
    return present - absent


def _loss(outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
    return binary_cross_entropy_with_logits(outputs, y.to(outputs), reduction="none").mean(dim=1)


def _drawn(outputs: Tensor, others: Tensor, y: Tensor, other_y: Tensor) -> Tensor:
    """How much more likely the other row's labels become, over the labels in which the rows differ."""
    towards = (outputs.sigmoid() - others.sigmoid()) * (other_y - y).sign()
    return towards.sum(dim=1) / (other_y != y).sum(dim=1).clamp_min(1)
