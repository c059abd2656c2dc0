"""Compute metrics from observations, with 95 % intervals; a metric's argument names say which observations it needs."""

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from corrigible.data.dataset import as_dataset, task_of
from corrigible.errors import RecipeError, unknown
from corrigible.intervals import percentile_interval, require_few, resamples
from corrigible.methods import method_named, settings_of
from corrigible.metrics import LABELS, METRICS, OWN_INTERVALS, usual_metrics
from corrigible.observations import (
    OBSERVATIONS,
    Observations,
    gather,
    left_out,
    missing,
    positive_class,
    require_same_rows,
    unmeasured,
)
from corrigible.progress import counted
from corrigible.types import Measurement, Measurements

Metric = Callable[..., Tensor]
"""Observations by name -> one number; NaN where it is undefined."""

PARTS = {"label": ("class", "y"), "group_value": ("group", "group")}
"""Settings without a default that make a metric be measured once per class or once per group."""


def evaluate(
    model: nn.Module,
    data: Any,
    *,
    metrics: Any = None,
    feedback: Any = (),
    method: str = "input_gradient",
    explainer_settings: Mapping[str, Any] | None = None,
    num_donors: Any = 50,
    num_resamples: Any = 1000,
    batch_size: Any = 256,
    seed: Any = 0,
) -> Measurements:
    """Measure a model on a data set: one `Measurement` per metric, or per class or group where a metric asks for one.

    A notebook shows them as a table; ``pandas.DataFrame(measured)`` is a data frame of them. Calls ``gather`` for the
    observations that the metrics need, then ``measure``.

    Args:
        metrics: a list of names in ``METRICS``, ``module:function`` names, or functions whose arguments name the
            observations; None for what the task measures by default, and of data with groups all differences between
            them that mean something for it.

    Raises:
        RecipeError: an unknown metric, or one that asks for an unknown observation.
        DataError, FeedbackError: as ``gather``, whose documentation also explains the other arguments.
    """
    require_few(num_resamples)
    dataset = as_dataset(data)
    metrics = None if metrics is None else metric_list(metrics)
    observations = gather(
        model,
        dataset,
        names=observations_for(usual_metrics(task_of(dataset)) if metrics is None else metrics),
        feedback=feedback,
        method=method,
        explainer_settings=explainer_settings,
        num_donors=num_donors,
        batch_size=batch_size,
        seed=seed,
    )
    return measure(observations, metrics, num_resamples=num_resamples, seed=seed)


def measure(
    observations: Observations,
    metrics: Any = None,
    *,
    num_resamples: Any = 1000,
    seed: Any = 0,
) -> Measurements:
    """Each metric's value on these observations, with a 95 % percentile bootstrap interval over rows (Efron 1979).

    Without ``metrics``, those of the task are measured, of groups only where the data has some. A metric that cannot
    be measured, because its labels are of another kind or the data lacks something, has the value None and a note that
    says why. All metrics see the same resamples. The interval is too narrow if there are few rows or a rate is near 0
    or 1; ``num_resamples=0`` leaves it out. Calibration errors and gaps between groups have one of their own.

    Raises:
        RecipeError: an unknown metric, or one that asks for an unknown observation.
    """
    require_few(num_resamples)
    questions = _all_questions(observations, metrics)
    drawn = [q if _own_interval(q) is None else replace(q, is_measurable=False) for q in questions]
    resampled = _resampled(drawn, observations, num_resamples, seed)
    found = [_measurement(q, _value(q, observations), draws) for q, draws in zip(questions, resampled, strict=True)]
    how = {"num_resamples": num_resamples, "seed": seed}
    return Measurements(_with_own_interval(m, q, observations, **how) for m, q in zip(found, questions, strict=True))


def difference(
    before: Observations,
    after: Observations,
    metrics: Any = None,
    *,
    num_resamples: Any = 1000,
    seed: Any = 0,
) -> Measurements:
    """How much each metric changed between two models on the same rows: after minus before.

    The interval is paired: both models are measured on the same resamples, so it covers the change itself.

    Raises:
        DataError: the two are about different rows, or hold different observations.
        RecipeError: an unknown metric, or one that asks for an unknown observation.
    """
    require_few(num_resamples)
    require_same_rows(before, after)
    pairs = zip(_all_questions(before, metrics), _all_questions(after, metrics), strict=True)
    questions = [_about_both(first, second) for first, second in pairs]
    first, second = (_resampled(questions, observations, num_resamples, seed) for observations in (before, after))
    return Measurements(
        _measurement(question, _value(question, after) - _value(question, before), draws)
        for question, draws in zip(questions, second - first, strict=True)
    )


def observations_for(metrics: Iterable[str | Metric]) -> set[str]:
    """Names of the observations that these metrics ask for.

    Raises:
        RecipeError: an unknown metric, or one that asks for an unknown observation.
    """
    return {name for metric in metrics for name in _needs(*_resolved(metric))}


def metric_list(metrics: Any) -> list[str | Metric]:
    """The metrics as a list.

    Raises:
        RecipeError: a single one, or something else.
    """
    if isinstance(metrics, str | Mapping) or not isinstance(metrics, Iterable):
        found = repr(metrics) if isinstance(metrics, str) else f"a {type(metrics).__name__}"
        raise RecipeError(f"metrics is {found}; expected a list of names or functions, such as ['accuracy']")
    found_all = list(metrics)
    for metric in found_all:
        if not isinstance(metric, str) and not callable(metric):
            raise RecipeError(f"the list of metrics holds {metric!r}; expected names or functions")
    return found_all


@dataclass(frozen=True)
class _Question:
    """A metric about all rows or about one part of them."""

    name: str
    metric: Metric
    needs: tuple[str, ...]
    part: str = ""
    count: int = 0
    note: str = ""
    is_measurable: bool = True

    def ask(self, rows: Mapping[str, Tensor]) -> float:
        found = torch.as_tensor(self.metric(**{name: rows[name] for name in self.needs}))
        if found.numel() != 1:
            raise RecipeError(f"metric {self.name!r} gave shape {tuple(found.shape)}; expected one number")
        return float(found)


def _resolved(metric: str | Metric) -> tuple[str, Metric]:
    if isinstance(metric, str):
        return metric, method_named(metric, METRICS, "metric")
    function = metric.func if isinstance(metric, partial) else metric
    return getattr(function, "__name__", type(function).__name__), metric


def _needs(name: str, metric: Metric) -> tuple[str, ...]:
    parameters = inspect.signature(metric).parameters.values()
    needs = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty)
    for found in needs:
        if found not in OBSERVATIONS:
            raise RecipeError(f"metric {name!r}: {unknown('observation', found, OBSERVATIONS)}")
    if not needs:
        raise RecipeError(
            f"metric {name!r} asks for no observations; name some as arguments: {', '.join(OBSERVATIONS)}"
        )
    return needs


def _all_questions(observations: Observations, metrics: Any) -> list[_Question]:
    chosen = _usual(observations) if metrics is None else metric_list(metrics)
    return [question for metric in chosen for question in _questions(observations, *_resolved(metric))]


def _usual(observations: Observations) -> list[str]:
    """The metrics of the task; those that need groups only where there are any."""
    has_groups, probs = not missing(observations, ("group",)), observations.everywhere.get("probs")
    usual = usual_metrics(observations.task, 0 if probs is None else probs.shape[1])
    return [name for name in usual if has_groups or "group" not in _needs(*_resolved(name))]


def _questions(observations: Observations, name: str, metric: Metric) -> Iterator[_Question]:
    """One question, or one for each class or group if the metric must be told which."""
    needs = _needs(name, metric)
    if lacking := _unsuited(observations, metric) or missing(observations, needs):
        yield _Question(name, metric, needs, note=f"not measured: needs {lacking}", is_measurable=False)
        return
    rows = observations.of({*needs, "y"})
    count, note = left_out(observations, rows, needs)
    listed = metric.func if isinstance(metric, partial) else metric
    if METRICS.get(name) is listed:
        note = "; ".join(filter(None, (note, positive_class(observations, name), unmeasured(observations, name))))
    question = _Question(name, metric, needs, count=count, note=note)
    unset = [setting for setting, default in settings_of(metric).items() if default is inspect.Parameter.empty]
    if not unset:
        yield question
        return
    if len(unset) > 1 or unset[0] not in PARTS or PARTS[unset[0]][1] not in rows:
        raise RecipeError(f"metric {name!r} needs {', '.join(unset)}; give every setting a default")
    kind, key = PARTS[unset[0]]
    names = observations.class_names if kind == "class" else observations.group_names
    for value in rows[key].unique().tolist():
        part = f"{kind} {names[value] if 0 <= value < len(names) else value}"
        count = int((rows[key] == value).sum())
        yield replace(question, metric=partial(metric, **{unset[0]: value}), part=part, count=count)
    for value in sorted(set(range(len(names))) - set(rows[key].tolist())):
        note = f"not measured: no row has this {kind}"
        yield _Question(name, metric, needs, f"{kind} {names[value]}", note=note, is_measurable=False)


def _about_both(before: _Question, after: _Question) -> _Question:
    if before.note == after.note:
        return before
    note = f"before: {before.note or 'all rows'}; after: {after.note or 'all rows'}"
    return replace(before, count=min(before.count, after.count), note=note)


def _unsuited(observations: Observations, metric: Metric) -> str:
    """The labels that a listed metric needs, if those of the task are of another kind; otherwise empty."""
    function, task = metric.func if isinstance(metric, partial) else metric, observations.task
    return next((labels.words for listed, labels in LABELS if listed is function and not labels.suits(task)), "")


def _value(question: _Question, observations: Observations) -> float:
    return question.ask(observations.of(question.needs)) if question.is_measurable else math.nan


def _resampled(questions: Sequence[_Question], observations: Observations, num_resamples: int, seed: int) -> Tensor:
    """Each question's values on resamples of the rows; NaN for a question that cannot be measured."""
    found = torch.full((len(questions), num_resamples), torch.nan, dtype=torch.float64)
    for on_every_row in (True, False):
        asked = {
            place: question
            for place, question in enumerate(questions)
            if question.is_measurable and observations.on_marked.keys().isdisjoint(question.needs) is on_every_row
        }
        rows = observations.of({name for question in asked.values() for name in question.needs})
        num_rows = len(next(iter(rows.values()), ()))
        drawing = resamples(num_rows, num_resamples if asked else 0, seed)
        for sample, index in enumerate(counted("intervals: resample", drawing, total=num_resamples)):
            drawn = {name: value[index] for name, value in rows.items()}
            for place, question in asked.items():
                found[place, sample] = question.ask(drawn)
    return found


def _measurement(question: _Question, value: float, draws: Tensor) -> Measurement:
    if not question.is_measurable:
        return Measurement(question.name, None, part=question.part, note=question.note)
    if math.isnan(value):
        note = "; ".join(filter(None, ("not defined on these rows", question.note)))
        return Measurement(question.name, None, count=question.count, part=question.part, note=note)
    defined = draws[~draws.isnan()]
    low, high = percentile_interval(defined).tolist() if len(defined) else (None, None)
    return Measurement(question.name, value, low, high, question.count, question.part, question.note)


def _with_own_interval(found: Measurement, question: _Question, observations: Observations, **how: Any) -> Measurement:
    """The measurement with the interval of a metric that has one of its own."""
    interval_of = _own_interval(question)
    if interval_of is None or found.value is None or not how["num_resamples"]:
        return found
    low, high = interval_of(**observations.of(question.needs), **how) or (None, None)
    return replace(found, low=low, high=high)


def _own_interval(question: _Question) -> Callable[..., tuple[float, float] | None] | None:
    metric = question.metric
    listed, settings = (metric.func, metric.keywords) if isinstance(metric, partial) else (metric, {})
    return partial(OWN_INTERVALS[listed], **settings) if listed in OWN_INTERVALS else None
