"""One item as a page shows it: what is predicted and why, what was proposed, and its parts in words."""

from collections.abc import Sequence
from typing import Any

import torch

from corrigible.data.dataset import TensorData
from corrigible.errors import CorrigibleError
from corrigible.feedback.masks import fingerprint
from corrigible.regions.proposals import proposals
from corrigible.types import Proposal
from corrigible.workflow.region_titles import region_title
from corrigible.workflow.reviews.addresses import map_address, picture_address, segments_address
from corrigible.workflow.reviews.drawn import FULL_AT
from corrigible.workflow.reviews.regions import region_as_json
from corrigible.workflow.reviews.subject import TITLES, Subject
from corrigible.workflow.reviews.tables import table_of
from corrigible.workflow.reviews.why_not import others_of
from corrigible.workflow.task_words import percent

MOST_PROPOSALS = 9
SHARP = 64
"""Pictures up to this side are shown with their pixels."""
STANDS_OUT, DENSE = 0.15, 2.0
"""The share of the explanation, and how many times its area, that a part holds which stands out."""


def item_of(subject: Subject, split: str, row: int, method: str = "") -> dict[str, Any]:
    """The item in the form that a page reads, without what was said about it.

    Raises:
        CorrigibleError: the method does not fit the model.
    """
    method = subject.known_method(method)
    rows = subject.rows(split, [row])
    said = subject.said(split, rows, [row])[0]
    found: dict[str, Any] = {
        "kind": subject.kind,
        "split": split,
        "row": row,
        "name": subject.name(split, row),
        **said,
        "method": {"name": method, "title": TITLES.get(method, method.replace("_", " "))},
        "explains": explains(subject, rows, said),
        "fingerprint": fingerprint(rows.x[0]),
    }
    offered, trouble = _proposals(subject, split, row)
    found["proposals"] = [proposal_as_json(subject, proposal) for proposal in offered]
    found["absence"] = trouble or absence_of(offered)
    if subject.kind == "image":
        found["image"] = _image(subject, split, row, method)
        return found
    values = subject.attribution(rows, method)[0]
    found["others"] = others_of(subject, said["prediction"])
    found[subject.kind] = table_of(subject, rows, values) if subject.kind == "table" else words_of(rows, values)
    return found


def explains(subject: Subject, rows: TensorData, said: dict[str, Any]) -> str:
    """What is explained, as the start of a sentence."""
    first, other = subject.pair(rows)
    if first is None or other is None:
        return f"why the prediction is {said['prediction']}"
    names = subject.class_names
    return f"why “{names[int(first[0])]}” rather than “{names[int(other[0])]}”"


def words_of(rows: TensorData, values: torch.Tensor) -> list[dict[str, Any]]:
    """Each word of a text with its share of the absolute attribution, signed."""
    assert rows.tokens is not None
    words = rows.tokens.row(0)
    total = float(values[: len(words)].abs().sum()) or 1.0
    return [{"word": word, "share": float(value) / total} for word, value in zip(words, values, strict=False)]


def _image(subject: Subject, split: str, row: int, method: str) -> dict[str, Any]:
    _, height, width = subject.shape
    return {
        "picture": picture_address(split, row),
        "map": map_address(split, row, method, subject.run),
        "segments": segments_address(split, row),
        "width": width,
        "height": height,
        "pixelated": max(height, width) <= SHARP,
        "full_at": FULL_AT,
    }


def _proposals(subject: Subject, split: str, row: int) -> tuple[list[Proposal], str]:
    """What may be accepted with one click; nothing, and why, for models into which the methods cannot look."""
    try:
        (found,) = proposals(subject.model, subject.data[split], [row], most=MOST_PROPOSALS, seed=subject.seed)
    except CorrigibleError as error:
        return [], f"Nothing is proposed: {error}."
    return found, ""


def absence_of(offered: Sequence[Proposal]) -> str:
    """A sentence that says that no part stands out; empty where one holds much of the explanation in little room.

    That is ``STANDS_OUT`` of the explanation, and ``DENSE`` times as much as its area would hold of an even one.
    """
    if not offered:
        return "No part stands out: the explanation is 0 everywhere."
    if any(each.share >= max(STANDS_OUT, DENSE * each.area) for each in offered):
        return ""
    strongest = max(offered, key=lambda each: each.share)
    return f"No single part stands out: the strongest holds {percent(strongest.share)} of the explanation."


def proposal_as_json(subject: Subject, proposal: Proposal) -> dict[str, Any]:
    """The proposal in the form that a page reads."""
    return {
        "id": proposal.id,
        "title": region_title(proposal.region, subject.labels),
        "share": proposal.share,
        "area": proposal.area,
        "effect": proposal.effect,
        "region": region_as_json(proposal.region),
    }
