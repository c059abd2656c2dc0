"""Give each metric the evidence its arguments name, and say how sure the result is."""

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from corrigible.errors import DataError, RecipeError, unknown
from corrigible.evidence import ABOUT_IRRELEVANT, ABOUT_RELEVANT, EVIDENCE, Evidence, gather
from corrigible.intervals import percentile_interval, resamples
from corrigible.methods import method_named, settings_of
from corrigible.metrics import METRICS
from corrigible.types import Feedback, Measurement

Metric = Callable[..., Tensor]
"""Evidence by name -> one number; NaN where it is undefined."""

DEFAULT_METRICS = (
    "accuracy",
    "worst_class_accuracy",
    "macro_group_accuracy",
    "worst_group_accuracy",
    "auc",
    "expected_calibration_error",
    "flip_rate",
    "attribution_overlap",
)

UNDEFINED = {
    "attribution_share": "any attribution",
    "sparseness": "any attribution",
    "pointing": "relevant inputs",
    "relevance_mass": "relevant inputs or any attribution",
    "relevance_rank": "relevant inputs or any attribution",
}
"""What the rows lack on which this evidence is NaN."""

PARTS = {"label": ("class", "y"), "group_value": ("group", "group")}
"""A metric that must be told one of these settings is measured once per class or group."""


def evaluate(
    model: nn.Module,
    data: Any,
    *,
    metrics: Sequence[str | Metric] = DEFAULT_METRICS,
    feedback: Sequence[Feedback] = (),
    method: str = "input_gradient",
    explainer_settings: Mapping[str, Any] | None = None,
    num_donors: int = 50,
    num_resamples: int = 1000,
    batch_size: int = 256,
    seed: int = 0,
) -> list[Measurement]:
    """Each metric's value on the data set: ``gather`` what the metrics need, then ``measure``.

    Args:
        metrics: names in ``METRICS``, ``module:function`` names, or functions whose arguments name the evidence.

    Raises:
        RecipeError: an unknown metric, or one that asks for unknown evidence.
        DataError, FeedbackError: see ``gather``, which also explains the other arguments.
    """
    evidence = gather(
        model,
        data,
        names=evidence_for(metrics),
        feedback=feedback,
        method=method,
        explainer_settings=explainer_settings,
        num_donors=num_donors,
        batch_size=batch_size,
        seed=seed,
    )
    return measure(evidence, metrics, num_resamples=num_resamples, seed=seed)


def measure(
    evidence: Evidence,
    metrics: Sequence[str | Metric] = DEFAULT_METRICS,
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> list[Measurement]:
    """Each metric's value on this evidence, with a 95 % percentile bootstrap interval over rows (Efron 1979).

    What cannot be measured has value None and a note that says why. All metrics see the same resamples. The interval
    is too narrow where rows are few or a rate is near 0 or 1; ``num_resamples=0`` leaves it out.

    Raises:
        RecipeError: an unknown metric, or one that asks for unknown evidence.
    """
    questions = _all_questions(evidence, metrics)
    return [
        _measurement(question, _value(question, evidence), draws)
        for question, draws in zip(questions, _resampled(questions, evidence, num_resamples, seed), strict=True)
    ]


def difference(
    before: Evidence,
    after: Evidence,
    metrics: Sequence[str | Metric] = DEFAULT_METRICS,
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> list[Measurement]:
    """How much each metric changed between two models on the same rows: after less before.

    The interval is paired: both models are measured on the same resamples, so it is about the change itself.

    Raises:
        DataError: the two are not about the same rows, or hold different evidence.
        RecipeError: an unknown metric, or one that asks for unknown evidence.
    """
    _require_same_rows(before, after)
    pairs = zip(_all_questions(before, metrics), _all_questions(after, metrics), strict=True)
    questions = [_about_both(first, second) for first, second in pairs]
    first, second = (_resampled(questions, evidence, num_resamples, seed) for evidence in (before, after))
    return [
        _measurement(question, _value(question, after) - _value(question, before), draws)
        for question, draws in zip(questions, second - first, strict=True)
    ]


def evidence_for(metrics: Iterable[str | Metric]) -> set[str]:
    """Names of the evidence that these metrics ask for.

    Raises:
        RecipeError: an unknown metric, or one that asks for unknown evidence.
    """
    return {name for metric in metrics for name in _needs(*_resolved(metric))}


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
        if found not in EVIDENCE:
            raise RecipeError(f"metric {name!r}: {unknown('evidence', found, EVIDENCE)}")
    if not needs:
        raise RecipeError(f"metric {name!r} asks for no evidence; name some as arguments: {', '.join(EVIDENCE)}")
    return needs


def _all_questions(evidence: Evidence, metrics: Iterable[str | Metric]) -> list[_Question]:
    return [question for metric in metrics for question in _questions(evidence, *_resolved(metric))]


def _questions(evidence: Evidence, name: str, metric: Metric) -> Iterator[_Question]:
    """One question, or one for each class or group if the metric must be told which."""
    needs = _needs(name, metric)
    if missing := _missing(evidence, needs):
        yield _Question(name, metric, needs, note=f"not measured: needs {missing}", is_measurable=False)
        return
    rows = evidence.of({*needs, "y"})
    question = _Question(name, metric, needs, "", *_left_out(evidence, rows, needs))
    unset = [setting for setting, default in settings_of(metric).items() if default is inspect.Parameter.empty]
    if not unset:
        yield question
        return
    if len(unset) > 1 or unset[0] not in PARTS or PARTS[unset[0]][1] not in rows:
        raise RecipeError(f"metric {name!r} needs {', '.join(unset)}; give every setting a default")
    kind, key = PARTS[unset[0]]
    names = evidence.class_names if kind == "class" else evidence.group_names
    for value in rows[key].unique().tolist():
        part = f"{kind} {names[value] if 0 <= value < len(names) else value}"
        count = int((rows[key] == value).sum())
        yield replace(question, metric=partial(metric, **{unset[0]: value}), part=part, count=count)


def _about_both(before: _Question, after: _Question) -> _Question:
    if before.note == after.note:
        return before
    note = f"before: {before.note or 'all rows'}; after: {after.note or 'all rows'}"
    return replace(before, count=min(before.count, after.count), note=note)


def _missing(evidence: Evidence, needs: Iterable[str]) -> str:
    """What the data or the feedback would have to offer."""
    absent = [name for name in needs if name not in evidence.everywhere and name not in evidence.on_marked]
    return " and ".join(dict.fromkeys(_source(name, evidence) for name in absent))


def _source(name: str, evidence: Evidence) -> str:
    if name in ABOUT_RELEVANT:
        return "feedback that marks relevant inputs"
    if name in ABOUT_IRRELEVANT and not len(evidence.marked):
        return "feedback that marks irrelevant inputs"
    return name


def _left_out(evidence: Evidence, rows: Mapping[str, Tensor], needs: Iterable[str]) -> tuple[int, str]:
    """How many rows count, and a note about the others."""
    count = len(rows["y"])
    notes = []
    if count < len(evidence.everywhere["y"]):
        notes.append(f"left out, without irrelevant inputs: {len(evidence.everywhere['y']) - count} rows")
    for name, without in UNDEFINED.items():
        if name in needs and (empty := int(rows[name].isnan().sum())):
            notes.append(f"left out, without {without}: {empty} rows")
            count -= empty
    return count, "; ".join(notes)


def _value(question: _Question, evidence: Evidence) -> float:
    return question.ask(evidence.of(question.needs)) if question.is_measurable else math.nan


def _resampled(questions: Sequence[_Question], evidence: Evidence, num_resamples: int, seed: int) -> Tensor:
    """Each question's values on resamples of the rows; NaN where it cannot be asked."""
    found = torch.full((len(questions), num_resamples), torch.nan, dtype=torch.float64)
    for on_every_row in (True, False):
        asked = {
            place: question
            for place, question in enumerate(questions)
            if question.is_measurable and evidence.on_marked.keys().isdisjoint(question.needs) is on_every_row
        }
        rows = evidence.of({name for question in asked.values() for name in question.needs})
        num_rows = len(next(iter(rows.values()), ()))
        for sample, index in enumerate(resamples(num_rows, num_resamples if asked else 0, seed)):
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
    low = high = None
    if len(defined):
        low, high = percentile_interval(defined).tolist()
    return Measurement(question.name, value, low, high, question.count, question.part, question.note)


def _require_same_rows(before: Evidence, after: Evidence) -> None:
    fixed = [
        {name: torch.empty(0) for name in (*evidence.everywhere, *evidence.on_marked)}
        | {name: evidence.everywhere[name] for name in ("y", "group") if name in evidence.everywhere}
        | {"marked": evidence.marked}
        for evidence in (before, after)
    ]
    first, second = fixed
    if first.keys() != second.keys() or not all(torch.equal(first[name], second[name]) for name in first):
        raise DataError(
            "before and after are about different rows or hold different evidence; "
            "gather both on the same data, with the same feedback and names"
        )
