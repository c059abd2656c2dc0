"""Texts of other tables as the categories of the training table."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from corrigible.data.cells import Cells, Words, written
from corrigible.data.class_order import MISSING
from corrigible.data.table_columns import not_known

log = logging.getLogger(__name__)


def as_categories(name: str, cells: Cells, categories: Sequence[str]) -> Words:
    """The cells as these categories; a cell whose text training lacks is as if empty, -1.

    Texts that differ from a category in capital letters alone are taken for it, and so are 0 and 1 for False and True
    or the other way round; that, and what training did not have, is logged with the column's name.
    """
    words = as_words(cells)
    table = _table(name, words, categories)
    counts = words.counts
    unseen = [
        (repr(text), counts[place]) for place, text in enumerate(words.texts) if counts[place] and table[place] < 0
    ]
    empty = int((words.codes < 0).sum())
    if empty and table[-1] < 0:
        unseen.append(("no value", empty))
    if unseen:
        told = ", ".join(f"{text} in {count:,} rows" for text, count in unseen[:3])
        rest = f", and {len(unseen) - 3:,} more" if len(unseen) > 3 else ""
        log.warning("column %r holds %s%s, which training lacks: no category of it there", name, told, rest)
    return Words(table[words.codes], categories)


def places_among(name: str, cells: Cells, names: Sequence[str]) -> NDArray[np.int32]:
    """The place of each cell's class or group, all of which training has.

    Raises:
        DataError: one that training lacks.
    """
    words = as_words(cells)
    table = _table(name, words, names)
    unknown = sorted(text for place, text in enumerate(words.texts) if table[place] < 0 and words.counts[place])
    if unknown or (table[words.codes] < 0).any():
        raise not_known(name, unknown[0] if unknown else MISSING, names)
    return table[words.codes]


def _table(name: str, words: Words, categories: Sequence[str]) -> NDArray[np.int32]:
    """The place of each text's category, and last that of empty cells; -1 for none."""
    places = {category: place for place, category in enumerate(categories)}
    others = _by_meaning(categories)
    table = [places.get(text, others.get(text.casefold(), -1)) for text in words.texts]
    for text, place, count in zip(words.texts, table, words.counts, strict=True):
        if count and place >= 0 and text not in places:
            log.warning(
                "column %r holds %r in %s rows, read as %r as in training", name, text, int(count), categories[place]
            )
    return np.array([*table, places.get(MISSING, -1)], np.int32)


def as_words(cells: Cells) -> Words:
    """The cells as texts; whole numbers without a point."""
    if isinstance(cells, Words):
        return cells
    found, codes = np.unique(cells, return_inverse=True)
    known = ~np.isnan(found)
    return Words(np.where(known[codes], codes, -1).astype(np.int32), [written(number) for number in found[known]])


def _by_meaning(categories: Sequence[str]) -> dict[str, int]:
    """The place of the one category that is spelt so in small letters, or means the same truth."""
    found: dict[str, list[int]] = {}
    for place, category in enumerate(categories):
        found.setdefault(category.casefold(), []).append(place)
    alike = {text: places[0] for text, places in found.items() if len(places) == 1}
    for first, second in (("true", "1"), ("false", "0")):
        is_truth = {category.casefold() for category in categories} - {MISSING} <= {"true", "false", "0", "1"}
        for here, there in ((first, second), (second, first)):
            if is_truth and here in alike and there not in found:
                alike[there] = alike[here]
    return alike
