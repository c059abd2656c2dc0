"""Zeiler and Fergus 2014, Visualizing and understanding convolutional networks, section 4.2: occlusion sensitivity."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.errors import RecipeError
from corrigible.explanations.baselines import Baseline, baseline_row
from corrigible.explanations.features import check_columns, feature_index
from corrigible.explanations.passes import pass_over, untouched, values_index
from corrigible.explanations.scores import score_named
from corrigible.models.forward import class_logits
from corrigible.types import Columns


def occlusion(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch"],
    *,
    patch: int = 4,
    stride: int | None = None,
    baseline: Baseline = None,
    score: str = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
    rows_at_once: int = 256,
) -> Float[Tensor, " batch *input"]:
    """How far the score drops when a patch (of an image) or a feature (of a table) is replaced by the baseline.

    An input that several patches cover gets the mean of their drops. The columns of one feature are replaced together
    and share its drop evenly, so that they sum to it. The result depends on the parameters, never on the gradient of x.

    Args:
        patch: height and width of a patch, in pixels, over the last two axes of x; a table has none.
        stride: pixels from one patch to the next, at most ``patch``, which is also the default.
        baseline: None for zeros, a number, or a tensor that broadcasts to one row.
        rows_at_once: how many changed rows are in memory at once.

    Raises:
        RecipeError: a patch or stride out of range.
        DataError: a baseline or columns that do not fit.
    """
    windows = _features(x, columns) if x.ndim == 2 else _patches(x, patch, patch if stride is None else stride)
    start, index = baseline_row(baseline, x), values_index(x)

    def scores(rows: Tensor, row: Tensor) -> Tensor:
        forward = pass_over(model, rows, target[row], index=index[row], seed=seed)
        # The model runs without the pass's hooks and input graph: nothing here needs them.
        return score_named(score, forward)(class_logits(model(rows)), target[row])

    total = torch.zeros_like(x)
    with untouched(model, seed), torch.set_grad_enabled(differentiable):
        every = torch.arange(len(x), device=x.device)
        whole = torch.cat([scores(x[row], row) for row in every.split(rows_at_once)])
        for place in torch.arange(len(x) * windows.count, device=x.device).split(rows_at_once):
            row = place // windows.count
            hidden = windows.masks(place % windows.count)
            drop = whole[row] - scores(torch.where(hidden, start, x[row]), row)
            total = total.index_add(0, row, drop.reshape(-1, *[1] * (x.ndim - 1)) * (hidden / windows.divisor))
    return total


@dataclass(frozen=True)
class Windows:
    """The parts of a row that are hidden, one at a time."""

    count: int
    masks: Callable[[Int[Tensor, " window"]], Bool[Tensor, " window *input"]]
    """True where the window hides the row; made when asked for, as all of them may not fit in memory."""
    divisor: Float[Tensor, " *input"]
    """What an input's share of a drop is divided by."""


def _features(x: Tensor, columns: Columns | None) -> Windows:
    if columns is not None:
        check_columns(x, columns)
    feature = torch.arange(x.shape[1]) if columns is None else feature_index(columns)
    feature = feature.to(x.device)
    sizes = torch.bincount(feature)
    return Windows(len(sizes), lambda window: feature == window[:, None], sizes[feature].to(x))


def _patches(x: Tensor, patch: int, stride: int) -> Windows:
    if not 1 <= stride <= patch:
        raise RecipeError(
            f"patch is {patch}, stride {stride}; expected 1 <= stride <= patch, so that no pixel is left out"
        )
    down, across = (_spans(size, patch, stride).to(x.device) for size in x.shape[-2:])

    def masks(window: Tensor) -> Tensor:
        hidden = down[window // len(across)][:, :, None] & across[window % len(across)][:, None, :]
        channels = hidden.reshape(len(window), *[1] * (x.ndim - 3), *hidden.shape[1:])
        return channels.expand(-1, *x.shape[1:])

    covered = down.sum(0)[:, None] * across.sum(0)
    return Windows(len(down) * len(across), masks, covered.to(x).expand(x.shape[1:]))


def _spans(size: int, patch: int, stride: int) -> Bool[Tensor, " span position"]:
    """Where each span lies along one axis; the first to reach the end is the last, cut off there."""
    first = torch.arange(0, max(size - patch, 0) + stride, stride)[:, None]
    position = torch.arange(size)
    return (first <= position) & (position < first + patch)
