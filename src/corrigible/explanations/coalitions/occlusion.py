"""Zeiler and Fergus 2014, Visualizing and understanding convolutional networks, section 4.2: occlusion sensitivity."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.errors import RecipeError
from corrigible.explanations.baselines import Baseline
from corrigible.explanations.coalitions.feature_ablation import feature_ablation
from corrigible.explanations.games.evaluate import parts_of_values
from corrigible.explanations.games.game import Game, game_of
from corrigible.explanations.games.values import Values, shown_values
from corrigible.explanations.question import Question
from corrigible.models.forward import Score
from corrigible.types import Columns


def occlusion(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    patch: int = 4,
    stride: int | None = None,
    baseline: Baseline = None,
    score: str | Score = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
    rows_at_once: int = 256,
) -> Float[Tensor, " batch *input"]:
    """How far the score drops when a patch of an image, or a feature of a table, is replaced by the baseline.

    An input that several patches cover gets the mean of their drops. The columns of one feature are replaced together
    and share its drop evenly (`feature_ablation`). The result depends on the parameters but uses no gradient with
    respect to x.

    Args:
        patch: height and width of a patch, in pixels, over the last two axes of x; ignored for tables.
        stride: pixels from one patch to the next, at most ``patch``; None for ``patch``.
        baseline: None for zeros (1/k in a category's k columns); a number, or a tensor that broadcasts to one row.
        rows_at_once: how many changed rows are in memory at once.

    Raises:
        RecipeError: a patch or stride out of range.
        DataError: a baseline or columns that do not fit.
    """
    if x.ndim == 2:
        return feature_ablation(
            model, x, target, baseline=baseline, score=score, columns=columns, seed=seed,
            differentiable=differentiable, rows_at_once=rows_at_once,
        )  # fmt: skip
    down, across = _windows(x, patch, patch if stride is None else stride)
    one_group = torch.zeros(x.shape[1:], dtype=torch.long)
    game = game_of(
        Question(model, x, target, score, seed, rows_at_once, differentiable),
        groups=one_group, columns=columns, baseline=baseline, background=None, absent="marginal",
    )  # fmt: skip
    plane = (*[1] * (x.ndim - 3), *x.shape[-2:])
    return _spread(_drops(game, down, across), down, across).reshape(len(x), *plane).expand_as(x).clone()


def _drops(
    game: Game, down: Bool[Tensor, " down height"], across: Bool[Tensor, " across width"]
) -> Float[Tensor, " batch down across"]:
    """How far each window's removal lowers the score; the windows are made one after the other."""
    channels = (1,) * (game.x.ndim - 3)

    def values_of(some: slice) -> Values:
        window = torch.arange(some.start, some.stop, device=down.device) - 1
        hidden = down[window // len(across)][:, :, None] & across[window % len(across)][:, None, :]
        hidden = hidden & (window >= 0)[:, None, None]  # Before the first window comes the whole row.
        return shown_values(game, ~hidden.reshape(len(hidden), *channels, *hidden.shape[1:]))

    with game.question.looking():
        parts = parts_of_values(game, 1 + len(down) * len(across), values_of)
        values = torch.cat([torch.cat(list(rows)) for _, rows in parts], dim=1)
    return (values[:, :1] - values[:, 1:]).reshape(len(values), len(down), len(across))


def _spread(drops: Tensor, down: Tensor, across: Tensor) -> Float[Tensor, " batch height width"]:
    """The mean drop, at each input, of the windows that hide it."""
    by_row, by_column = (part.to(drops) / part.sum(dim=0) for part in (down, across))
    return torch.einsum("bij,ih,jw->bhw", drops, by_row, by_column)


def _windows(x: Tensor, patch: int, stride: int) -> tuple[Bool[Tensor, " down height"], Bool[Tensor, " across width"]]:
    """Masks of the windows along each axis, from top to bottom and from left to right."""
    if not 1 <= stride <= patch:
        raise RecipeError(
            f"patch is {patch}, stride {stride}; expected 1 <= stride <= patch, so that no pixel is left out"
        )
    down, across = (_spans(size, patch, stride).to(x.device) for size in x.shape[-2:])
    return down, across


def _spans(size: int, patch: int, stride: int) -> Bool[Tensor, " span position"]:
    """Masks of the spans along one axis; the first span that reaches the end is the last, and is cut off there."""
    first = torch.arange(0, max(size - patch, 0) + stride, stride)[:, None]
    position = torch.arange(size)
    return (first <= position) & (position < first + patch)
