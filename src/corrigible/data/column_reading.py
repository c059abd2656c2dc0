"""How a column of the training table is read, so that other tables are read alike."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from corrigible.data.cells import Cells, Words, num_rows
from corrigible.data.number_forms import CODE, DATE, PLAIN_FORM, UNKNOWN_WORDS, NumberForm, form_of, number_in
from corrigible.errors import DataError

MOST_CATEGORIES = 1000
"""Most categories of one column; each takes a column of the encoded table."""
LEAST_OF_IDS = 50
"""The fewest rows for which a column with a different text in each row is taken for an identifier."""
MOST_MIXED = 20
"""So many different texts, of which half are numbers, are still taken for categories."""
_WHOLE = re.compile(r"[+-]?\d+")


@dataclass(frozen=True)
class Reading:
    """How one column is read, and what was found in it."""

    name: str
    kind: Literal["numbers", "categories"]
    rows: int
    unknown: int
    """The number of rows without a value."""
    form: NumberForm = PLAIN_FORM
    words: tuple[str, ...] = ()
    """Texts that stand for an unknown number."""
    remark: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether its numbers are written as 1234.5."""
        return self.form == PLAIN_FORM

    @property
    def note(self) -> str:
        """What was read how, in one line."""
        gaps = f"{self.unknown:,} of {self.rows:,} cells unknown" if self.unknown else "no cell unknown"
        words = f", also those with {_listed(self.words)}" if self.words else ""
        form = "" if self.form == PLAIN_FORM else f", written like {self.form}"
        return f"column {self.name!r}: {self.kind}{form}; {gaps}{words}{self.remark and f'; {self.remark}'}"


TextOf = Literal["file", "frame", "categories"]
"""Where text is from: a file, where everything is text; a frame, where text may be meant; a column of categories."""


def reading_of(name: str, cells: Cells, *, text: TextOf, is_label: bool = False) -> Reading:
    """The reading of a column of the training table, learned from all its cells.

    Args:
        text: where it is from. In a frame whole numbers that are kept as text are categories, unless the column also
            holds words for unknown numbers; other numbers were text to the reader alone.
        is_label: the column holds classes or groups, of which none is unseen: it is no feature.

    Raises:
        DataError: a column that is unknown everywhere, holds dates, or numbers beside many texts, or numbers that can
            be read in two ways.
    """
    rows = num_rows(cells)
    if not isinstance(cells, Words):
        unknown = int(np.isnan(cells).sum())
        if unknown == rows:
            raise _unknown_everywhere(name, "")
        return Reading(name, "numbers", rows, unknown, remark=_doubts_of_numbers(name, cells))
    counts = cells.counts
    texts = [text for text, count in zip(cells.texts, counts, strict=True) if count]
    empty = rows - int(counts.sum())
    unknown_words = tuple(text for text in texts if text.casefold() in UNKNOWN_WORDS)
    known = [text for text in texts if text.casefold() not in UNKNOWN_WORDS]
    if not known and not (is_label and unknown_words):
        raise _unknown_everywhere(name, _listed(unknown_words))
    has_codes = any(map(CODE.fullmatch, known))
    is_meant = text == "categories" or (text == "frame" and not unknown_words and all(map(_WHOLE.fullmatch, known)))
    form = None if has_codes or is_meant or not known else form_of(known, name)
    if form is not None:
        missing = sum(int(count) for text, count in zip(cells.texts, counts, strict=True) if text in unknown_words)
        return Reading(name, "numbers", rows, empty + missing, form, unknown_words)
    if not is_label and known and all(map(DATE.fullmatch, known)):
        raise DataError(
            f"column {name!r} holds dates or times such as {known[0]!r}; expected numbers or categories: turn them "
            "into numbers, such as days since the first one, or drop the column"
        )
    if not has_codes:
        _require_one_kind(name, known, is_label)
    return Reading(name, "categories", rows, empty, remark=_doubts_of_texts(known, unknown_words, has_codes))


def require_categories(name: str, cells: Words) -> None:
    """Refuse a feature with too many categories, or with a different one in every row.

    Raises:
        DataError: there are too many.
    """
    number, known = len(cells.texts), int((cells.codes >= 0).sum())
    if number == known >= LEAST_OF_IDS:
        found = f"holds a different text in each of {known:,} rows, as identifiers do"
    elif number > MOST_CATEGORIES:
        found = f"holds {number:,} different texts; expected at most {MOST_CATEGORIES:,} categories"
    else:
        return
    raise DataError(f"column {name!r} {found}: drop it, or put rare ones together under one name")


def numbers_read(cells: Cells, reading: Reading, *, first_row: int = 0) -> NDArray[np.float64]:
    """The cells as numbers, NaN where they are unknown, read as the training column was.

    Raises:
        DataError: a text that is no number in the form of the training column.
    """
    if not isinstance(cells, Words):
        return cells
    table = np.full(len(cells.texts) + 1, np.nan)
    bad = np.zeros(len(cells.texts) + 1, bool)
    for place, text in enumerate(cells.texts):
        number = _number(text, reading)
        bad[place] = number is None
        table[place] = np.nan if number is None else number
    if bad[cells.codes].any():
        row = int(bad[cells.codes].argmax())
        found = f"column {reading.name!r} holds {cells.texts[cells.codes[row]]!r} in row {first_row + row}"
        like = "" if reading.form == PLAIN_FORM else f" written like {reading.form}"
        raise DataError(f"{found} ({int(bad[cells.codes].sum())} such rows); expected a number{like}, as in training")
    return table[cells.codes]


def with_words(reading: Reading, words: Sequence[str]) -> Reading:
    """The reading with further texts that stand for an unknown number."""
    return replace(reading, words=tuple(dict.fromkeys((*reading.words, *words))))


def _number(text: str, reading: Reading) -> float | None:
    found = number_in(text, reading.form)
    if found is not None:
        return found
    if text in reading.words or text.casefold() in UNKNOWN_WORDS:
        return float("nan")
    return {"true": 1.0, "false": 0.0}.get(text.casefold()) if reading.form == PLAIN_FORM else None


def _require_one_kind(name: str, known: Sequence[str], is_label: bool) -> None:
    """Raises DataError for numbers beside texts, unless there are few of both."""
    form = PLAIN_FORM
    others = [text for text in known if number_in(text, form) is None]
    if is_label or len(known) <= MOST_MIXED or 2 * len(others) > len(known) or not others:
        return
    raise DataError(
        f"column {name!r} holds {len(known) - len(others):,} different numbers and also {_listed(others)}; expected "
        "numbers alone, with empty cells where they are unknown, or categories alone"
    )


def _doubts_of_texts(known: Sequence[str], unknown_words: Sequence[str], has_codes: bool) -> str:
    """What a person should look at in a column of categories."""
    said = []
    numbers = [text for text in known if number_in(text, PLAIN_FORM) is not None]
    if has_codes:
        said.append(f"codes such as {next(text for text in known if CODE.fullmatch(text))!r} are no numbers")
    elif numbers and len(numbers) < len(known):
        said.append("numbers beside text are categories")
    elif len(numbers) > MOST_MIXED:
        said.append(
            f"{len(numbers)} different numbers that are kept as text are categories: convert them to be numbers"
        )
    if unknown_words:
        is_one = len(unknown_words) == 1
        said.append(f"{_listed(unknown_words)} {'is a category' if is_one else 'are categories'}, not an empty cell")
    spellings: dict[str, list[str]] = {}
    for text in known:
        spellings.setdefault(text.casefold(), []).append(text)
    said.extend(
        f"{_listed(alike)} are different categories: write them alike if they are one"
        for alike in spellings.values()
        if len(alike) > 1
    )
    return "; ".join(said)


def _doubts_of_numbers(name: str, numbers: NDArray[np.float64]) -> str:
    """Whether the numbers look like identifiers: another whole number in every row, without gaps or by name."""
    if len(numbers) < LEAST_OF_IDS or np.isnan(numbers).any() or (numbers != np.round(numbers)).any():
        return ""
    is_named = name.casefold().replace("-", "_").split("_")[-1] in ("id", "ids", "key", "index", "number", "nr", "no")
    has_no_gap = numbers.max() - numbers.min() == len(numbers) - 1
    if not (is_named or has_no_gap) or len(np.unique(numbers)) < len(numbers):
        return ""
    return "another whole number in every row, as identifiers have: drop the column if they are such"


def _unknown_everywhere(name: str, words: str) -> DataError:
    found = f"nothing but {words}" if words else "no value in any row"
    return DataError(f"column {name!r} holds {found}; expected some that are known: drop it")


def _listed(texts: Sequence[str]) -> str:
    shown = ", ".join(repr(text if len(text) <= 30 else text[:29] + "…") for text in texts[:3])
    return shown + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")
