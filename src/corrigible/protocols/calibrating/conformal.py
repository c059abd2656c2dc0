"""Vovk, Gammerman and Shafer 2005, algorithmic learning in a random world: split conformal prediction.

A score says how odd a class is for a row; its set holds the classes that are no odder than labels of calibration rows
mostly are. Scores: Sadinle, Lei and Wasserman 2019, Least ambiguous set-valued classifiers with bounded error
levels; Romano, Sesia and Candès 2020, Classification with valid and adaptive coverage, without randomisation.
"""

import math
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from corrigible.arguments import whole_number
from corrigible.data.arrays import columns_in, inputs
from corrigible.data.dataset import task_of
from corrigible.data.group_values import all_groups
from corrigible.data.protocol import columns_of
from corrigible.data.trained_columns import require_columns, require_same_columns
from corrigible.errors import DataError, RecipeError, unknown
from corrigible.explanations.inputs import checked_output
from corrigible.figures import number
from corrigible.intervals import bootstrapped_mean, require_few
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.networks import network_of
from corrigible.printable import plural
from corrigible.protocols.calibrating.exchanged_rows import (
    ROWS_AT_ONCE,
    calibration_rows,
    exchanged_logits,
    logits_of,
    require_probabilities,
)
from corrigible.protocols.schedule import require_fit
from corrigible.types import Columns, Measurement, Measurements, Task


@dataclass(frozen=True)
class ConformalSets:
    """A network with a threshold: the classes whose score is at most that make up a row's set.

    `corrigible.protocols.calibrating.kept_sets.save_sets` keeps them in a file.
    """

    model: nn.Module
    task: Task
    alpha: float
    """The share of rows whose label may be missing from the set."""
    threshold: float
    """The largest score of a class in a set, as its log odds, log(score / (1 − score)), which tell scores near 0 and
    near 1 apart."""
    score: str
    num_rows: int
    is_exchanged: bool
    """Whether marked content of the calibration rows was exchanged."""
    samples: int | None
    seed: int
    columns: Columns | None = None
    """Those of the rows that the threshold is from; None if they have no names."""

    def sets(self, x: Any) -> Bool[Tensor, " row num_classes"]:
        """True for the classes in each row's set, on the CPU; of the score "least_ambiguous" a set may be empty.

        Raises:
            DataError: rows of another shape, with other columns, or whose probabilities are NaN.
        """
        self._require_columns(columns_in(x))
        rows, how = inputs(x), dict[str, Any](samples=self.samples, seed=self.seed)
        if len(rows):
            with evaluating(self.model):
                checked_output(self.model, like_parameters(rows[:1], self.model), len(rows), any_precision=True)
        logits = torch.cat([logits_of(self.model, part, self.task, **how) for part in rows.split(ROWS_AT_ONCE)], dim=1)
        require_probabilities(logits, torch.arange(len(rows)))
        return SCORES[self.score](logits) <= self.threshold

    def coverage(
        self, data: Any, feedback: Any = None, *, validation: Any = None, num_resamples: Any = 1000, seed: Any = 0
    ) -> Measurements:
        """How often the sets hold the label, and how many classes they hold, also of each group, with 95 % intervals.

        Args:
            data, feedback, validation: rows as `conformal_sets` takes them, not those that the threshold is from; with
                feedback marked content is exchanged between them.

        Raises:
            DataError, FeedbackError: as `conformal_sets`.
        """
        require_few(num_resamples)
        rows, seed = calibration_rows(data, feedback, validation, task=self.task), whole_number("seed", seed)
        self._require_columns(columns_of(rows.dataset))
        require_fit(self.model, rows.dataset)
        logits = exchanged_logits(self.model, rows, num_exchanges=1, samples=self.samples, seed=seed)
        sets, found = SCORES[self.score](logits) <= self.threshold, Measurements()
        holds = sets.gather(1, rows.y[:, None])[:, 0].double()
        parts = {"": torch.ones(len(holds), dtype=torch.bool)}
        if (group := all_groups(rows.dataset)) is not None:
            values = group.unique().tolist()
            names = _names(values, tuple(getattr(rows.dataset, "group_names", ())))
            parts |= {f"group {name}": group[rows.index] == value for value, name in zip(values, names, strict=True)}
        for metric, values in (("set_coverage", holds), ("mean_set_size", sets.sum(dim=1).double())):
            found += [_mean(metric, values[of], part, num_resamples, seed) for part, of in parts.items()]
        return found

    def _require_columns(self, columns: Columns | None) -> None:
        require_columns(self.model, columns)
        if columns is not None and self.columns is not None:
            require_same_columns(columns.names, self.columns.names, "the sets were calibrated on")

    def __str__(self) -> str:
        how = "with marked content exchanged" if self.is_exchanged else "as they are"
        begin = f"{_in_words(self.alpha)} sets from {plural(self.num_rows, 'row')} {how}"
        logarithm = -float(np.logaddexp(0.0, self.threshold))
        least = number(math.exp(logarithm)) if logarithm > LEAST_EXPONENT else f"e^{number(logarithm)}"
        if self.score == "least_ambiguous":
            return f"{begin}: classes with a probability of at least {least}"
        return f"{begin}: classes that have, with less likely ones, a probability of at least {least}"

    def __repr__(self) -> str:
        return f"ConformalSets({self})"


def conformal_sets(
    model: nn.Module,
    data: Any,
    feedback: Any = None,
    *,
    validation: Any = None,
    alpha: Any = 0.1,
    score: Any = "least_ambiguous",
    samples: Any = None,
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
        seed: settles the exchange, by the positions of the rows, and the samples.

    Raises:
        DataError: fewer than 1/alpha − 1 rows; data without classes.
        FeedbackError: feedback that does not fit, or marks nothing that differs between the rows.
        RecipeError: an ``alpha`` that is not between 0 and 1, an unknown score, or no number of samples.
    """
    alpha = _share(alpha)
    if not isinstance(score, str) or score not in SCORES:
        raise RecipeError(unknown("score", str(score), SCORES))
    samples = None if samples is None else whole_number("samples", samples, 1)
    rows, seed, network = calibration_rows(data, feedback, validation), whole_number("seed", seed), network_of(model)
    place = rank_of_threshold(len(rows.index), alpha)
    require_fit(network, rows.dataset)
    logits = exchanged_logits(network, rows, num_exchanges=1, samples=samples, seed=seed)
    of_labels = SCORES[score](logits).gather(1, rows.y[:, None])[:, 0]
    threshold = float(of_labels.sort().values[place - 1])
    about: dict[str, Any] = {"num_rows": len(rows.index), "is_exchanged": rows.is_exchanged, "samples": samples}
    about |= {"seed": seed, "columns": columns_of(rows.dataset)}
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


def _share(alpha: Any) -> float:
    """The share as the decimal that was written, also in single precision."""
    found = alpha.numpy(force=True)[()] if isinstance(alpha, Tensor) and alpha.ndim == 0 else alpha
    if isinstance(found, bool) or not isinstance(found, Real) or not 0 < float(found) < 1:
        raise RecipeError(f"alpha is {reprlib.repr(alpha)}; expected a number between 0 and 1")
    return float(str(found)) if isinstance(found, np.floating) else float(found)


def _names(values: list[int], known: tuple[str, ...]) -> list[str]:
    """The names of these groups, with their values beside them where two have the same."""
    names = [known[value] if 0 <= value < len(known) else str(value) for value in values]
    is_single = {name: names.count(name) == 1 for name in names}
    return [name if is_single[name] else f"{name} ({value})" for name, value in zip(names, values, strict=True)]


def _in_words(alpha: float) -> str:
    return f"{100 * (1 - alpha):.12g} %"


def _least_ambiguous(logits: Float[Tensor, " pass row num_classes"]) -> Float[Tensor, " row num_classes"]:
    """The log odds of 1 − the mean probability."""
    log_probs, likeliest = log_softmax(logits, dim=2), logits.argmax(dim=2, keepdim=True)
    # Of a sure prediction 1 − p would be 0, but the sum of the other probabilities is not.
    others = log_probs.scatter(2, likeliest, -torch.inf).logsumexp(dim=2, keepdim=True)
    against = torch.log1p(-log_probs.exp()).scatter(2, likeliest, others)
    return against.logsumexp(dim=0) - log_probs.logsumexp(dim=0)


def _adaptive(logits: Float[Tensor, " pass row num_classes"]) -> Float[Tensor, " row num_classes"]:
    """The log odds of the sum of the mean probabilities of likelier classes; of equal ones the first is likelier."""
    log_probs = log_softmax(logits, dim=2).logsumexp(dim=0)
    falling, order = log_probs.sort(dim=1, descending=True, stable=True)
    none = torch.full_like(falling[:, :1], -torch.inf)
    likelier = torch.cat([none, falling.logcumsumexp(dim=1)[:, :-1]], dim=1)
    rest = falling.flip(1).logcumsumexp(dim=1).flip(1)
    return torch.empty_like(log_probs).scatter(1, order, likelier - rest)


SCORES: Mapping[str, Callable[[Tensor], Tensor]] = {"least_ambiguous": _least_ambiguous, "adaptive": _adaptive}
"""Logits of each pass -> how odd each class is, as log odds."""
LEAST_EXPONENT = -700.0
"""Smaller powers of e are 0, and are written as powers."""


def _mean(metric: str, values: Tensor, part: str, num_resamples: int, seed: int) -> Measurement:
    if not len(values):
        return Measurement(metric, None, part=part, note="not measured: no row of this group")
    low = high = None
    if num_resamples:
        low, high = bootstrapped_mean(values, num_resamples=num_resamples, seed=seed).tolist()
    return Measurement(metric, float(values.mean()), low, high, len(values), part)
