"""What was said, page by page, with conflicts and how far reviewers agree."""

from collections.abc import Mapping
from typing import Any

from corrigible.errors import FeedbackError
from corrigible.said import Pixels
from corrigible.workflow.reviews.addresses import item_address
from corrigible.workflow.reviews.agreement import agreement_of, conflicts_of
from corrigible.workflow.reviews.asked import number_in, text_in
from corrigible.workflow.reviews.desk import Desk
from corrigible.workflow.reviews.regions import mask_url

PER_PAGE = 50
MOST_CONFLICTS = 100


def history(desk: Desk, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A page of all that was said, the latest first.

    Raises:
        FeedbackError: an unknown filter.
    """
    desk.catch_up()
    found = _wanted(desk, asked)[::-1]
    pages = max(1, -(-len(found) // PER_PAGE))
    page = min(max(1, number_in(asked, "page", default=1)), pages)
    records = desk.store.records_of(found[(page - 1) * PER_PAGE : page * PER_PAGE])
    conflicts, agreement = _agreement(desk)
    return {
        "total": len(found),
        "page": page,
        "pages": pages,
        "entries": [_entry(desk, record) for record in reversed(records)],
        "conflicts": conflicts,
        "agreement": agreement,
    }


def _agreement(desk: Desk) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Contradictions and agreement, computed once until something else is said."""
    key = (desk.standing.sha256, desk.items is None)
    if key not in desk.computed:
        desk.computed.clear()
        conflicts = conflicts_of(desk.standing, desk.items)[:MOST_CONFLICTS]
        desk.computed[key] = conflicts, agreement_of(desk.standing, desk.store)
    found: tuple[list[dict[str, str]], dict[str, Any]] = desk.computed[key]
    return found


def _wanted(desk: Desk, asked: Mapping[str, Any]) -> list[int]:
    """The numbers of the statements that are asked for, oldest first."""
    author, polarity = text_in(asked, "author", default=""), text_in(asked, "polarity", default="")
    state = text_in(asked, "state", default="all") or "all"
    if state not in ("all", "active", "retracted"):
        raise FeedbackError(f"state is {state!r}; expected active, retracted or all")
    retracted = desk.standing.retracted
    return [
        change.number
        for change in desk.standing.said.values()
        if (not author or change.author == author)
        and (not polarity or change.polarity == polarity)
        and (state == "all" or (change.number in retracted) == (state == "retracted"))
    ]


def _entry(desk: Desk, record: Any) -> dict[str, Any]:
    said, taken = record.feedback, record.retraction
    known = desk.items is not None and said.split in desk.items.splits
    thing, href = desk.thing, None
    about = f"every {thing}"
    is_known = said.row is not None and known and said.row < desk.items.splits[said.split].count  # type: ignore[union-attr]
    if said.scope == "row" and is_known:
        about = desk.items.splits[said.split].name(said.row)  # type: ignore[union-attr]
        href = item_address(said.split, said.row)
    elif said.scope == "row":
        about = f"{thing} {said.row} of {said.split}"
    elif said.scope == "class":
        classes = desk.items.classes if desk.items else ()
        about = f"all {thing}s of “{classes[said.label] if said.label < len(classes) else said.label}”"
    is_mask = isinstance(said.region, Pixels) and said.region.mask.ndim >= 2
    return {
        "id": record.id,
        "polarity": said.polarity,
        "scope": said.scope,
        "about": about,
        "href": href,
        "region": desk.region_text(said),
        "picture": mask_url(said.region.mask) if is_mask else None,
        "said_at": [said.split, said.row] if is_known else None,
        "author": said.author,
        "at": said.at.isoformat(timespec="seconds") if said.at else "",
        "note": said.note,
        "retracted": None
        if taken is None
        else {"by": taken.author, "at": taken.at.isoformat(timespec="seconds"), "note": taken.note},
    }
