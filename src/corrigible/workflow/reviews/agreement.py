"""Where reviewers contradict each other, and how far they agree.

Krippendorff 2011, Computing Krippendorff's alpha-reliability, for nominal answers with gaps; intersection over union
for what two reviewers marked on one row.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from corrigible.feedback.store import FeedbackStore
from corrigible.said import Pixels, Region
from corrigible.workflow.reviews.addresses import item_address
from corrigible.workflow.reviews.items import Items
from corrigible.workflow.reviews.standing import Place, Standing

MOST_PAIRS = 500
"""Pairs of marks that are compared."""


def krippendorff_alpha(units: Iterable[Sequence[str]]) -> float | None:
    """Agreement about nominal answers: 1 is perfect, 0 as by chance; None where nothing can disagree.

    Args:
        units: for each thing that was judged, one answer of each who judged it; those with fewer than two count not.
    """
    pairs: Counter[tuple[str, str]] = Counter()
    for answers in units:
        if len(answers) < 2:
            continue
        for first, second in combinations(answers, 2):
            pairs[first, second] += 1 / (len(answers) - 1)  # type: ignore[assignment]
            pairs[second, first] += 1 / (len(answers) - 1)  # type: ignore[assignment]
    totals: Counter[str] = Counter()
    for (first, _), weight in pairs.items():
        totals[first] += weight
    count = sum(totals.values())
    expected = count * count - sum(total * total for total in totals.values())
    if count <= 1 or not expected:
        return None
    observed = sum(weight for (first, second), weight in pairs.items() if first != second)
    return float(1 - (count - 1) * observed / expected)


def overlap(first: Region, second: Region) -> float:
    """Intersection over union of two regions of one kind; 0 for regions of different kinds."""
    if isinstance(first, Pixels) and isinstance(second, Pixels):
        if first.mask.shape != second.mask.shape:
            return 0.0
        union = int((first.mask | second.mask).sum())
        return float((first.mask & second.mask).sum()) / union if union else 1.0
    one, other = (set(getattr(region, "names", getattr(region, "words", ()))) for region in (first, second))
    return len(one & other) / len(one | other) if type(first) is type(second) and one | other else 0.0


def answers_by_author(standing: Standing) -> Mapping[Place, Mapping[str, str]]:
    """The latest answer of each reviewer about each row; skipping is no answer."""
    found = {place: standing.answer_of_each(place) for place in standing.answers}
    return {place: latest for place, latest in found.items() if latest}


def conflicts_of(standing: Standing, items: Items | None) -> list[dict[str, str]]:
    """A sentence and an address for each row about which people contradict each other."""
    found = []
    for place, latest in answers_by_author(standing).items():
        if len(set(latest.values())) > 1:
            told = ", ".join(f"{author or 'somebody'} “{answer}”" for author, answer in latest.items())
            found.append(_conflict(place, items, f"{told}"))
    marked: dict[tuple[Any, ...], dict[str, list[int]]] = {}
    for number in standing.standing(standing.said):
        said = standing.said[number]
        about = (said.split, said.row) if said.scope == "row" else (said.scope, said.label)
        marked.setdefault((*about, said.region), {}).setdefault(said.polarity or "", []).append(number)
    for (where, what, _), polarities in marked.items():
        if len(polarities) < 2:
            continue
        numbers = " and ".join(str(some[0]) for some in polarities.values())
        told = f"remarks {numbers} mark the same region as irrelevant and as relevant; take one of them back"
        if where in ("class", "dataset"):
            found.append({"sentence": f"As a rule, {told}.", "href": "/feedback"})
        else:
            found.append(_conflict((where, what), items, told))
    return found


def _conflict(place: Place, items: Items | None, told: str) -> dict[str, str]:
    split, row = place
    is_known = items is not None and split in items.splits and row < items.splits[split].count
    name = items.splits[split].name(row) if is_known and items is not None else f"row {row}"
    return {"sentence": f"{name} of {split}: {told}.", "href": item_address(split, row)}


def agreement_of(standing: Standing, store: FeedbackStore) -> dict[str, Any]:
    """How far reviewers agree in their answers, and in where they marked, as a sentence and a number."""
    several = [list(latest.values()) for latest in answers_by_author(standing).values() if len(latest) > 1]
    if not several:
        return {"sentence": "Nothing was answered by two reviewers, so agreement is not measured.", "value": None}
    alpha = krippendorff_alpha(several)
    shares = _overlaps(standing, store)
    were = "was" if len(several) == 1 else "were"
    told = f"{len(several):,} {were} answered by two reviewers or more"
    told += (
        f": Krippendorff’s alpha is {alpha:.2f} (1 is perfect, 0 as by chance)"
        if alpha is not None
        else ", always with the same answer, so that alpha is not defined"
    )
    if shares:
        told += f"; where two marked the same one, {100 * float(np.mean(shares)):.0f}\u00a0% of the area is common"
    return {"sentence": f"{told}.", "value": alpha}


def _overlaps(standing: Standing, store: FeedbackStore) -> list[float]:
    """For each row that two people marked, the intersection over union of what they marked."""
    wanted: list[tuple[list[int], list[int]]] = []
    for numbers in standing.by_row.values():
        by_author: dict[tuple[str, str], list[int]] = {}
        for number in standing.standing(numbers):
            said = standing.said[number]
            by_author.setdefault((said.polarity or "", said.author), []).append(number)
        for one, other in combinations(by_author, 2):
            if one[0] == other[0] and len(wanted) < MOST_PAIRS:
                wanted.append((by_author[one], by_author[other]))
    regions = {
        record.id: record.feedback.region
        for record in store.records_of(number for pair in wanted for numbers in pair for number in numbers)
    }
    return [_best(regions[one[0]], [regions[number] for number in other]) for one, other in wanted]


def _best(region: Region, others: Sequence[Region]) -> float:
    return max(overlap(region, other) for other in others)
