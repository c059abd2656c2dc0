"""What the first page says: how well the model does, what to look at, and what to do next."""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from corrigible.errors import StudyError
from corrigible.printable import plural
from corrigible.recipe_keys import content_of
from corrigible.run_records import decisions, discarded
from corrigible.said import Features, Phrase, Pixels, Region
from corrigible.study import Run, Study
from corrigible.workflow.reviews.desk import Desk
from corrigible.workflow.reviews.items import THINGS
from corrigible.workflow.reviews.regions import mask_url, region_as_json, region_in_words

WIDTH = 1.959964
"""Of a 95 % interval, in standard deviations."""
MOST_SUSPECTS = 12
REPORT = "report.html"


def study_json(desk: Desk, run: Run, *, reviewer: str, warnings: list[str], failure: str) -> dict[str, Any]:
    """The study as the first page shows it.

    Args:
        failure: why the data cannot be loaded; empty where it is or is being loaded.
    """
    facts, runs = desk.facts, desk.runs()
    try:
        suspects = suspects_of(runs, run, facts)
    except StudyError as error:
        suspects, warnings = [], [*warnings, str(error)]
    return {
        "title": title_of(desk.study),
        "kind": kind_of(desk),
        "thing": THINGS[kind_of(desk)],
        "task": facts.get("task", "classes"),
        "classes": list(facts.get("classes", [])),
        "splits": list(facts.get("splits", {})),
        "model": {"run": run.name, "label": run.label},
        "reviewer": reviewer,
        "counts": desk.counts(),
        "methods": list(facts.get("methods", [])),
        "accuracy": accuracy_of(desk),
        "measured_on": list(facts.get("splits", {"": None}))[-1],
        "suspects": suspects,
        "next": next_of(desk, run, runs, has_suspects=bool(suspects)),
        "correction": correction_of(runs),
        "report": "/report.html" if (desk.study.folder / REPORT).is_file() else None,
        "sealed": sorted(found.name for found in (desk.study.folder / "sealed").glob("*/")),
        "loading": not facts and not failure,
        "warnings": warnings,
    }


def correction_of(runs: Sequence[Run]) -> str | None:
    """The name of the latest correction that was not discarded; None if there is none."""
    left_out = discarded(run.record for run in runs)
    found = [run.name for run in runs if run.verb == "correct" and run.name not in left_out]
    return found[-1] if found else None


def title_of(study: Study) -> str:
    """The study's title; its folder's name where it has none."""
    return str(content_of(study.recipe_text).get("title") or study.folder.resolve().name)


def heading_of(desk: Desk) -> dict[str, str]:
    """What stands in the head of every page: the study's title, and what its items are called."""
    return {"title": title_of(desk.study), "things": f"{THINGS[kind_of(desk)]}s"}


def kind_of(desk: Desk) -> str:
    """image, table or text: as the data is, or until it is loaded as the recipe says."""
    return str(desk.facts.get("kind") or content_of(desk.study.recipe_text)["data"].get("kind", "image"))


def accuracy_of(desk: Desk) -> list[dict[str, Any]]:
    """The share of rows that are predicted right, of all and of each class, on the rows that are measured.

    Nothing where labels are no classes, or as long as not every row is predicted.
    """
    if desk.items is None:
        return []
    rows = list(desk.items.splits.values())[-1]
    if rows.labels is None or (rows.is_right < 0).any():
        return []
    found = [_share("all", rows.is_right)]
    for label, name in enumerate(desk.items.classes):
        of_class = rows.is_right[rows.labels == label]
        if len(of_class):
            found.append(_share(name, of_class))
    return found


def _share(part: str, is_right: Any) -> dict[str, Any]:
    """The share with Wilson's interval (Wilson 1927), which holds for few rows too."""
    count, share = len(is_right), float(np.mean(is_right))
    middle = (share + WIDTH**2 / (2 * count)) / (1 + WIDTH**2 / count)
    half = WIDTH * math.sqrt(share * (1 - share) / count + WIDTH**2 / (4 * count**2)) / (1 + WIDTH**2 / count)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    texts = {name: _percent(value) for name, value in (("value", share), ("low", low), ("high", high))}
    return {"part": part, **texts, "count": count}


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%"


def suspects_of(runs: Sequence[Run], model: Run, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The regions that the latest ``suspect`` of this model ranked; none if nobody asked.

    Raises:
        StudyError: that run was changed.
    """
    return [_suspect(found, facts) for found in _ranked(runs, model)[:MOST_SUSPECTS]] if facts else []


def suspect_rows(runs: Sequence[Run], model: Run, rank: int) -> list[int]:
    """The training rows that the model's suspect of that rank names.

    Raises:
        StudyError: the run that ranked it was changed.
    """
    return [int(row) for suspect in _ranked(runs, model) if suspect["rank"] == rank for row in suspect["rows"]]


def _ranked(runs: Sequence[Run], model: Run) -> list[Mapping[str, Any]]:
    found = [run for run in runs if run.verb == "suspect" and run.record.get("parent") == model.name]
    if not found:
        return []
    found[-1].require_unchanged()
    ranked: list[Mapping[str, Any]] = found[-1].read("suspects.json")
    return ranked


def _suspect(found: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    region = _region(found["region"], tuple(facts["shape"]))
    split = next(iter(facts["splits"]))
    things = f"{THINGS[facts['kind']]}s"
    for_class = f" for “{found['label']}”" if found["label"] else ""
    told = (
        f"With the content of other {things} there, the score{for_class} falls by {found['effect']:.3f} "
        f"({found['low']:.3f} to {found['high']:.3f}), {found['ratio']:.1f} times as much as elsewhere."
    )
    is_mask = isinstance(region, Pixels) and region.mask.ndim >= 2
    return {
        "rank": found["rank"],
        "title": _title(region, facts) + for_class,
        "sentence": told,
        "tells_label": found["tells_label"],
        "picture": mask_url(region.mask) if is_mask else None,  # type: ignore[union-attr]
        "rows": [[split, row] for row in found["rows"]],
        "region": region_as_json(region),
    }


def _title(region: Region, facts: Mapping[str, Any]) -> str:
    if isinstance(region, Pixels) and region.mask.ndim >= 2:
        down, across = (np.flatnonzero(region.mask.any(axis=axis)) for axis in (1, 0))
        size = f"{len(across)} × {len(down)} pixels"
        return f"{size}, {int(across[0])} from the left and {int(down[0])} from the top"
    return region_in_words(region, facts.get("titles", {}))


def _region(written: str, shape: tuple[int, ...]) -> Region:
    """The region that a suspect names in the form that ``feedback add`` takes."""
    option, *values = shlex.split(written)
    if option == "--feature":
        return Features(tuple(value for value in [option, *values] if value != "--feature"))
    if option == "--phrase":
        return Phrase(tuple(values[0].split()))
    if option == "--token":
        return Pixels(np.isin(np.arange(shape[0]), [int(value) for value in values if value != "--token"]))
    top, left, height, width = map(int, values)
    mask = np.zeros(shape[-2:], bool)
    mask[top : top + height, left : left + width] = True
    return Pixels(mask)


def next_of(desk: Desk, run: Run, runs: Sequence[Run], *, has_suspects: bool) -> dict[str, str]:
    """What to do next, and where."""
    desk.catch_up()
    things = f"{THINGS[kind_of(desk)]}s"
    said = desk.standing.standing(list(desk.standing.said))
    if run.verb == "correct":
        if run.name not in decisions(found.record for found in runs):
            sentence = "The model was corrected. See what changed, and keep or discard it."
            return {"sentence": sentence, "href": "/correct"}
        said = [number for number in said if number > run.record.get("feedback_revision", 0)]
        if not said and not has_suspects:
            sentence = "The corrected model was kept. Write the report, or look for other regions."
            return {"sentence": sentence, "href": "/report"}
    if said:
        things = plural(len(said), "remark") + (" since the correction" if run.verb == "correct" else " so far")
        return {"sentence": f"{things}. Mark more, or correct the model now.", "href": "/correct"}
    if has_suspects:
        return {"sentence": "Look at the regions below: may the model go by them?", "href": "/items?suspect=1"}
    return {"sentence": f"Look at {things} where the model is wrong, and mark what must not matter.", "href": "/items"}
