"""What a correction changed on single items: what is predicted and where the model looks, before and after."""

import base64
from typing import Any

import torch

from corrigible.errors import StudyError
from corrigible.study import Study
from corrigible.workflow.reviews.drawn import map_png
from corrigible.workflow.reviews.explained import words_of
from corrigible.workflow.reviews.regions import BEGINS
from corrigible.workflow.reviews.subject import Subject, subject_of
from corrigible.workflow.reviews.tables import table_of

MOST_REVIEWED, MOST_OTHER = 4, 8
MOST_LOOKED_AT = 500
"""Rows never reviewed that are looked at for those whose prediction changed."""


def outcome_items(study: Study, run: str, reviewed: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """Items that were reviewed, and items that never were, with both models.

    Args:
        run: the correction.
        reviewed: rows that something was said about, the latest last.

    Raises:
        StudyError: no such correction.
    """
    corrected = study.run_named(run)
    if corrected.verb != "correct":
        raise StudyError(f"{run} is no correction; name a run of correct")
    before = subject_of(study, study.run_named(corrected.record["parent"]))
    after = subject_of(study, corrected)
    seen = [(split, row) for split, row in dict.fromkeys(reversed(reviewed)) if split in before.data]
    chosen = [(*place, True) for place in seen[:MOST_REVIEWED]]
    chosen += [(*place, False) for place in _others(before, after, set(seen))]
    return [_item(before, after, split, row, is_reviewed) for split, row, is_reviewed in chosen]


def _others(before: Subject, after: Subject, reviewed: set[tuple[str, int]]) -> list[tuple[str, int]]:
    """Rows of the last split that nobody reviewed: half of them with a changed prediction, if there are any."""
    split, data = list(before.data.items())[-1]
    index = torch.linspace(0, len(data) - 1, min(len(data), MOST_LOOKED_AT)).round().long().unique().tolist()
    index = [row for row in index if (split, row) not in reviewed]
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
            said["map"] = _url(map_png(values))
        elif before.kind == "table":
            said["table"] = table_of(subject, rows, values)
        else:
            said["text"] = words_of(rows, values)
        found[when] = said
    if before.kind == "image":
        found["picture"] = f"/picture/{split}/{row}.png"
    return found


def _url(written: bytes) -> str:
    return BEGINS + base64.b64encode(written).decode()
