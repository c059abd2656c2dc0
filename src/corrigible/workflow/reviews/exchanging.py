"""All that stands as one file, and files of feedback that somebody brings."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from corrigible.errors import FeedbackError
from corrigible.feedback.exchange import to_json
from corrigible.said import Feedback, Pixels
from corrigible.study import Study
from corrigible.workflow.importing import import_feedback
from corrigible.workflow.reviews.mask_archive import packed, plane_of, unpack
from corrigible.workflow.reviews.subject import Subject

EXPORTS = ("feedback.json", "masks.zip", "coco.json")


def exported(study: Study, subject: Subject, name: str) -> bytes:
    """The feedback that stands: as ``feedback import`` reads it, as mask files, or in the form of the COCO data set.

    Raises:
        FeedbackError: an unknown form; masks of rows that are no images.
    """
    with study.feedback() as store:
        said = store.active()
    if name == "feedback.json":
        return to_json([feedback for _, feedback in said]).encode()
    if name not in EXPORTS:
        raise FeedbackError(f"there is no export {name[:30]!r}; expected one of {', '.join(EXPORTS)}")
    marked = [(number, one) for number, one in said if _is_mask_of_row(one, subject)]
    if subject.kind != "image":
        raise FeedbackError("masks are of images, and these rows are none; export feedback.json")
    return packed(subject, [one for _, one in marked]) if name == "masks.zip" else _coco(subject, marked)


def imported(folder: Path, source: Path) -> dict[str, Any]:
    """What `import_feedback` stored of a JSON file, or of an archive of masks.

    Raises:
        FeedbackError: neither, or what `import_feedback` raises.
    """
    if source.suffix == ".json":
        return _noted(folder, source)
    with TemporaryDirectory() as place:
        unpack(source, Path(place))
        return _noted(folder, Path(place))


def _noted(folder: Path, source: Path) -> dict[str, Any]:
    (noted,) = import_feedback(folder, source)
    return {"numbers": list(noted.numbers), "known": noted.num_known, "doubts": list(noted.doubts)}


def _is_mask_of_row(said: Feedback, subject: Subject) -> bool:
    return said.scope == "row" and said.split in subject.data and isinstance(said.region, Pixels)


def _coco(subject: Subject, said: list[tuple[int, Feedback]]) -> bytes:
    """Images, and an annotation for each mask: run lengths column by column, as COCO counts them."""
    _, height, width = subject.shape
    places = list(dict.fromkeys((one.split, one.row) for _, one in said))
    images = [
        {
            "id": number,
            "file_name": subject.name(split, int(row or 0)),
            "width": width,
            "height": height,
            "split": split,
        }
        for number, (split, row) in enumerate(places, start=1)
    ]
    categories = [{"id": 1, "name": "irrelevant"}, {"id": 2, "name": "relevant"}]
    annotations = [_annotation(number, one, places.index((one.split, one.row)) + 1) for number, one in said]
    return json.dumps({"images": images, "categories": categories, "annotations": annotations}).encode()


def _annotation(number: int, said: Feedback, image: int) -> dict[str, Any]:
    mask = plane_of(said)
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(np.concatenate([[False], flat])))
    runs = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = [0, 0, 0, 0]
    if len(down):
        box = [*map(int, (across[0], down[0], across[-1] - across[0] + 1, down[-1] - down[0] + 1))]
    return {
        "id": number,
        "image_id": image,
        "category_id": 1 if said.polarity == "irrelevant" else 2,
        "iscrowd": 1,
        "segmentation": {"size": list(mask.shape), "counts": runs},
        "area": int(mask.sum()),
        "bbox": box,
    }
