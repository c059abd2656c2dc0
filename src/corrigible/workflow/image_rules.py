"""Rules about a rectangle of image files, checked against the recipe and the names of the files alone."""

from collections.abc import Mapping
from typing import Any

from corrigible.data.naming import class_number
from corrigible.feedback.boxes import box_region
from corrigible.feedback.wording import MOST, marks_most
from corrigible.recipe_keys import content_of
from corrigible.said import Feedback
from corrigible.study import Study
from corrigible.workflow.row_names import names_in


def image_shape(study: Study) -> tuple[int, int, int] | None:
    """Channels, height and width of a study's images; None where only the files say it."""
    about = content_of(study.recipe_text)["data"]
    size, channels = about.get("size"), about.get("channels")
    sides = size if isinstance(size, list) else [size, size]
    numbers = [channels, *sides]
    if about.get("kind") != "image" or "source" in about or not all(type(number) is int for number in numbers):
        return None
    return (channels, sides[0], sides[1]) if len(sides) == 2 else None


def checked_box(
    study: Study, box: tuple[int, int, int, int], label: int | str | None, about: Mapping[str, Any]
) -> tuple[Feedback, tuple[str, ...]] | None:
    """The rule as feedback, and what a person should check about it; None where the files have to be read.

    Raises:
        FeedbackError: a box outside of the images, or an unknown class.
    """
    shape, names = image_shape(study), names_in(study, str(about["split"]))
    if shape is None or not names.files:
        return None
    number = None if label is None else class_number(label, names.class_names)
    region = box_region(box, shape)
    said = Feedback(region, scope="dataset" if label is None else "class", label=number, **about)
    share = float(region.mask.mean())
    return said, (marks_most([said], share, names),) if share > MOST else ()
