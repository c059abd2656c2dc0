"""How much of an input a statement marks: nothing or nearly everything is often a slip."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from corrigible.data.protocol import Dataset, names_of
from corrigible.errors import FeedbackError
from corrigible.feedback.masks import Masks, marks_of_one
from corrigible.feedback.wording import MOST, many, marks_most
from corrigible.types import Feedback, Pixels


class Doubt(NamedTuple):
    """What a person should know about the extent of some statements."""

    rows: tuple[int, ...]
    """The rows that they were said of."""
    words: str


def doubtful_extents(feedback: Iterable[Feedback], dataset: Dataset) -> Iterator[Doubt]:
    """The statements that mark nothing, and those that mark more than nine tenths of an input.

    The feedback is such as `marks_of` accepts.
    """
    shares = [(said, _largest_share(said, dataset)) for said in feedback]
    nothing = [said for said, share in shares if share == 0]
    most = [said for said, share in shares if share > MOST]
    if nothing:
        said = many(nothing, names_of(dataset))
        words = f"{said} nothing; check that the mask is True, or above 0, where something is meant"
        yield Doubt(_rows(nothing), words)
    if most:
        yield Doubt(_rows(most), marks_most(most, max(share for _, share in shares), names_of(dataset)))


def empty_masks(files: list[str]) -> list[str]:
    """What a person should know about mask files that mark nothing, named by their images."""
    if not files:
        return []
    found = f"the mask of {files[0]} marks nothing and was left out"
    if len(files) > 1:
        found = f"{len(files)} masks mark nothing and were left out, such as that of {files[0]}"
    return [f"{found}: a pixel is marked where a colour is above 0, and black or transparent pixels are not"]


def require_something_left(irrelevant: Masks, dataset: Dataset) -> None:
    """Raises FeedbackError if every input of a row, of a class or of all rows is irrelevant."""
    places = [(None, None), *((label, None) for label in irrelevant.by_class), *((None, r) for r in irrelevant.by_row)]
    for label, row in places:
        if bool(irrelevant.at(label=label, row=row).all()):
            where = names_of(dataset).place(label=label, row=row)
            raise FeedbackError(
                f"every input is marked irrelevant in {where}, so nothing is left to decide by; mark only what must "
                "not matter, and retract the rest"
            )


def _largest_share(said: Feedback, dataset: Dataset) -> float:
    """The largest share of an input that the statement marks, 0 to 1."""
    if isinstance(said.region, Pixels):
        return float(said.region.mask.mean())  # The same share whatever the shape of an input.
    masks = marks_of_one(said, dataset)
    every: list[Tensor] = [masks.everywhere, *masks.by_class.values(), *masks.by_row.values()]
    return max(float(mask.to(torch.float64).mean()) for mask in every)


def _rows(statements: list[Feedback]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(said.row for said in statements if said.row is not None))
