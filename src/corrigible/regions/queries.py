"""Which rows to ask a person about next: each strategy gives every row a number, and the largest is asked about first.

The strategies look at explanations, because a model that is right for a wrong reason is sure of itself: uncertainty, by
which active learning asks for labels (Settles 2009), does not show it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cosine_similarity

from corrigible.errors import UnsupportedModelError
from corrigible.explanations.counts import require_count
from corrigible.explanations.quality.complexity import effective_inputs
from corrigible.methods import method_named
from corrigible.regions.looked import Looked
from corrigible.regions.maps import kept
from corrigible.types import Feedback

USUAL = 0.8
"""Share of the attribution of a class's rows that its usual places hold."""
RARE = 0.1
"""A place is rare in a class if at most this share of its rows have more than an even share of attribution there."""
UNIFORM_EVERY = 10
"""Of so many rows one is drawn at random, so that nothing is missed for ever."""
NUM_TYPICAL = 4
"""Rows that stand for many are asked about first, also when something was marked already: there may be several cues."""
ALIKE = 0.5
"""A row is like a rejected one if it has this share of the most attribution that any row has there; and two marked
regions are one place if their cosine is as large."""
MOST_TURNS = 1000
"""More clusters than any class has."""


class Wishes(NamedTuple):
    """How much a strategy wants to ask about each row, and why."""

    score: Float[Tensor, " row"]
    reason: Callable[[int], str]
    """Of the row at a place, in plain words."""


Strategy = Callable[[Looked], Wishes]


@dataclass(frozen=True)
class Query:
    """A row to ask a person about."""

    row: int
    """Its position in the data."""
    reason: str
    """Why, in plain words."""
    score: float
    """How much the strategy wants to ask about it; comparable within one strategy only."""


def uniform(looked: Looked) -> Wishes:
    """Rows drawn at random: the only strategy that tells how often something occurs."""
    draws = torch.rand(len(looked), generator=torch.Generator().manual_seed(looked.seed), dtype=torch.float64)
    return Wishes(draws, lambda place: "drawn at random, so that nothing is missed for ever")


def cluster_medoids(looked: Looked) -> Wishes:
    """The row in the middle of each cluster of a class's explanations, clusters of the most alike rows first.

    What stands at the same place in every image gives explanations that are more alike than what the class looks like.
    Classes take turns, because all rows of a class may look alike; then come the rows next to the middle.
    """
    score = torch.full((len(looked),), -3.0 * MOST_TURNS * len(looked), dtype=torch.float64)
    sizes = torch.ones(len(looked), dtype=torch.long)
    for of_class in looked.clusters:
        clusters = [of_class.rows[of_class.cluster == number] for number in range(len(of_class.means))]
        likeness = [
            cosine_similarity(looked.shares[rows].double(), mean.double()[None])
            for rows, mean in zip(clusters, of_class.means, strict=True)
        ]
        turns = sorted(range(len(clusters)), key=lambda number: -float(likeness[number].mean()))
        for turn, number in enumerate(turns):
            rows, order = clusters[number], likeness[number].argsort(descending=True, stable=True)
            rounds = torch.arange(len(rows), dtype=torch.float64) * MOST_TURNS + turn
            # The mean likeness is at most 1, so that every class has its turn before the next round.
            score[rows[order]] = likeness[number].mean() - 2 * rounds
            sizes[rows] = len(rows)
    return Wishes(score, lambda place: f"typical of {sizes[place]} rows that the model predicts for the same reasons")


def unusual_places(looked: Looked) -> Wishes:
    """Rows whose attribution lies where the attribution of their class usually does not."""
    outside = torch.zeros(len(looked), dtype=torch.float64)
    for label in looked.target.unique().tolist():
        rows = (looked.target == label).nonzero().flatten()
        usual = kept(looked.shares[rows].mean(dim=0), USUAL) > 0
        outside[rows] = looked.shares[rows][:, ~usual].sum(dim=1).double()
    return Wishes(
        outside, lambda place: f"{_percent(outside[place])} of the explanation lies where its class usually has little"
    )


def concentrated_attribution(looked: Looked) -> Wishes:
    """Rows whose prediction hangs on the fewest parts of the input: by the entropy of the attribution."""
    parts = effective_inputs(looked.shares.double()).nan_to_num(looked.shares.shape[1])
    return Wishes(
        -parts.log(), lambda place: f"the prediction hangs on about {max(1, round(float(parts[place])))} parts"
    )


def confidence_without_support(looked: Looked) -> Wishes:
    """Rows that the model is sure of for a reason that few rows of the class have.

    The largest probability times the share of the attribution in places where at most a tenth of the class's rows have
    more than an even share. Where the task has no classes, every row counts as sure.
    """
    rare = torch.zeros(len(looked), dtype=torch.float64)
    for label in looked.target.unique().tolist():
        rows = (looked.target == label).nonzero().flatten()
        shares = looked.shares[rows]
        is_rare = (shares > 1 / shares.shape[1]).double().mean(dim=0) <= RARE
        rare[rows] = shares[:, is_rare].sum(dim=1).double()
    sure = torch.ones_like(rare) if looked.log_probs is None else _mean_log_probs(looked).exp().amax(dim=1)
    return Wishes(
        rare * sure, lambda place: f"sure, and {_percent(rare[place])} of the reason is one that few rows have"
    )


def more_like_this(looked: Looked) -> Wishes:
    """Rows whose attribution lies most in a region that was marked as irrelevant on another row."""
    inside = _in_rejected(looked)
    return Wishes(
        inside, lambda place: f"{_percent(inside[place])} of the explanation lies where another row was marked"
    )


def prediction_entropy(looked: Looked) -> Wishes:
    """Rows whose prediction is least certain: by the entropy of the mean probabilities over passes.

    Raises:
        UnsupportedModelError: the task has no classes.
    """
    log_probs = _mean_log_probs(looked)
    entropy = -torch.xlogy(log_probs.exp(), log_probs.exp()).sum(dim=1)
    return Wishes(entropy, lambda place: f"uncertain: {_percent(log_probs[place].max().exp())} for the predicted class")


def disagreement(looked: Looked) -> Wishes:
    """Rows on which the passes of the network disagree most (BALD; Houlsby et al. 2011).

    Raises:
        UnsupportedModelError: the task has no classes, or the network predicts in a single pass.
    """
    log_probs = _mean_log_probs(looked)
    assert looked.log_probs is not None
    if len(looked.log_probs) == 1:
        raise UnsupportedModelError(
            "the network predicts in a single pass; disagreement needs several: those of an Ensemble, or samples of a "
            "Bayesian network or of dropout, looked_at(model, data, samples=8)"
        )
    probs = looked.log_probs.double().exp()
    within = -torch.xlogy(probs, probs).sum(dim=2).mean(dim=0)
    total = -torch.xlogy(log_probs.exp(), log_probs.exp()).sum(dim=1)
    return Wishes((total - within).clamp_min(0), lambda place: "the passes of the network disagree about it")


def alike_after_medoids(looked: Looked) -> Wishes:
    """The usual order: first rows that stand for many, then rows like each of those that were marked, in turn.

    Every tenth row is drawn at random. Where nothing is marked, rows that stand for many go on.
    """
    typical, drawn, alike = cluster_medoids(looked), uniform(looked), more_like_this(looked)
    wishes = {"typical": typical, "drawn": drawn, "alike": alike}
    orders = {"typical": _order(typical.score), "drawn": _order(drawn.score), "alike": _in_turn(looked)}
    waiting = {kind: iter(order) for kind, order in orders.items()}
    taken, kinds = ~looked.is_open, ["typical"] * len(looked)
    score = torch.zeros(len(looked), dtype=torch.float64)
    for position in range(looked.num_done, len(looked)):
        is_drawn = position % UNIFORM_EVERY == UNIFORM_EVERY - 1
        tried = ("drawn",) if is_drawn else ("typical",) if position < NUM_TYPICAL else ("alike", "typical")
        kind, place = next((kind, place) for kind in tried for place in waiting[kind] if not taken[place])
        taken[place], kinds[place], score[place] = True, kind, len(looked) - position
    return Wishes(score, lambda place: wishes[kinds[place]].reason(place))


def _in_turn(looked: Looked) -> list[int]:
    """Rows like each place that was rejected, the most alike first; places take turns, the least often marked first."""
    if looked.rejected is None:
        return []
    marked: list[Tensor] = []
    counts: list[int] = []
    for region in looked.rejected.double():
        same = [number for number, old in enumerate(marked) if cosine_similarity(old, region, dim=0) >= ALIKE]
        if same:
            counts[same[0]] += 1
        else:
            marked.append(region)
            counts.append(1)
    inside = looked.shares.double() @ torch.stack(marked).T
    queues = []
    for number in sorted(range(len(marked)), key=lambda number: counts[number]):
        of_place = inside[:, number]
        queues.append(
            [row for row in _order(of_place) if of_place[row] >= ALIKE * of_place.max() and of_place[row] > 0]
        )
    is_open = looked.is_open.tolist()
    left = [[row for row in queue if is_open[row]] for queue in queues]
    return [row for turn in zip_longest(*left) for row in turn if row is not None]


QUERIES: Mapping[str, Strategy] = {
    strategy.__name__: strategy
    for strategy in (
        alike_after_medoids,
        uniform,
        cluster_medoids,
        unusual_places,
        concentrated_attribution,
        confidence_without_support,
        more_like_this,
        prediction_entropy,
        disagreement,
    )
}
"""Every strategy by name; the first is the usual one."""
USUAL_STRATEGY = "alike_after_medoids"


def next_queries(
    looked: Looked,
    *,
    strategy: str | Strategy = USUAL_STRATEGY,
    count: int = 20,
    feedback: Iterable[Feedback] = (),
    answered: Iterable[int] = (),
) -> list[Query]:
    """The rows to ask about next, in their order; rows that were answered about or marked are passed over.

    Args:
        looked: what `looked_at` saw, to which no feedback was added yet.
        feedback: what stands of what was said about these rows, about classes and about every row.
        answered: positions of rows in the data about which somebody answered without marking anything.

    Raises:
        RecipeError: no strategy has that name, or a count below 1.
        UnsupportedModelError: the strategy needs what the model does not give.
    """
    require_count("count", count)
    looked = looked.after(feedback, answered)
    wishes = method_named(strategy, QUERIES, "strategy")(looked)
    places = [place for place in _order(wishes.score) if looked.is_open[place]][:count]
    return [Query(int(looked.index[place]), wishes.reason(place), float(wishes.score[place])) for place in places]


def _order(score: Float[Tensor, " row"]) -> list[int]:
    found: Int[Tensor, " row"] = score.argsort(descending=True, stable=True)
    return found.tolist()


def _percent(share: float | Tensor) -> str:
    return f"{100 * float(share):.0f}\u00a0%"


def _in_rejected(looked: Looked) -> Float[Tensor, " row"]:
    """The largest share of each row's attribution that lies in one rejected region; 0 where nothing is rejected."""
    if looked.rejected is None:
        return torch.zeros(len(looked), dtype=torch.float64)
    return (looked.shares.double() @ looked.rejected.double().T).amax(dim=1)


def _mean_log_probs(looked: Looked) -> Float[Tensor, " row num_classes"]:
    if looked.log_probs is None:
        raise UnsupportedModelError(
            "the task has no probabilities of classes; name a strategy that looks at explanations"
        )
    found: Tensor = looked.log_probs.double().logsumexp(dim=0) - torch.tensor(float(len(looked.log_probs))).log()
    return found
