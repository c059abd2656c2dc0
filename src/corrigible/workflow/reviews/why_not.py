"""Why a row did not get another class: a small change of its values with which it would, as a page shows it."""

from dataclasses import replace
from typing import Any

import torch

from corrigible.errors import FeedbackError, unknown
from corrigible.workflow.changed_rows import changes_of, has_classes
from corrigible.workflow.reviews.subject import Subject
from corrigible.workflow.reviews.tables import table_of

NO_CHANGE = "No change of values was found with which the model would say “{}”: {}."


def others_of(subject: Subject, prediction: str) -> list[str]:
    """The classes that a row of a table could have got instead; none for other labels and other data."""
    if not has_classes(subject):
        return []
    return [name for name in subject.class_names if name != prediction]


def why_not(subject: Subject, split: str, row: int, wanted: str) -> dict[str, Any]:
    """A small change with which the model would predict the wanted class, in words and in values.

    Only what the model needs is changed, so that the change shows what it relies on; numbers stay within their range.
    ``values`` is empty where no change was found; ``sentence`` then says why.

    Raises:
        FeedbackError: rows that are no table with classes, or an unknown class.
        CorrigibleError: a model that the search cannot follow.
    """
    if not has_classes(subject):
        raise FeedbackError("only of a table's row with a class can it be told what would make it another class")
    names = subject.class_names
    if wanted not in names:
        raise FeedbackError(unknown("class", wanted[:60], names))
    rows = subject.rows(split, [row])
    shape = rows.x.shape
    found = changes_of(subject, rows, target=names.index(wanted), plausible=False)
    if not found.is_found[0, 0]:
        return {"values": {}, "sentence": NO_CHANGE.format(wanted, found.in_words(0))}
    changed = replace(rows, x=found.changed[:, 0].reshape(shape).to(rows.x))
    was, now = (table_of(subject, of, torch.zeros_like(of.x[0])) for of in (rows, changed))
    pairs = [(old, new) for old, new in zip(was, now, strict=True) if old["value"] != new["value"]]
    said = _listed([f"{new['title']} {new['value']} in place of {old['value']}" for old, new in pairs])
    sentence = f"With {said} the model would say “{wanted}”."
    return {"values": {new["feature"]: new["value"] for _, new in pairs}, "sentence": sentence}


def _listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
