"""Whether the gradient of a score is how the score changes.

A model may compute one part with a gradient and another, of the same inputs, without: detached or under ``no_grad``.
Then no input has a gradient of exactly 0, but the gradient is that of the first part alone. So a few rows
are moved along their gradient. If the score of most of them does not change as the gradient says, however far they are
moved, a record says so.
"""

import logging
from collections.abc import Hashable
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.explanations.passes import pass_over
from corrigible.explanations.question import Question
from corrigible.explanations.reached import WITHOUT_GRADIENTS
from corrigible.explanations.scores import name_of_score, score_named
from corrigible.models.forward import Forward
from corrigible.models.own_outputs import spread_rows, weights_now

DISTANCES = (0.1, 0.01, 0.001)
"""How far a row is moved, in standard deviations of its inputs over the rows: far enough for a gain that rounding does
not hide, or near enough for the gradient to be the same at both ends."""
AGREEMENT = 0.8
"""The smallest share of one gain in the other at which they agree."""
MOST_ROWS, LEAST_ROWS = 8, 2
"""How many rows are moved, and how many of them must change the score by more than rounding does."""
MOST_COMPARED = 256
"""Rows whose spread is taken."""
log = logging.getLogger(__name__)


_CHECKED: "WeakKeyDictionary[nn.Module, Hashable]" = WeakKeyDictionary()
"""Each model that was looked at, with the weights, the kind of rows and the score."""


def warn_of_other_slopes(question: Question, method: str) -> None:
    """Log a warning if the score changes along its gradient by something else than the gradient says.

    This takes seven passes over up to eight rows, unless the last call was about the same model,
    weights, kind of rows and score.
    """
    now = weights_now(question.model), tuple(question.x.shape[1:]), name_of_score(question.score)
    if _CHECKED.get(question.model) == now:
        return
    _CHECKED[question.model] = now
    places = spread_rows(len(question.x), min(MOST_ROWS, question.rows_at_once))
    asked = question.about(places.to(question.x.device))
    slope, score = _slope(asked)
    spread = question.x[:MOST_COMPARED].double().std(dim=0, correction=0).to(slope)
    scaled = slope * spread
    size = scaled.flatten(1).norm(dim=1)
    way = scaled * spread / size.clamp_min(torch.finfo(size.dtype).tiny).reshape(-1, *[1] * (slope.ndim - 1))
    said = 2 * (slope * way).flatten(1).sum(dim=1)
    # Saturated rows are left out: what their gradient says is lost in the rounding of the score.
    is_known = (DISTANCES[0] * said > torch.finfo(said.dtype).eps ** 0.5 * score.abs()) & said.isfinite()
    if int(is_known.sum()) < LEAST_ROWS:
        return
    found = torch.stack([_gain(asked, distance * way) / (distance * said) for distance in DISTANCES])[:, is_known]
    agree = ((found > AGREEMENT) & (found < 1 / AGREEMENT)).any(dim=0)
    if 2 * int(agree.sum()) >= len(agree):
        return
    log.warning(
        f"{method!r} follows gradients, but along them the score changes {float(found[0].median()):.2g} times as much "
        f"as they say (the median of {len(agree)} rows): the model may compute a part of it with detach or no_grad, "
        f"which this method does not see; choose {WITHOUT_GRADIENTS}"
    )


def _slope(question: Question) -> tuple[Float[Tensor, " row *input"], Float[Tensor, " row"]]:
    """The gradient of each row's score, and the score."""
    forward = _pass(question, question.x)
    score = score_named(question.score, forward)(forward.outputs, question.target)
    return forward.gradient(score.sum(), forward.x, create_graph=False).detach(), score.detach()


@torch.no_grad()
def _gain(question: Question, way: Float[Tensor, " row *input"]) -> Float[Tensor, " row"]:
    """The score at the end of each way, minus that at the same distance in the opposite direction."""
    after, before = (_pass(question, question.x + sign * way) for sign in (1, -1))
    scores = [score_named(question.score, each)(each.outputs, question.target) for each in (after, before)]
    return scores[0] - scores[1]


def _pass(question: Question, x: Float[Tensor, " row *input"]) -> Forward:
    return pass_over(question.model, x, question.target, index=question.index, seed=question.seed).unobserved()
