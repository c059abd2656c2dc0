"""How a run with private steps draws its rows and makes its steps."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from corrigible.batches import Batches
from corrigible.errors import RecipeError
from corrigible.objective import Term
from corrigible.protocols.privacy.private_step import PrivateStep, PrivateSteps
from corrigible.protocols.privacy.refused import Taught, require_private
from corrigible.protocols.privacy.sampling import Sampling, poisson_batches


class DrawnPrivately(NamedTuple):
    """The rows and the steps of a private run."""

    labelled: Batches
    reviewed: Batches | None
    """None where no penalty looks at reviewed rows, or every row is reviewed."""
    steps: PrivateSteps


def drawn_privately(
    asked: PrivateStep, taught: Taught, *, batch_size: int, of_reviewed: int, epochs: int
) -> DrawnPrivately:
    """The batches and steps of a private run, once nothing in it is refused.

    Args:
        batch_size, of_reviewed: the expected numbers of label rows and of reviewed rows in a step.

    Raises:
        RecipeError, UnsupportedModelError: see `require_private`.
    """
    require_private(taught)
    dataset, marks, seed = taught.dataset, taught.marks, taught.seed
    num_rows = len(dataset)
    rows = torch.arange(0) if marks is None else marks.reviewed_rows(dataset)
    has_own = 0 < len(rows) < num_rows and any(term.on_reviewed_rows for term in taught.terms)
    per_epoch = math.ceil(num_rows / batch_size)
    sampling = Sampling(
        num_rows,
        batch_size,
        per_epoch,
        per_epoch * epochs,
        num_reviewed=len(rows) if has_own else 0,
        reviewed_batch_size=min(of_reviewed, len(rows)) if has_own else 0,
    )
    before = getattr(taught.model, "privacy", None)
    steps = asked(sampling.num_steps, sampling, seed=4 * seed, before=before)
    seeds = (4 * seed + 1, 4 * seed + 2) if asked.is_seeded else (None, None)
    own = marks if len(rows) == num_rows else None
    labelled = poisson_batches(
        dataset, torch.arange(num_rows), sampling.rate, num_batches=per_epoch, marks=own, seed=seeds[0]
    )
    if sampling.reviewed_rate is None:
        return DrawnPrivately(labelled, None, steps)
    of_rows = poisson_batches(dataset, rows, sampling.reviewed_rate, num_batches=None, marks=marks, seed=seeds[1])
    return DrawnPrivately(labelled, of_rows, steps)


def require_whole_run(*, has_own_rows: bool, has_own_loss: bool, is_representative: bool) -> None:
    """Raises RecipeError for a run of which ε would not count everything."""
    if has_own_rows or has_own_loss:
        what = "trains on some of the rows" if has_own_rows else "has a label loss of its own"
        raise RecipeError(
            f"this method {what}, so that ε of private steps would not count all that it takes from rows; use private "
            "steps to train, or to correct with penalties whose weights are numbers"
        )
    if is_representative:
        raise RecipeError(
            "representative batches hold groups by their shares, and private steps need rows drawn independently; "
            "leave out representative"
        )


def require_correctable(model: nn.Module, terms: Sequence[Term], steps: Any) -> None:
    """Check that private steps can keep what a correction costs.

    Raises:
        RecipeError: a weight that would be chosen on the rows, or a model whose training was not private.
    """
    if not isinstance(steps, PrivateStep):
        return
    for term in terms:
        if term.is_auto:
            raise RecipeError(
                f"the weight of penalty {term.name!r} is 'auto', chosen by trials on the rows that ε would not count; "
                "expected a number"
            )
    if getattr(model, "privacy", None) is None:
        raise RecipeError(
            "the model was not trained with private steps, and a private correction cannot take back what it learned; "
            "train it with them first"
        )
