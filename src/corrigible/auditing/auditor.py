"""The audit itself: each part asked for, on the same rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from corrigible.arguments import whole_number
from corrigible.auditing.asked_again import require_own_answers
from corrigible.auditing.audited import Audit
from corrigible.auditing.columns import Column, Numbers, column_of, columns_in, without
from corrigible.auditing.erratic import erratic_answers
from corrigible.auditing.flips import Flip, flip
from corrigible.auditing.given import Given, given
from corrigible.auditing.groups import by_group, observed, quality_of, together
from corrigible.auditing.jumps import breaches, jumps
from corrigible.auditing.leaks import alone_by_column, leak_suspects
from corrigible.auditing.outcomes import Outcome, outcome_of, why_not_told
from corrigible.auditing.proxies import Proxies, proxies_of, told_by
from corrigible.auditing.reliance import reliance_on
from corrigible.auditing.subject import Subject, subject_of
from corrigible.auditing.telling import Told
from corrigible.errors import DataError
from corrigible.printable import plural
from corrigible.progress import begun
from corrigible.tasks import CLASSES, task_named
from corrigible.types import Task

MOST_ROWS = 10_000
"""Drawn rows on which columns are examined and predictions moved; quality and gaps are measured on all."""
NO_ATTRIBUTE = "it needs a sensitive attribute: sensitive_features, on the terminal --group"
NO_FORBIDDEN = "it needs columns that must not count: forbidden, on the terminal --forbidden"
NO_CAUSES = "it needs a graph of causes, which says what the attribute causes: causes, in a recipe [causes]"
NO_DIRECTIONS = "it needs directions that you state: directions, on the terminal --rising and --falling"


@dataclass(frozen=True)
class _Examined:
    """The model with drawn rows."""

    subject: Subject
    rows: Given
    places: NDArray[np.int64]
    """Of the drawn rows among all."""
    frame: pd.DataFrame
    columns: Mapping[str, Column]
    scores: Numbers
    seed: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.rows.row_names[place] for place in self.places)


def audit(
    model: Any,
    X: Any,
    y: Any,
    *,
    sensitive_features: Any = None,
    exposure: Any = None,
    forbidden: str | Iterable[str] = (),
    causes: Mapping[str, Sequence[str]] | None = None,
    directions: Any = None,
    num_resamples: Any = 500,
    seed: Any = 0,
) -> Audit:
    """What a model gets wrong, for whom, and what it may rely on by mistake; nothing but its predictions is asked.

    Quality and gaps between groups, leak suspects, proxies of sensitive attributes, reliance on forbidden columns,
    counterfactual flips, jumps by small steps, breaches of directions, and answers to unusual input. Print it, show it
    in a notebook, or write its page: ``audit(…).save("audit.html")``. Use rows that the model was not trained on.

    Args:
        model: one of the estimators, any model or pipeline with ``predict_proba`` or ``predict``, or a function of a
            frame: of two classes it gives the probability of the second, of amounts the amount (with ``exposure`` per
            unit of it).
        X, y: rows and labels. Truth values and text are classes, and so are two different numbers, unless the model is
            a regressor or an exposure is given.
        sensitive_features: an attribute as one value per row, several as a frame, or the name of a column.
        exposure: of each row, for counts and costs.
        forbidden: columns that must not count.
        causes: what causes what, {child: [its causes]}, for flips of the sensitive attributes.
        directions: {column: 1} where predictions must not fall as the column grows, -1 where they must not rise.
        num_resamples: of the rows, for intervals.

    Raises:
        DataError: rows, labels or attributes that do not fit each other.
        RecipeError: an unknown column, a graph with a circle, a direction that is neither 1 nor -1.
        UnsupportedModelError: the model does not predict these rows, predicts NaN, or predicts a row otherwise when it
            is asked again or among other rows.
    """
    seed = whole_number("seed", seed, 0)
    rows = given(
        X, y, sensitive_features=sensitive_features, exposure=exposure, forbidden=forbidden, causes=causes,
        directions=directions,
    )  # fmt: skip
    has_exposure = rows.exposure is not None
    subject = subject_of(model, rows.frame, rows.y, rows.to_given, has_exposure=has_exposure)
    begun("asking the model")
    scores = subject.checked(rows.frame)
    require_own_answers(subject, rows.frame, scores, rows.row_names, seed)
    places = np.sort(np.random.default_rng(seed).permutation(len(rows.frame))[:MOST_ROWS])
    some = rows.frame.iloc[places].reset_index(drop=True)
    examined = _Examined(subject, rows, places, some, columns_in(some), scores[places], seed)
    found: dict[str, Any] = {"not_measured": {}}
    for part in (_of_label, _of_attributes, _of_reliance, _of_flips, _of_answers):
        begun(PARTS[part.__name__])
        why, facts = part(examined, found)
        found["not_measured"].update(why)
        found.update(facts)
    return Audit(**_measured(subject, rows, scores, num_resamples, seed), row_names=examined.names, **found)


PARTS = {
    "_of_label": "looking for leaks",
    "_of_attributes": "looking for proxies",
    "_of_reliance": "exchanging forbidden columns",
    "_of_flips": "flipping attributes",
    "_of_answers": "taking small steps, and asking about unusual input",
}


def _measured(subject: Subject, rows: Given, scores: Numbers, num_resamples: int, seed: int) -> dict[str, Any]:
    """Quality and gaps, on all rows."""
    task, y = _task(subject, rows)
    begun("measuring quality and gaps")
    at_hand = observed(y, scores, subject.places(scores), task, rows.exposure, subject.means)
    how = {"num_resamples": num_resamples, "seed": seed}
    attributes = list(rows.sensitive.values())
    attributes += [together(attributes)] if len(attributes) > 1 else []
    is_binary = len(subject.classes) == 2
    positive = str(subject.classes[1]) if is_binary else ""
    label = rows.y.name if rows.y.name is not None else "y"
    means = f"the probability that {label} is {positive}" if is_binary else f"{label}"
    about = f"The model predicts {means}; it was asked about {plural(len(rows.frame), 'row')}"
    return {
        "about": f"{about} of {plural(len(rows.frame.columns), 'column')}",
        "positive": positive,
        "is_of_classes": bool(subject.classes),
        "span": float(scores.max() - scores.min()),
        "quality": quality_of(at_hand, task, **how),
        "groups": tuple(by_group(column, at_hand, task, **how) for column in attributes),
    }


def _task(subject: Subject, rows: Given) -> tuple[Task, NDArray[np.float64]]:
    """What the labels mean, and the labels as numbers."""
    if not subject.classes:
        y = column_of(rows.y, "y")
        if not y.is_number:
            raise DataError("y holds text or truth values, and the model predicts amounts; expected numbers")
        return task_named("amounts", torch.from_numpy(y.values)), y.values
    places = pd.Index(subject.classes).get_indexer(pd.Index(rows.y.to_numpy()))
    if (places < 0).any():
        found = rows.y[places < 0].iloc[0]
        raise DataError(f"y holds {str(found)!r}, which the model does not know; it knows {_listed(subject.classes)}")
    return CLASSES, places.astype(np.float64)


def _label(examined: _Examined) -> Outcome:
    _, y = _task(examined.subject, examined.rows)
    y = y[examined.places]
    if not examined.subject.classes:
        exposure = examined.rows.exposure
        return outcome_of(Column("y", y if exposure is None else y / exposure[examined.places]), by_rank=True)
    return outcome_of(Column("y", y, tuple(map(str, examined.subject.classes))))


def _of_label(examined: _Examined, found: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    if len(examined.columns) < 2:
        return {"leaks": "it compares columns, and there is one"}, {}
    label, seed = _label(examined), examined.seed
    return {}, {
        "leaks": tuple(leak_suspects(examined.columns, label, seed)),
        "alone": alone_by_column(examined.columns, label, seed),
    }


def _of_attributes(examined: _Examined, found: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    if not examined.rows.sensitive:
        return {"groups": NO_ATTRIBUTE, "proxies": NO_ATTRIBUTE}, {}
    proxies: list[Proxies] = []
    by_predictions: list[tuple[str, Told]] = []
    missing: list[str] = []
    for name, attribute in examined.rows.sensitive.items():
        known = np.flatnonzero(np.isfinite(attribute.values[examined.places]))
        held = attribute.at(examined.places[known])
        if why := why_not_told(held):
            missing.append(why)
            continue
        outcome = outcome_of(held)
        others = _others(examined, (name, *examined.rows.sensitive), known)
        if others:
            proxies.append(proxies_of(name, others, outcome, examined.seed))
        else:
            missing.append(f"no other column could tell {name}: none has two values")
        predictions = {f"prediction {n}": Column("", part[known]) for n, part in enumerate(examined.scores.T)}
        by_predictions.append((name, told_by(predictions, outcome, examined.seed)))
    why_not = {"proxies": "; ".join(missing)} if missing else {}
    return why_not, {"proxies": tuple(proxies), "told_by_predictions": tuple(by_predictions)}


def _others(examined: _Examined, names: Iterable[str], known: NDArray[np.int64]) -> dict[str, Column]:
    """The other columns at these rows, without those that are everywhere the same, which tell nothing."""
    others = {name: column.at(known) for name, column in without(examined.columns, names).items()}
    return {name: column for name, column in others.items() if column.varies}


def _of_reliance(examined: _Examined, found: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    forbidden = examined.rows.forbidden
    if not forbidden:
        return {"reliance": NO_FORBIDDEN}, {}
    seen = [name for name in forbidden if name in examined.columns]
    questions = [[name] for name in seen] + ([seen] if len(seen) > 1 else [])
    ask = (examined.subject, examined.frame, examined.scores, examined.seed)
    moved = [reliance_on(names, *ask) for names in questions]
    stand_ins = {name: None for one in forbidden for name in _proxies(one, examined, found)}
    unseen = [name for name in forbidden if name not in seen]
    same = [name for name, one in zip(seen, moved, strict=False) if one is None]
    missing = [f"{', '.join(unseen)}, which the model does not see"] if unseen else []
    missing += [f"{', '.join(same)}, which is the same in all rows"] if same else []
    why = {"reliance": "; ".join(missing)} if missing else {}
    by_proxies = [reliance_on([name], *ask) for name in stand_ins]
    return why, {
        "reliance": tuple(one for one in moved if one is not None),
        "reliance_on_proxies": tuple(one for one in by_proxies if one is not None),
    }


def _proxies(name: str, examined: _Examined, found: Mapping[str, Any]) -> list[str]:
    """The first proxies of a forbidden column, which are not forbidden themselves."""
    forbidden = examined.rows.forbidden
    ranked = next((one.first for one in found.get("proxies", ()) if one.attribute == name), None)
    if ranked is None and name in examined.columns:
        column = examined.columns[name]
        known = np.flatnonzero(np.isfinite(column.values))
        others = _others(examined, forbidden, known)
        if others and column.at(known).varies and not why_not_told(column.at(known)):
            ranked = proxies_of(name, others, outcome_of(column.at(known)), examined.seed).first
    return [proxy for proxy in ranked or () if proxy not in forbidden]


def _of_flips(examined: _Examined, found: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    rows = examined.rows
    if not rows.causes or not rows.sensitive:
        return {"flips": NO_CAUSES if rows.sensitive else NO_ATTRIBUTE}, {}
    beside = rows.beside.iloc[examined.places].reset_index(drop=True)
    frame = pd.concat([examined.frame, beside[[n for n in beside if n not in examined.frame]]], axis=1)
    inputs = list(examined.frame.columns)
    flips: list[Flip] = []
    missing: list[str] = []
    for name in rows.sensitive:
        try:
            flips.append(flip(name, rows.causes, examined.subject, frame, inputs=inputs, seed=examined.seed))
        except DataError as error:  # Too few rows of it; the other parts are measured all the same.
            missing.append(str(error))
    return {"flips": "; ".join(missing)} if missing else {}, {"flips": tuple(flips)}


def _of_answers(examined: _Examined, found: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    subject, frame, seed = examined.subject, examined.frame, examined.seed
    why = {} if examined.rows.directions else {"directions": NO_DIRECTIONS}
    return why, {
        "jumps": tuple(jumps(examined.columns, subject, frame, seed)),
        "breaches": tuple(breaches(examined.rows.directions, subject, frame, seed)),
        "erratic": tuple(erratic_answers(examined.columns, subject, frame, examined.scores, seed)),
    }


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(repr(str(name)) for name in names)
