"""All that stands as one file, and files of feedback that somebody brings."""

import io
import json
import zipfile
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from corrigible.data.image_decoding import SUFFIXES
from corrigible.data.image_file import stored_size
from corrigible.data.image_masks import images_of
from corrigible.data.image_names import path_inside
from corrigible.errors import FeedbackError
from corrigible.feedback.exchange import to_json
from corrigible.folders import inside
from corrigible.said import Feedback, Pixels
from corrigible.study import Study
from corrigible.workflow.importing import import_feedback
from corrigible.workflow.reviews.subject import Subject

EXPORTS = ("feedback.json", "masks.zip", "coco.json")
MOST_UNPACKED, MOST_FILES = 512 * 2**20, 20_000
"""Most bytes and files of an archive of masks."""


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
    return _masks(subject, [one for _, one in marked]) if name == "masks.zip" else _coco(subject, marked)


def imported(folder: Path, source: Path) -> dict[str, Any]:
    """What `import_feedback` stored of a JSON file, or of an archive of masks.

    Raises:
        FeedbackError: neither, or what `import_feedback` raises.
    """
    if source.suffix == ".json":
        return _noted(folder, source)
    with TemporaryDirectory() as place:
        _unpack(source, Path(place))
        return _noted(folder, Path(place))


def _noted(folder: Path, source: Path) -> dict[str, Any]:
    (noted,) = import_feedback(folder, source)
    return {"numbers": list(noted.numbers), "known": noted.num_known, "doubts": list(noted.doubts)}


def _unpack(source: Path, place: Path) -> None:
    """Write the archive's pictures; what it says of their sizes is checked first, and while they are read."""
    try:
        with zipfile.ZipFile(source) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > MOST_FILES or sum(entry.file_size for entry in entries) > MOST_UNPACKED:
                raise FeedbackError(
                    f"the archive holds more than {MOST_FILES:,} files or {MOST_UNPACKED // 2**20} MiB; use several"
                )
            for entry in entries:
                _unpack_one(archive, entry, place)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise FeedbackError(f"the archive cannot be read ({error}); expected a .zip of masks") from error


def _unpack_one(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, place: Path) -> None:
    if PurePosixPath(entry.filename).suffix.lower() not in SUFFIXES:
        raise FeedbackError(f"the archive holds {entry.filename[:80]!r}; expected pictures alone")
    try:
        target = inside(place, entry.filename)
    except ValueError as error:
        raise FeedbackError(f"the archive cannot be used: {error}") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as packed:
        written = packed.read(entry.file_size + 1)
    if len(written) > entry.file_size:
        raise FeedbackError(f"{entry.filename[:80]!r} is larger than the archive says; pack it again")
    target.write_bytes(written)


def _is_mask_of_row(said: Feedback, subject: Subject) -> bool:
    return said.scope == "row" and said.split in subject.data and isinstance(said.region, Pixels)


def _plane(said: Feedback) -> NDArray[np.bool_]:
    assert isinstance(said.region, Pixels)
    planes = said.region.mask.reshape(-1, *said.region.mask.shape[-2:])
    return np.asarray(planes.any(axis=0))


def _masks(subject: Subject, said: list[Feedback]) -> bytes:
    """A mask for each row and polarity, named as its image and of its size; what was marked twice is joined."""
    joined: dict[tuple[str, str, int], NDArray[np.bool_]] = {}
    for one in said:
        assert one.row is not None
        key = (one.polarity, one.split, one.row)
        joined[key] = joined[key] | _plane(one) if key in joined else _plane(one)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for (polarity, split, row), mask in joined.items():
            images = images_of(subject.data[split])
            picture, name = Image.fromarray(mask.astype(np.uint8) * 255), f"{split}/row-{row}"
            if images is not None:
                height, width = stored_size(path_inside(images.folder, images.files[row]))
                picture, name = picture.resize((width, height), Image.Resampling.NEAREST), images.files[row]
            one_file = io.BytesIO()
            picture.save(one_file, format="PNG")
            archive.writestr(f"{polarity}/{PurePosixPath(name).with_suffix('.png')}", one_file.getvalue())
    return written.getvalue()


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
    mask = _plane(said)
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
