"""One item as a page shows it: what is predicted and why, what was proposed, and its parts in words."""

from typing import Any

import torch

from corrigible.data.dataset import TensorData
from corrigible.errors import CorrigibleError
from corrigible.feedback.masks import fingerprint
from corrigible.regions.proposals import proposals
from corrigible.types import Pixels, Proposal
from corrigible.workflow.region_titles import region_title
from corrigible.workflow.reviews.addresses import map_address, picture_address, segments_address
from corrigible.workflow.reviews.regions import region_as_json
from corrigible.workflow.reviews.subject import TITLES, Subject
from corrigible.workflow.reviews.tables import table_of
from corrigible.workflow.task_words import percent

MOST_PROPOSALS = 9
SHARP = 64
"""Pictures up to this side are shown with their pixels."""


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
        "proposals": _proposals(subject, split, row),
    }
    if subject.kind == "image":
        found["image"] = _image(subject, split, row, method)
        return found
    values = subject.attribution(rows, method)[0]
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
    }


def _proposals(subject: Subject, split: str, row: int) -> list[dict[str, Any]]:
    """What may be accepted with one click; nothing for models into which the methods cannot look."""
    try:
        (found,) = proposals(subject.model, subject.data[split], [row], most=MOST_PROPOSALS, seed=subject.seed)
    except CorrigibleError:
        return []
    return [proposal_as_json(subject, proposal) for proposal in found]


def proposal_as_json(subject: Subject, proposal: Proposal) -> dict[str, Any]:
    """The proposal in the form that a page reads."""
    title, region = region_title(proposal.region, subject.labels), proposal.region
    if isinstance(region, Pixels) and region.mask.ndim > 1:
        title += f", {percent(proposal.area)} of the picture"
    return {
        "id": proposal.id,
        "title": f"{title}: {percent(proposal.share)} of the explanation",
        "share": proposal.share,
        "area": proposal.area,
        "region": region_as_json(region),
    }
