"""Replacement values for the inputs that must not matter."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from corrigible.data.swapping import lent
from corrigible.errors import DataError
from corrigible.explanations.baselines import background_rows
from corrigible.models.centring import one_hot_members
from corrigible.models.draws import row_uniform
from corrigible.models.forward import Forward
from corrigible.types import Batch, Columns

DONORS = "table of donors"


def replaced(batch: Batch, x: Tensor, values: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch *input"]:
    """The rows with these values on the marked inputs; a category any column of which is marked is replaced whole."""
    assert batch.irrelevant is not None
    return torch.where(with_whole_categories(batch.irrelevant, batch.columns), values, x)


def with_whole_categories(
    marked: Bool[Tensor, " batch *input"], columns: Columns | None
) -> Bool[Tensor, " batch *input"]:
    """True on every column of a category where it was True on any, so that one-hot columns stay one-hot."""
    if columns is None or not columns.has_categories:
        return marked
    member = one_hot_members(columns).to(marked.device)
    return marked | ((marked.to(member) @ member) @ member.T > 0)


def other_rows(forward: Forward, donors: Tensor | None, name: str) -> Float[Tensor, " batch *input"]:
    """For each row one of the donors, or what another row of the batch lends, drawn by the row's index.

    Raises:
        DataError: donors of other inputs.
    """
    uniform = row_uniform(forward.batch.index.cpu(), (), seed=forward.seed, name=name)
    if donors is not None:
        drawn = (uniform * len(donors)).long().clamp_max(len(donors) - 1)
        # Only the rows that were drawn are checked, in every step.
        return background_rows(donors[drawn.to(donors.device)] if len(donors) else donors, forward.x, name=DONORS)
    # Counted in the order of their index, each once, so that neither order nor repetition of rows changes a draw.
    _, first, own = np.unique(forward.batch.index.cpu().numpy(), return_index=True, return_inverse=True)
    num_others = len(first) - 1
    further = 1 + (uniform * num_others).long().clamp_max(max(num_others - 1, 0))
    donor = torch.from_numpy(first)[(torch.from_numpy(own) + further) % len(first)]
    return _lent_by(forward)[donor.to(forward.x.device)]


def _lent_by(forward: Forward) -> Float[Tensor, " batch *input"]:
    assert forward.batch.irrelevant is not None
    return lent(forward.x.detach(), forward.batch.irrelevant)


def noise(forward: Forward, donors: Tensor | None, name: str) -> Float[Tensor, " batch *input"]:
    """Normal noise with each input's mean and standard deviation over the donors, or over what the batch lends.

    One-hot columns take another row's category instead, since noise is not a category.

    Raises:
        DataError: donors of other inputs.
    """
    rows = _lent_by(forward) if donors is None else background_rows(donors, forward.x, name=DONORS)
    drawn = rows.mean(0) + rows.std(0, correction=0) * forward.normal(name, *rows.shape[1:])
    columns = forward.batch.columns
    if columns is None or not columns.has_categories:
        return drawn
    is_one_hot = torch.tensor(columns.one_hot, device=drawn.device)
    return torch.where(is_one_hot, other_rows(forward, donors, name), drawn)


def class_mean(forward: Forward, class_means: Tensor | None) -> Float[Tensor, " batch *input"]:
    """The mean row of each row's class, in the training data or the batch; for a category its most common value.

    Where labels are not classes, it is the mean row of their stratum (`Task.strata`).

    Raises:
        DataError: means of other inputs.
    """
    y = forward.task.strata(forward.batch.y).to(forward.x.device)
    if class_means is None:
        values = _means_by_class(forward.x.detach(), y)
    else:
        if class_means.shape[1:] != forward.x.shape[1:]:
            found, expected = tuple(class_means.shape), ", ".join(map(str, forward.x.shape[1:]))
            raise DataError(f"class_means have shape {found}; expected (num_classes, {expected})")
        values = class_means.to(forward.x)[y]
    columns = forward.batch.columns
    return values if columns is None or not columns.has_categories else _with_commonest(values, columns)


def _means_by_class(x: Tensor, y: Int[Tensor, " batch"]) -> Tensor:
    is_same = (y[:, None] == y[None, :]).to(x)
    weights = is_same / is_same.sum(1, keepdim=True)
    return (weights @ x.flatten(1)).reshape(x.shape)


def _with_commonest(values: Tensor, columns: Columns) -> Tensor:
    found = values.clone()
    for of_category in one_hot_members(columns).T.bool():
        places = of_category.nonzero().flatten().to(values.device)
        shares = values[:, places]
        found[:, places] = one_hot(shares.argmax(1), len(places)).to(values)
    return found
