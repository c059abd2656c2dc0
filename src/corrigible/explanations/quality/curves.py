"""Petsiuk, Das and Saenko 2018, RISE: randomized input sampling for explanation of black-box models, section 4.1.

Deletion and insertion: how fast the score falls when inputs are replaced by the baseline, the most attributed first,
and how fast it rises when they are put into the baseline in that order. Deletion is the pixel flipping of Bach et al.
2015.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.explanations.baselines import Baseline, baseline_row
from corrigible.explanations.counts import require_count
from corrigible.explanations.groups import Groups, groups_of
from corrigible.explanations.quality._given import flat_of, require_same_shape_of
from corrigible.explanations.quality._order import Order, order_of
from corrigible.explanations.quality._scoring import blocks, scores
from corrigible.explanations.question import Question, question_of
from corrigible.models.forward import Score
from corrigible.tasks import TaskChoice
from corrigible.types import Columns


def deletion_curve(
    model: Any,
    x: Any,
    target: Any,
    attribution: Float[Tensor, " batch ..."],
    *,
    steps: int = 20,
    baseline: Baseline = None,
    groups: Groups = None,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    columns: Columns | None = None,
    seed: int = 0,
    rows_at_once: int | None = None,
) -> Float[Tensor, " batch step"]:
    """The score after 0, 1, … ``steps`` equal shares of groups are replaced by the baseline, most attributed first.

    Groups are ranked by their summed attribution, sign included. Groups that tie at a cut are replaced together, each
    by the same share: such a point is the mean over all orders of the tied groups, and a row without any attribution
    fades evenly. After k steps, round(k · groups / steps) groups are replaced.

    Args:
        target: a class, one per row, or None as in `explain`; pairs (batch, 2) ask why one rather than another.
        attribution: in the shape of x.
        baseline: None for zeros (1/k in a category's k columns); a number, or a tensor that broadcasts to one row.
        groups: see `corrigible.explanations.groups`; None for the pixels of (batch, channel, height, width), each with
            all its channels, for the features that ``columns`` names, and for each input of other rows.
        score: what the curve shows, by default the probability of the target class, or the task's own score.
        task: what the outputs mean, as in `explain`.
        columns: which columns of a table make up which feature.
        rows_at_once: how many points the model runs on at once; None for as many as keep its activations in the
            processor's cache.

    Raises:
        RecipeError: fewer than 1 step, or an unknown score.
        DataError: x, target, groups, columns or a baseline that do not fit, an attribution of another shape, NaN or
            infinite.
    """
    question, ranking, empty = _asked(
        model, x, target, attribution, baseline=baseline, groups=groups, columns=columns, score=score, task=task,
        seed=seed, rows_at_once=rows_at_once,
    )  # fmt: skip
    return _curve(question, ranking, steps, empty, inserts=False)


def insertion_curve(
    model: Any,
    x: Any,
    target: Any,
    attribution: Float[Tensor, " batch ..."],
    *,
    steps: int = 20,
    baseline: Baseline = None,
    groups: Groups = None,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    columns: Columns | None = None,
    seed: int = 0,
    rows_at_once: int | None = None,
) -> Float[Tensor, " batch step"]:
    """The score after 0, 1, … ``steps`` equal shares of groups are put into the baseline, most attributed first.

    For arguments, ties and errors see `deletion_curve`.
    """
    question, ranking, empty = _asked(
        model, x, target, attribution, baseline=baseline, groups=groups, columns=columns, score=score, task=task,
        seed=seed, rows_at_once=rows_at_once,
    )  # fmt: skip
    return _curve(question, ranking, steps, empty, inserts=True)


def deletion_auc(
    model: Any,
    x: Any,
    target: Any,
    attribution: Float[Tensor, " batch ..."],
    *,
    steps: int = 20,
    baseline: Baseline = None,
    groups: Groups = None,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    columns: Columns | None = None,
    seed: int = 0,
    rows_at_once: int | None = None,
) -> Float[Tensor, " batch"]:
    """Area under the deletion curve over the share of groups replaced, by trapezoids; lower is better.

    In units of the score: a mean of probabilities by default. For arguments and errors see `deletion_curve`.
    """
    question, ranking, empty = _asked(
        model, x, target, attribution, baseline=baseline, groups=groups, columns=columns, score=score, task=task,
        seed=seed, rows_at_once=rows_at_once,
    )  # fmt: skip
    return _area(_curve(question, ranking, steps, empty, inserts=False), ranking, steps)


def insertion_auc(
    model: Any,
    x: Any,
    target: Any,
    attribution: Float[Tensor, " batch ..."],
    *,
    steps: int = 20,
    baseline: Baseline = None,
    groups: Groups = None,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    columns: Columns | None = None,
    seed: int = 0,
    rows_at_once: int | None = None,
) -> Float[Tensor, " batch"]:
    """Area under the insertion curve over the share of groups put in, by trapezoids; higher is better.

    In units of the score: a mean of probabilities by default. For arguments and errors see `deletion_curve`.
    """
    question, ranking, empty = _asked(
        model, x, target, attribution, baseline=baseline, groups=groups, columns=columns, score=score, task=task,
        seed=seed, rows_at_once=rows_at_once,
    )  # fmt: skip
    return _area(_curve(question, ranking, steps, empty, inserts=True), ranking, steps)


@dataclass(frozen=True)
class Ranking:
    """The rank of each input's group among the groups of its row."""

    order: Order
    num_groups: Float[Tensor, " batch 1"]

    def counts(self, steps: int) -> Float[Tensor, " batch step"]:
        """How many groups are taken after each step, from none to all.

        Raises:
            RecipeError: fewer than 1 step.
        """
        require_count("steps", steps)
        return (self.num_groups * torch.arange(steps + 1) / steps).round()

    def taken(self, counts: Float[Tensor, " row step"], rows: slice) -> Float[Tensor, " row step inputs"]:
        """The share by which each input is taken when ``counts`` groups of these rows are.

        This is the probability that its group is taken if ties are broken at random.
        """
        above, ties = (part[rows, None] for part in (self.order.above, self.order.ties))
        return ((counts[:, :, None].to(above) - above) / ties).clamp_(0, 1)


def ranking_of(x: Tensor, attribution: Tensor, groups: Groups, columns: Columns | None = None) -> Ranking:
    """The rank of each input's group by summed attribution, largest first.

    Raises:
        DataError: an attribution of another shape, NaN or infinite; groups or columns that do not fit.
    """
    require_same_shape_of(attribution, x.shape, "x")
    values = flat_of(attribution)
    if groups is None and x.ndim == 4:
        groups = torch.arange(x[0, 0].numel()).reshape(x.shape[2:]).expand(x.shape[1:])
    labels = groups_of(x, groups, columns).cpu().flatten(1).expand_as(values)
    sums, sizes = (
        torch.zeros(len(x), int(labels.max()) + 1, dtype=torch.float64).scatter_add(1, labels, of)
        for of in (values, torch.ones_like(values))
    )
    # Numbers that no input of the row has are not groups of the row, and must rank behind all others.
    order = order_of(sums.masked_fill(sizes == 0, -torch.inf))
    # Not in the precision of x, which may be half and would round counts.
    above, ties = (part.gather(1, labels).to(x.device, torch.float32) for part in (order.above, order.ties))
    return Ranking(Order(above, ties), (sizes > 0).sum(dim=1, keepdim=True).double())


def without_top_of(x: Tensor, ranking: Ranking, share: float, empty: Tensor) -> Float[Tensor, " batch *input"]:
    """The rows with this share of their groups replaced by ``empty``, in the order of the ranking."""
    counts = (share * ranking.num_groups).round()
    taken = ranking.taken(counts, slice(None)).reshape(x.shape).to(x)
    return torch.lerp(x, empty.expand_as(x), taken)


def _asked(
    model: Any,
    x: Any,
    target: Any,
    attribution: Tensor,
    *,
    baseline: Baseline,
    groups: Groups,
    columns: Columns | None,
    **asked: Any,
) -> tuple[Question, Ranking, Tensor]:
    """The question, the rank of each input's group, and what stands for absent inputs."""
    question = question_of(model, x, target, columns=columns, of_classes="target_prob", **asked)
    ranking = ranking_of(question.x, attribution, groups, columns)
    return question, ranking, baseline_row(baseline, question.x, columns)


def _curve(question: Question, ranking: Ranking, steps: int, empty: Tensor, *, inserts: bool) -> Tensor:
    counts = ranking.counts(steps)
    found = torch.empty_like(counts)
    with question.looking():
        for some, points in blocks(question, counts.shape[1]):
            whole, some_counts = question.x[some, None], counts[some, points]
            share = ranking.taken(some_counts, some).reshape(*some_counts.shape, *empty.shape).to(whole)
            changed = torch.lerp(empty, whole, share) if inserts else torch.lerp(whole, empty, share)
            found[some, points] = scores(question, changed, some)
    return found


def _area(curve: Tensor, ranking: Ranking, steps: int) -> Tensor:
    return torch.trapezoid(curve, ranking.counts(steps) / ranking.num_groups, dim=1)
