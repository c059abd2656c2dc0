"""Whether a gradient of 0 says that an input does not matter, or only that no gradient leads to it.

A model that detaches, rounds, quantises, compares or computes under ``no_grad`` has a gradient of 0 although its score
depends on the inputs. Between two points the change of a score is the integral of its gradient. So if the score changes
while the gradient of the moved inputs is exactly 0 at every point on the way, gradients cannot explain it.
"""

import logging

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from corrigible.errors import NoGradientError
from corrigible.explanations.passes import pass_over
from corrigible.explanations.question import Question
from corrigible.explanations.scores import score_named
from corrigible.types import Columns

WITHOUT_GRADIENTS = "kernel_shap, occlusion or feature_ablation"
"""Methods that look at scores alone, for messages."""
MOST_ROWS, FEW_POINTS, MANY_POINTS, MOST_LOOKS = 4, 2, 16, 8
log = logging.getLogger(__name__)


def require_reached(
    question: Question, attribution: Float[Tensor, " batch *input"], method: str, columns: Columns | None = None
) -> None:
    """Check that inputs to which a gradient method gave exactly 0 in every row do not change the score.

    A few rows are moved towards the next row and towards zeros, in these inputs alone. If some rows, but not all, are 0
    in all inputs and the score changes between them, a record says so.

    Raises:
        NoGradientError: the score changes, and the gradient is 0 at every point on the way.
    """
    is_zero = attribution.detach().to(question.x.device) == 0
    if (cut := unreached(question, is_zero.all(dim=0))) is not None:
        raise NoGradientError(
            f"{method!r} gives 0 to {inputs_named(cut, columns)}, but the score changes with it: no gradient leads "
            f"there through the model, which may detach, round, compare or use no_grad; choose {WITHOUT_GRADIENTS}"
        )
    empty = is_zero.flatten(1).all(dim=1).nonzero().flatten()
    if 0 < len(empty) < len(is_zero) and _jumps(question, empty):
        log.warning(
            f"{method!r} gives 0 to every input of row {int(empty[0])} ({len(empty)} such rows), although its score "
            f"differs from that of other such rows or of zeros: its gradient is 0 there; choose {WITHOUT_GRADIENTS}"
        )


def unreached(question: Question, moved: Bool[Tensor, " *input"]) -> Bool[Tensor, " *input"] | None:
    """The moved inputs that change the score of one of the rows without a gradient anywhere; None if there are none."""
    if not bool(moved.any()):
        return None
    chosen, towards = _ways(question, torch.arange(len(question.x)))
    num_points = FEW_POINTS
    for _ in range(MOST_LOOKS):
        if not bool(moved.any()):
            return None
        changes, slopes = _along(question.about(chosen), towards, moved, num_points)
        if not bool(changes.any()):
            return None
        has_slope = slopes.flatten(0, 1).any(dim=0)
        if num_points == MANY_POINTS and not bool(has_slope.any()):
            return moved
        # With inputs that have a gradient left out, the others must change the score alone.
        moved, num_points = moved & ~has_slope, num_points if bool(has_slope.any()) else MANY_POINTS
    return None


def _jumps(question: Question, rows: Int[Tensor, " some"]) -> bool:
    """Whether the score of one of the rows changes on a way on which no input has a gradient anywhere."""
    chosen, towards = _ways(question, rows)
    asked, moved = question.about(chosen), torch.ones_like(question.x[0], dtype=torch.bool)
    for num_points in (FEW_POINTS, MANY_POINTS):
        changes, slopes = _along(asked, towards, moved, num_points)
        if not bool((changes & ~slopes.flatten(2).any(dim=2)).any()):
            return False
    return True


def _ways(
    question: Question, rows: Int[Tensor, " some"]
) -> tuple[Int[Tensor, " row"], Float[Tensor, " end row *input"]]:
    """A few of the rows, and where each is moved to: the next of them, and zeros."""
    place = torch.linspace(0, len(rows) - 1, min(MOST_ROWS, len(rows))).round().long()
    chosen, after = (of.to(question.x.device) for of in (rows[place], rows.roll(-1)[place]))
    return chosen, torch.stack([question.x[after], torch.zeros_like(question.x[chosen])])


def _along(
    question: Question, towards: Float[Tensor, " end row *input"], moved: Bool[Tensor, " *input"], num_points: int
) -> tuple[Bool[Tensor, " end row"], Bool[Tensor, " end row *input"]]:
    """On which ways the score changes, and which moved inputs have a gradient other than 0 at some point of each."""
    way = (towards - question.x) * moved
    if not bool(way.any()):
        return torch.zeros(way.shape[:2], dtype=torch.bool, device=way.device), torch.zeros_like(way, dtype=torch.bool)
    share = torch.linspace(0, 1, num_points + 1).to(way).reshape(-1, 1, *[1] * (way.ndim - 1))
    points = (question.x + share * way).flatten(0, 2)
    row = torch.arange(len(question.x), device=points.device).repeat(len(points) // len(question.x))
    scores, slopes = [], []
    for some in torch.arange(len(points), device=points.device).split(question.rows_at_once):
        target, index = question.target[row[some]], question.index[row[some]]
        forward = pass_over(question.model, points[some], target, index=index, seed=question.seed).unobserved()
        found = score_named(question.score, forward)(forward.outputs, target)
        slopes.append(moved & (forward.gradient(found.sum(), forward.x, create_graph=False) != 0))
        scores.append(found.detach())
    first, *_, last = torch.cat(scores).view(num_points + 1, *way.shape[:2])
    least = torch.finfo(first.dtype).eps ** 0.5 * (first.abs() + last.abs())
    return (last - first).abs() > least, torch.cat(slopes).view(num_points + 1, *way.shape).any(dim=0)


def inputs_named(cut: Bool[Tensor, " *input"], columns: Columns | None) -> str:
    """The inputs in words."""
    places = cut.nonzero()
    if len(places) == cut.numel():
        return "every input"
    names = columns.names if columns is not None and cut.ndim == 1 else None
    first = tuple(places[0].tolist())
    word = repr(names[first[0]]) if names else f"{first[0] if len(first) == 1 else first}"
    return f"input {word} ({len(places)} such inputs of {cut.numel()})"
