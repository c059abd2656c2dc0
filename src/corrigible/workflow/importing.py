"""The verb that imports feedback: from JSON, or from a folder of masks."""

from collections.abc import Iterator
from pathlib import Path

from corrigible.data.image_masks import images_of, masks_for, masks_of_rows, polarities_in
from corrigible.data.protocol import names_of
from corrigible.errors import FeedbackError
from corrigible.feedback.exchange import from_json
from corrigible.feedback.extent import empty_masks
from corrigible.files import MOST_FEEDBACK, read_text
from corrigible.recipe import load_data
from corrigible.study import Study, open_study
from corrigible.types import Feedback, Pixels
from corrigible.workflow.marking import check, doubts_of, print_of
from corrigible.workflow.next_steps import next_steps
from corrigible.workflow.records import Noted


def import_feedback(folder: Path, source: Path) -> Iterator[Noted]:
    """Store everything in a JSON file that ``feedback export`` wrote, or in a folder of masks: all of it or nothing.

    What the store holds already, retracted or not, is not stored again.

    Masks are image files named like the study's images: ``<source>/irrelevant/<split>/<class>/<name>.png``, or
    ``relevant``; each marks its image where its pixels are above 0. Images that are not kept as files have masks
    ``<source>/irrelevant/<split>/row-<number>.png``.

    Raises:
        FeedbackError: the file is not feedback, or does not fit the data.
        DataError: a mask without a matching image.
    """
    study = open_study(folder)
    said, doubts = _masks_said(study, source) if source.is_dir() else _json_said(study, source)
    with study.feedback() as store:
        numbers = store.add_new(said)
    result = f"to take this import back: feedback retract {_as_range(numbers)}" if numbers else ""
    known, steps = len(said) - len(numbers), next_steps(folder, "feedback")
    yield Noted("feedback import", tuple(numbers), known, tuple(doubts), result, steps)


def _as_range(numbers: list[int]) -> str:
    """The numbers of one import, which follow each other, as `feedback retract` takes them."""
    return f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else str(numbers[0])


def _masks_said(study: Study, source: Path) -> tuple[list[Feedback], list[str]]:
    """What the masks say, and what to check about it; a mask that marks nothing says nothing."""
    said: list[Feedback] = []
    empty, doubts = list[str](), list[str]()
    for polarity, split in polarities_in(source):
        data = load_data(study.recipe, study.folder, split)
        images, found = images_of(data), []
        masks = (
            masks_of_rows(data, source, polarity, split)
            if images is None
            else masks_for(images, source, polarity, split)
        )
        for row, mask in masks:
            region, name = Pixels(mask.numpy()), names_of(data).row(row)
            note = f"mask of {name}"
            if not region.mask.any():
                empty.append(name)
                continue
            found.append(Feedback(region, polarity, row, split, fingerprint=print_of(data, row), note=note))
        doubts += doubts_of(found, data)
        said += found
    return said, doubts + empty_masks(empty)


def _json_said(study: Study, source: Path) -> tuple[list[Feedback], list[str]]:
    try:
        text = read_text(source, most=MOST_FEEDBACK)
    except FileNotFoundError as error:
        raise FeedbackError(
            f"there is no file or folder {source}; expected JSON of `corrigible feedback export`, or masks in a folder"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise FeedbackError(
            f"cannot read {source} ({error}); expected the JSON of `corrigible feedback export`"
        ) from error
    feedback = from_json(text)
    doubts: list[str] = []
    for split in dict.fromkeys(said.split for said in feedback):
        of_split = [said for said in feedback if said.split == split]
        data = load_data(study.recipe, study.folder, split)
        check(of_split, data)
        doubts += doubts_of(of_split, data)
    return feedback, doubts
