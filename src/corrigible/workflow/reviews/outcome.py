"""What a correction changed, for people who do not program: the verdict, measurements, and single items both ways."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from corrigible.comparison import is_improvement, spoken
from corrigible.data.shown_names import in_words
from corrigible.figures import number
from corrigible.run_records import DISCARD, decisions
from corrigible.study import Run, Study
from corrigible.types import Measurement
from corrigible.workflow.deciding import correction_named
from corrigible.workflow.reviews.addresses import picture_address
from corrigible.workflow.reviews.drawn import FULL_AT, map_png
from corrigible.workflow.reviews.explained import words_of
from corrigible.workflow.reviews.regions import BEGINS
from corrigible.workflow.reviews.subject import Subject, seen_by
from corrigible.workflow.reviews.tables import table_of
from corrigible.workflow.verdicts import verdicts_on

MOST_REVIEWED, MOST_OTHER = 4, 8
MOST_LOOKED_AT = 500
"""Rows never reviewed that are looked at for those whose prediction changed."""


def outcome_of(study: Study, run: str, reviewed: Sequence[tuple[str, int]], *, subject: Subject) -> dict[str, Any]:
    """What the correction of that name changed; the latest that was not discarded if none is named.

    Args:
        reviewed: rows that something was said about, the latest last.
        subject: the rows of the study, with any of its models.

    Raises:
        StudyError: no such correction.
    """
    corrected = correction_named(study, run)
    decided = decisions(found.record for found in study.runs()).get(corrected.name)
    evaluation = _evaluation(study, corrected)
    # The decisive one, which the report states too.
    verdict = next(iter(verdicts_on(corrected, evaluation)), None)
    return {
        "run": corrected.name,
        "decided": None if decided is None else "discarded" if decided["verb"] == DISCARD else "kept",
        "measured": bool(evaluation),
        "verdict": {name: verdict[name] for name in ("outcome", "sentence", "where")} if verdict else None,
        "measurements": _measurements(evaluation, corrected, study.recipe.labels) if evaluation else [],
        "full_at": FULL_AT,
        "items": _items(study, corrected, list(dict.fromkeys(reversed(reviewed))), subject),
        "doubts": _doubts(corrected),
    }


def _evaluation(study: Study, corrected: Run) -> Mapping[str, Any]:
    """The results of the latest evaluation of the correction; empty if there is none.

    Raises:
        StudyError: they were changed.
    """
    found = [run for run in study.runs() if run.verb == "evaluate" and corrected.name in run.record["models"]]
    if not found:
        return {}
    found[-1].require_unchanged()
    results: Mapping[str, Any] = found[-1].read("evaluation.json")
    return results


def _measurements(results: Mapping[str, Any], corrected: Run, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """What an evaluation measured of the correction, before and after it."""
    models = {model["run"]: model["measurements"] for model in results["models"]}
    before = {(one["metric"], one["part"]): one for one in models[results["models"][0]["run"]]}
    changes = {(one["metric"], one["part"]): Measurement(**one) for one in results["changes"]}
    return [_measurement(one, before, changes, labels) for one in models[corrected.name]]


def _measurement(
    after: Mapping[str, Any], before: Mapping[Any, Any], changes: Mapping[Any, Measurement], labels: Mapping[str, str]
) -> dict[str, Any]:
    key = (after["metric"], after["part"])
    kind, space, name = after["part"].partition(" ")
    change = changes.get(key)
    return {
        "metric": spoken(after["metric"]),
        "part": f"{kind}{space}{in_words(name, labels)}",
        "before": _value(before.get(key)),
        "after": _value(after),
        "is_better": None if change is None else is_improvement(change),
        "note": after["note"],
        "count": after["count"],
    }


def _value(found: Mapping[str, Any] | None) -> str:
    """The value with its interval; what was not measured is not 0."""
    if found is None or found["value"] is None:
        return "not measured"
    has_interval = found["low"] is not None and found["high"] is not None
    interval = f" ({number(found['low'])} to {number(found['high'])})" if has_interval else ""
    return f"{number(found['value'])}{interval}"


def _doubts(corrected: Run) -> list[str]:
    """What should be looked at again of the feedback."""
    found = []
    for line in (corrected.folder / "log.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record.get("record") == "FeedbackDoubted":
            found.append(str(record["message"]))
    return found


def _items(study: Study, corrected: Run, reviewed: list[tuple[str, int]], subject: Subject) -> list[dict[str, Any]]:
    """Items that were reviewed, and items that never were, with both models."""
    before = seen_by(subject, study, study.run_named(corrected.record["parent"]))
    after = seen_by(subject, study, corrected)
    seen = [(split, row) for split, row in reviewed if split in before.data and row < len(before.data[split])]
    chosen = [(*place, True) for place in seen[:MOST_REVIEWED]]
    chosen += [(*place, False) for place in _others(before, after, set(seen))]
    return [_item(before, after, split, row, is_reviewed) for split, row, is_reviewed in chosen]


def _others(before: Subject, after: Subject, reviewed: set[tuple[str, int]]) -> list[tuple[str, int]]:
    """Rows of the last split that nobody reviewed: half of them with a changed prediction, if there are any."""
    split, data = list(before.data.items())[-1]
    index = torch.linspace(0, len(data) - 1, min(len(data), MOST_LOOKED_AT)).round().long().unique().tolist()
    index = [row for row in index if (split, row) not in reviewed]
    if not index:
        return []
    rows = before.rows(split, index)
    said = [subject.said(split, rows, index) for subject in (before, after)]
    moved = [row for row, *both in zip(index, *said, strict=True) if both[0]["prediction"] != both[1]["prediction"]]
    still = [row for row in index if row not in set(moved)]
    found = _spread(moved, MOST_OTHER // 2)
    found += _spread(still, MOST_OTHER - len(found))
    return [(split, row) for row in found]


def _spread(rows: list[int], most: int) -> list[int]:
    places = torch.linspace(0, max(len(rows) - 1, 0), min(len(rows), most)).round().long().tolist()
    return [rows[place] for place in places] if rows else []


def _item(before: Subject, after: Subject, split: str, row: int, is_reviewed: bool) -> dict[str, Any]:
    name = before.name(split, row)
    found: dict[str, Any] = {"split": split, "row": row, "name": name, "reviewed": is_reviewed, "picture": None}
    rows = before.rows(split, [row])
    for when, subject in (("before", before), ("after", after)):
        said = subject.said(split, rows, [row])[0]
        found["label"] = said.pop("label")
        values = subject.attribution(rows, before.method)[0]
        if before.kind == "image":
            said["map"] = BEGINS + base64.b64encode(map_png(values)).decode()
        elif before.kind == "table":
            said["table"] = table_of(subject, rows, values)
        else:
            said["text"] = words_of(rows, values)
        found[when] = said
    if before.kind == "image":
        found["picture"] = picture_address(split, row)
    return found
