"""Move marked content to other rows, so that it no longer predicts the label.

Teso and Kersting 2019, Explanatory interactive machine learning (CAIPI), replace the marked content of reviewed rows.
Here rows of every class also get the marked content of reviewed rows and keep their label, as in Cut, Paste and Learn
(Dwibedi et al. 2017): half of the pasted content is marked, the other half is other rows' content of the same form.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn

from corrigible.augment.columns import ColumnCues, column_cues, with_columns_moved
from corrigible.augment.pixels import PixelCues, pixel_cues, with_pixels_moved
from corrigible.augment.words import WordCues, with_words_moved, word_cues
from corrigible.batches import collate
from corrigible.data.dataset import strata_of
from corrigible.data.protocol import Dataset, tokens_of
from corrigible.data.swapping import draw_donors, lent, some_rows
from corrigible.declarations import declared
from corrigible.errors import DataError
from corrigible.feedback.masks import Marks, Masks
from corrigible.tasks import CLASSES
from corrigible.types import Batch

MOST_REVIEWED, NUM_DONORS = 256, 256


@dataclass(frozen=True)
class Cues:
    """The marked content, prepared for moving, and the masks of the rows that it is on."""

    content: PixelCues | ColumnCues | WordCues
    marks: Marks
    rows: Int[Tensor, " reviewed"]
    """The positions of the reviewed rows that the content is from."""
    left: Masks | None = None
    """What is left in place on marked images; None for nothing (see `left_in_place`)."""


@declared(kind="augmentation", rows="labelled", serves=("irrelevant",), looks_at="nothing")
def transplant(model: nn.Module, batch: Batch, generator: torch.Generator, *, cues: Cues) -> Batch:
    """The batch with marked content moved between its rows; every row keeps its label.

    Images: a place that many rows mark gets the content of a reviewed row or of any training row; a cue that moves
    about is pasted in place, moved or mirrored, and replaced where it was marked or is found again. Tables: marked
    features get other rows' values. Texts: marked phrases are taken out and put into half of the texts. What only few
    reviewed rows mark is moved less often, because some masks are misplaced.

    Args:
        cues: the marked content; a fact about the training data that `correct` fills in.
    """
    content = cues.content
    if isinstance(content, WordCues):
        return with_words_moved(batch, content, generator)
    strata = (batch.task or CLASSES).strata(batch.y)
    own = cues.marks.irrelevant.masks(batch.index.cpu(), strata)
    if isinstance(content, ColumnCues):
        return with_columns_moved(batch, content, own, generator)
    left = cues.left.masks(batch.index.cpu(), strata) if cues.left is not None else None
    return with_pixels_moved(batch, content, own, generator, left=left)


def cues_of(dataset: Dataset, marks: Marks, seed: int) -> Cues:
    """The content marked irrelevant on the data set's rows, from at most 256 of them.

    Raises:
        DataError: rows that are neither images, tables nor texts with words.
    """
    reviewed = collate(dataset, some_rows(marks.irrelevant.rows(strata_of(dataset)), MOST_REVIEWED, seed), marks)
    donors = collate(dataset, draw_donors(len(dataset), NUM_DONORS, seed), marks)
    assert donors.irrelevant is not None
    lending = lent(donors.x, donors.irrelevant)
    if tokens_of(dataset) is not None:
        return Cues(word_cues(reviewed), marks, reviewed.index)
    if reviewed.x.ndim == 2:
        return Cues(column_cues(reviewed, lending), marks, reviewed.index)
    if reviewed.x.ndim == 4:
        return Cues(pixel_cues(dataset, reviewed, lending), marks, reviewed.index)
    raise DataError(
        f"rows have shape {tuple(reviewed.x.shape[1:])}; transplant moves content between images (channel, height, "
        "width), tables and texts with words: name a penalty instead"
    )
