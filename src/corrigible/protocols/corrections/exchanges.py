"""Exchanged rows: rows of every class, each with marked content and with other rows' content at the same place.

Reviewed rows get other rows' content where they are marked (swapped), and rows of all classes get the marked content of
reviewed rows (worn). Texts lose their marked words, or get those of other texts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from corrigible.augment.words import phrases_of, runs, with_words, without_places, without_words
from corrigible.batches import collate
from corrigible.data.dataset import rows_of
from corrigible.data.protocol import Dataset, tokens_of
from corrigible.data.swapping import lent
from corrigible.feedback.masks import Marks
from corrigible.types import Batch

MOST_AT_ONCE = 256
"""Rows that pass through a model together."""
SWAPPED, WORN, AS_FOUND = 0, 1, 2
PLACES = 0.37
"""Step between the relative places at which words are put into texts; not a simple fraction, so places spread out."""


@dataclass(frozen=True)
class Exchanged:
    """Some rows with both contents."""

    part: int
    y: Shaped[Tensor, " row *label"]
    found: Float[Tensor, " row *input"]
    """The rows as found."""
    scored: Float[Tensor, " row content *input"]
    compared: Float[Tensor, " row other *input"]
    source: Shaped[Tensor, " row 1 *label"]
    """The label of the row that the marked content is from."""
    other: Shaped[Tensor, " row lent *label"]
    """The label that a row has without that content: its own if it wears the content, that of the donor if swapped."""
    extra: Mapping[str, Tensor]


@dataclass(frozen=True)
class Exchanges:
    """The positions of the rows to exchange, and of the rows whose content they get."""

    swap_rows: Dataset
    swap_marks: Marks
    swap_index: Int[Tensor, " swapped"]
    swap_donor: Int[Tensor, " swapped donor"]
    wear_rows: Dataset
    wear_index: Int[Tensor, " worn"]
    wear_lead: Int[Tensor, " worn"]
    """Positions in ``reviewed``."""
    wear_donor: Int[Tensor, " worn"]
    plain_index: Int[Tensor, " plain"]
    """Rows of classes that nothing else judges, as they were found."""
    reviewed: Batch

    @property
    def num_rows(self) -> int:
        """How many rows of the data these are; one that is both swapped and wears content counts once."""
        worn = torch.cat([self.wear_index, self.plain_index]).cpu()
        if self.swap_rows is self.wear_rows:
            return len(torch.cat([self.swap_index.cpu(), worn]).unique())
        return len(self.swap_index.unique()) + len(worn.unique())

    def kinds(self, wearing: str) -> str:
        """Which rows these are, in words: training rows that are swapped beside others that wear are named too.

        Args:
            wearing: the name of the rows that wear content.
        """
        if self.swap_rows is self.wear_rows or not len(self.swap_index):
            return wearing
        return f"training and {wearing}" if len(self.wear_index) + len(self.plain_index) else "training"

    def rows(self) -> Iterator[Exchanged]:
        """The exchanged rows, a part at a time."""
        yield from self._swapped()
        yield from self._worn()
        for index in _in_parts(self.plain_index, MOST_AT_ONCE):
            rows = rows_of(self.wear_rows, index)
            own = rows.y[:, None]
            yield Exchanged(AS_FOUND, rows.y, rows.x, rows.x[:, None], rows.x[:, None], own, own, rows.extra)

    def change_nothing(self) -> bool:
        """Whether every exchange leaves its row as it was, because all rows hold the same where they are marked."""
        if not len(self.swap_index) + len(self.wear_index):
            return False  # Then nothing is exchanged, which is not the same.
        exchanged = (rows for rows in self.rows() if rows.part != AS_FOUND)
        return all(bool((rows.scored == rows.compared).all()) for rows in exchanged)

    def _swapped(self) -> Iterator[Exchanged]:
        num_donors = self.swap_donor.shape[1]
        is_text = tokens_of(self.swap_rows) is not None
        for place in _in_parts(torch.arange(len(self.swap_index)), max(1, MOST_AT_ONCE // num_donors)):
            batch = collate(self.swap_rows, self.swap_index[place], self.swap_marks)
            assert batch.irrelevant is not None
            source = batch.y[:, None]
            if is_text:
                x, other = without_places(batch.x, batch.irrelevant.any(dim=2))[:, None], source
            else:
                donors = collate(self.swap_rows, self.swap_donor[place].flatten(), self.swap_marks)
                assert donors.irrelevant is not None
                values = lent(donors.x, donors.irrelevant).unflatten(0, (len(place), num_donors))
                x = torch.where(batch.irrelevant[:, None], values, batch.x[:, None])
                other = donors.y.unflatten(0, (len(place), num_donors))
            yield Exchanged(SWAPPED, batch.y, batch.x, x, batch.x[:, None], source, other, batch.extra)

    def _worn(self) -> Iterator[Exchanged]:
        is_text = tokens_of(self.wear_rows) is not None
        for place in _in_parts(torch.arange(len(self.wear_index)), MOST_AT_ONCE):
            rows = rows_of(self.wear_rows, self.wear_index[place])
            lead = self.wear_lead[place]
            if is_text:
                cue, other = _reading(rows.x, self.reviewed, lead)
            else:
                cue, other = _wearing(rows.x, self.reviewed, lead, rows_of(self.wear_rows, self.wear_donor[place]).x)
            source, own = self.reviewed.y[lead][:, None], rows.y[:, None]
            yield Exchanged(WORN, rows.y, rows.x, cue[:, None], other[:, None], source, own, rows.extra)


def _in_parts(rows: Tensor, most: int) -> list[Tensor]:
    """The rows split into parts; no part if there are no rows, since an empty batch of a data set has no shape."""
    return list(rows.split(most)) if len(rows) else []


def _wearing(x: Tensor, reviewed: Batch, lead: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """The rows with the lead rows' marked content, and with other rows' content at the same places."""
    assert reviewed.irrelevant is not None
    mask = reviewed.irrelevant[lead]
    return torch.where(mask, reviewed.x[lead], x), torch.where(mask, others, x)


def _reading(x: Tensor, reviewed: Batch, lead: Tensor) -> tuple[Tensor, Tensor]:
    """The texts with the lead texts' marked words put in, and without any marked words."""
    assert reviewed.irrelevant is not None
    bare = without_words(x, tuple(phrases_of(reviewed)))
    cue, every = bare.clone(), torch.ones(1, dtype=torch.bool)
    for row, number in enumerate(lead.tolist()):
        for begin, end in runs(reviewed.irrelevant[number].any(dim=1)):
            where = torch.tensor([(PLACES * (row + begin)) % 1.0])
            cue[row] = with_words(cue[row : row + 1], reviewed.x[number, begin:end], every, where)[0]
    return cue, bare
