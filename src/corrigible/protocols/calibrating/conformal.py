"""Vovk, Gammerman and Shafer 2005, algorithmic learning in a random world: split conformal prediction.

A score says how odd a class is for a row; its set holds the classes that are no odder than labels of calibration rows
mostly are. Scores: Sadinle, Lei and Wasserman 2019, Least ambiguous set-valued classifiers with bounded error
levels; Romano, Sesia and Candès 2020, Classification with valid and adaptive coverage, without randomisation.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from corrigible.arguments import whole_number
from corrigible.data.arrays import inputs
from corrigible.data.dataset import task_of
from corrigible.data.group_values import all_groups
from corrigible.errors import DataError, RecipeError, unknown
from corrigible.figures import number
from corrigible.intervals import bootstrapped_mean
from corrigible.models.networks import network_of
from corrigible.printable import plural
from corrigible.protocols.calibrating.exchanged_rows import ROWS_AT_ONCE, calibration_rows, exchanged_logits, logits_of
from corrigible.protocols.schedule import require_fit
from corrigible.types import Measurement, Measurements, Task


@dataclass(frozen=True)
class ConformalSets:
    """A network with a threshold: the classes whose score is at most that make up a row's set."""

    model: nn.Module
    task: Task
    alpha: float
    """The share of rows whose label may be missing from the set."""
    threshold: float
    score: str
    num_rows: int
    is_exchanged: bool
    """Whether marked content of the calibration rows was exchanged."""
    samples: int | None
    seed: int

    def sets(self, x: Any) -> Bool[Tensor, " row num_classes"]:
        """True for the classes in each row's set, on the CPU; of the score "least_ambiguous" a set may be empty."""
        how: dict[str, Any] = {"samples": self.samples, "seed": self.seed}
        parts = [_probs(logits_of(self.model, part, self.task, **how)) for part in inputs(x).split(ROWS_AT_ONCE)]
        return SCORES[self.score](torch.cat(parts)) <= self.threshold

    def coverage(
        self, data: Any, feedback: Any = None, *, validation: Any = None, num_resamples: int = 1000, seed: Any = 0
    ) -> Measurements:
        """How often the sets hold the label, and how many classes they hold, also of each group, with 95 % intervals.

        Args:
            data, feedback, validation: rows as `conformal_sets` takes them, not those that the threshold is from; with
                feedback marked content is exchanged between them.

        Raises:
            DataError, FeedbackError: as `conformal_sets`.
        """
        rows, seed = calibration_rows(data, feedback, validation), whole_number("seed", seed)
        logits = exchanged_logits(self.model, rows, num_exchanges=1, samples=self.samples, seed=seed)
        sets, found = SCORES[self.score](_probs(logits)) <= self.threshold, Measurements()
        holds = sets.gather(1, rows.y[:, None])[:, 0].double()
        parts = {"": torch.ones(len(holds), dtype=torch.bool)}
        if (group := all_groups(rows.dataset)) is not None:
            names = tuple(getattr(rows.dataset, "group_names", ()))
            for value in group.unique().tolist():
                name = names[value] if 0 <= value < len(names) else value
                parts[f"group {name}"] = group[rows.index] == value
        for metric, values in (("set_coverage", holds), ("mean_set_size", sets.sum(dim=1).double())):
            found += [_mean(metric, values[of], part, num_resamples, seed) for part, of in parts.items()]
        return found

    def __str__(self) -> str:
        how = "with marked content exchanged" if self.is_exchanged else "as they are"
        begin = f"{_in_words(self.alpha)} sets from {plural(self.num_rows, 'row')} {how}"
        if self.score == "least_ambiguous":
            return f"{begin}: classes with a probability of at least {number(1 - self.threshold)}"
        return f"{begin}: classes while the likelier ones have a probability of at most {number(self.threshold)}"

    def __repr__(self) -> str:
        return f"ConformalSets({self})"


def conformal_sets(
    model: nn.Module,
    data: Any,
    feedback: Any = None,
    *,
    validation: Any = None,
    alpha: float = 0.1,
    score: str = "least_ambiguous",
    samples: int | None = None,
    seed: Any = 0,
) -> ConformalSets:
    """Sets of classes that hold the label of a new row with a probability of at least 1 − alpha, whatever the model.

    That holds for rows like those to calibrate on, drawn independently and not learned by the model; on average over
    rows, not for each group or class. With feedback marked content is exchanged between the rows, so it holds where
    that content says nothing of the label. Each row is exchanged once, because several copies of a row are not
    independent; all contents are dealt out by one permutation. The threshold is the k-th smallest score of the labels
    of n rows, k = ⌈(n + 1)(1 − alpha)⌉.

    Args:
        model: a network of classes, Bayesian or not, or an ensemble; the sets keep it, not a copy.
        data, feedback, validation: as `temperature_scaled` takes them.
        alpha: the share of rows whose label may be missing, between 0 and 1.
        score: "least_ambiguous", 1 − the class's probability, which gives the smallest sets on average, some of them
            empty; "adaptive", the sum of the larger probabilities, which gives larger sets to harder rows, none empty.
        samples: how many networks are drawn of a distribution; the mean of their probabilities counts. None for the
            network at the means of its weights.
        seed: settles the exchange and the samples.

    Raises:
        DataError: fewer than 1/alpha − 1 rows; data without classes.
        FeedbackError: feedback that does not fit, or marks nothing that differs between the rows.
        ValueError: an ``alpha`` that is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; expected a number between 0 and 1")
    if score not in SCORES:
        raise RecipeError(unknown("score", score, SCORES))
    rows, seed, network = calibration_rows(data, feedback, validation), whole_number("seed", seed), network_of(model)
    place = rank_of_threshold(len(rows.index), alpha)
    require_fit(network, rows.dataset)
    logits = exchanged_logits(network, rows, num_exchanges=1, samples=samples, seed=seed)
    of_labels = SCORES[score](_probs(logits)).gather(1, rows.y[:, None])[:, 0]
    threshold = float(of_labels.sort().values[place - 1])
    about = {"num_rows": len(rows.index), "is_exchanged": rows.is_exchanged, "samples": samples, "seed": seed}
    return ConformalSets(network, task_of(rows.dataset), alpha, threshold, score, **about)


def rank_of_threshold(num_rows: int, alpha: float) -> int:
    """Which of the sorted scores of this many rows is the threshold, counted from 1: ⌈(n + 1)(1 − alpha)⌉.

    Raises:
        DataError: there is none, because there are fewer than 1/alpha − 1 rows.
    """
    # The decimal that was written: in binary, 20 · 0.95 may be more than 19.
    share = 1 - Fraction(str(float(alpha)))
    rank = math.ceil((num_rows + 1) * share)
    if rank > num_rows:
        least = math.ceil(1 / (1 - share)) - 1
        raise DataError(
            f"{plural(num_rows, 'row')} cannot give {_in_words(alpha)} sets; expected at least {least} rows that the "
            "model has not learned, or a larger alpha"
        )
    return rank


def _in_words(alpha: float) -> str:
    return f"{100 * (1 - alpha):.12g} %"


def _probs(logits: Float[Tensor, " pass row num_classes"]) -> Float[Tensor, " row num_classes"]:
    return log_softmax(logits, dim=2).exp().mean(dim=0)


def _least_ambiguous(probs: Float[Tensor, " row num_classes"]) -> Float[Tensor, " row num_classes"]:
    return 1 - probs


def _adaptive(probs: Float[Tensor, " row num_classes"]) -> Float[Tensor, " row num_classes"]:
    """The sum of the probabilities of likelier classes; of equal ones those with a smaller number count as likelier."""
    falling, order = probs.sort(dim=1, descending=True, stable=True)
    before = torch.cat([torch.zeros_like(falling[:, :1]), falling.cumsum(dim=1)[:, :-1]], dim=1)
    return torch.empty_like(probs).scatter(1, order, before)


SCORES: Mapping[str, Callable[[Tensor], Tensor]] = {"least_ambiguous": _least_ambiguous, "adaptive": _adaptive}


def _mean(metric: str, values: Tensor, part: str, num_resamples: int, seed: int) -> Measurement:
    if not len(values):
        return Measurement(metric, None, part=part, note="not measured: no row of this group")
    low = high = None
    if num_resamples:
        low, high = bootstrapped_mean(values, num_resamples=num_resamples, seed=seed).tolist()
    return Measurement(metric, float(values.mean()), low, high, len(values), part)
