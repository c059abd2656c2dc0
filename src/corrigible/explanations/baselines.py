"""The input that stands for "nothing here".

The one-hot columns of a category sum to 1 in every row whose category is known. Adding a constant to all of a layer's
weights for these columns therefore has the same effect on such rows as adding it to the bias. So the default baseline
row sums to 1 over these columns as well; with zeros, explanations would include that constant.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import DataError
from corrigible.explanations.features import check_columns
from corrigible.models.centring import one_hot_members
from corrigible.types import Columns

Baseline = float | int | Tensor | None
"""None for the neutral row, a number for every input, or a tensor that broadcasts to the shape of one row."""


def neutral_row(x: Float[Tensor, " batch *input"], columns: Columns | None) -> Float[Tensor, " *input"]:
    """The default baseline row: 0 for every input, except 1/k in each of the k columns of a category, an even mix.

    Raises:
        DataError: columns of another table.
    """
    if columns is None:
        return x.new_zeros(x.shape[1:])
    check_columns(x, columns)
    member = one_hot_members(columns).to(x)
    return member @ (1 / member.sum(0))


def baseline_row(
    baseline: Baseline, x: Float[Tensor, " batch *input"], columns: Columns | None = None
) -> Float[Tensor, " *input"]:
    """The baseline in the shape of one row of ``x``; for None the neutral row.

    Raises:
        DataError: not numbers, a tensor that does not broadcast to one row, a baseline that is NaN or infinite, or
            columns of another table.
    """
    if baseline is None:
        return neutral_row(x, columns)
    try:
        value = torch.as_tensor(baseline).detach().to(x)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"the baseline is {baseline!r}; expected a number, or one per input") from error
    if not bool(value.isfinite().all()):
        raise DataError("the baseline is NaN or infinite; give finite numbers")
    try:
        return value.expand(x.shape[1:])
    except RuntimeError as error:
        found, expected = tuple(value.shape), tuple(x.shape[1:])
        raise DataError(
            f"the baseline has shape {found}; expected one that broadcasts to one row, {expected}"
        ) from error


def ends_of_inputs(input_range: Tensor | None, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " 2 *input"]:
    """The least and the largest value of each input; for None those in the batch.

    Raises:
        DataError: a range of other inputs.
    """
    if input_range is None:
        return torch.stack([x.amin(0), x.amax(0)])
    if input_range.shape != (2, *x.shape[1:]):
        found, expected = tuple(input_range.shape), (2, *x.shape[1:])
        raise DataError(f"input_range has shape {found}; expected the least and the largest of each input, {expected}")
    return input_range.to(x)


def background_rows(
    background: Tensor | None,
    x: Float[Tensor, " batch *input"],
    *,
    columns: Columns | None = None,
    name: str = "background",
) -> Float[Tensor, " reference *input"]:
    """The rows that stand for "nothing here", on the device of ``x``; for None the neutral row alone.

    Raises:
        DataError: not numbers, rows of another shape than those of ``x``, no rows, or rows that are NaN or infinite.
    """
    if background is None:
        return neutral_row(x, columns)[None]
    try:
        rows = torch.as_tensor(background).detach().to(x)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"the {name} is a {type(background).__name__}; expected a tensor of rows") from error
    if rows.ndim == 0:
        raise DataError(
            f"the {name} is {background!r}; expected the rows themselves, an array such as x_train[:50]; only a "
            "recipe takes their number"
        )
    if rows.shape[1:] != x.shape[1:] or rows.ndim != x.ndim or len(rows) == 0:
        expected = ", ".join(map(str, x.shape[1:]))
        raise DataError(f"the {name} has shape {tuple(rows.shape)}; expected at least one row, (n, {expected})")
    if not bool(rows.isfinite().all()):
        raise DataError(f"the {name} is NaN or infinite; give finite numbers")
    return rows
