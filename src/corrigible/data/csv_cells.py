"""The cells of a table file, block by block: numbers are read at once as numbers, everything else as text."""

import io
import mmap
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from corrigible.data.cells import Blocks, Cells, Words, column, merged
from corrigible.data.column_reading import Reading, numbers_read
from corrigible.data.csv_layout import Lines, TableText
from corrigible.data.csv_layout import table_text as table_text
from corrigible.data.number_forms import GROUPED, PLAIN, UNKNOWN_WORDS
from corrigible.errors import DataError

FIRST_CHECK = 2048
"""So many different texts make a column be checked, and again whenever they have doubled."""


class TrainingCells(NamedTuple):
    """The cells of a training table, and what was found where numbers were read."""

    blocks: Blocks
    words: Mapping[str, Sequence[str]]
    """By column, the texts that stand for an unknown number."""
    grouped: Mapping[str, str]
    """By column, a number whose point may divide thousands, as may all others at the beginning of the column."""


def training_cells(source: TableText, names: Sequence[str], check: Callable[[str, Words], None]) -> TrainingCells:
    """The cells of a training table: of every column in which all is written as plain numbers, those, else texts.

    A column that turns out to hold text late is read a second time, so that no text is lost.

    Args:
        check: raises an error for a column with these texts, whatever may follow.

    Raises:
        DataError: not a table, or as ``check``.
    """
    reader = _Reader(source, names)
    blocks: Blocks = []
    limits = dict.fromkeys(names, FIRST_CHECK)
    for lines in source.blocks():
        cells = reader.cells(lines)
        blocks.append(reader.learn_numbers(cells, lines.coded) if not blocks else cells)
        for name, texts in reader.texts.items():
            if len(texts) >= limits[name] and name not in reader.late:
                limits[name] = 2 * len(texts)
                found = column(blocks, name)
                assert isinstance(found, Words)
                check(name, found)
    if reader.late:
        _read_again(source, blocks, sorted(reader.late))
    return TrainingCells(blocks, {name: sorted(words) for name, words in reader.numbers.items()}, reader.grouped)


def cells_as_read(source: TableText, readings: Sequence[Reading]) -> Blocks:
    """The cells of these columns, as the training table was read.

    Raises:
        DataError: not a table, or a text in a column of numbers.
    """
    reader = _Reader(source, [reading.name for reading in readings], {reading.name: reading for reading in readings})
    return [reader.cells(lines) for lines in source.blocks()]


def _read_again(source: TableText, blocks: Blocks, names: Sequence[str]) -> None:
    """Replace the numbers by texts in columns that hold both."""
    with table_text(source.path) as again:
        reader = _Reader(again, names)
        for block, lines in zip(blocks, again.blocks(), strict=True):
            block.update(reader.cells(lines))
    if again.sha256 != source.sha256:
        raise DataError(f"{source.path} changed while it was read; try again")


def texts_as_written(source: TableText, names: Sequence[str]) -> dict[str, list[str]]:
    """Every cell of these columns as it is written.

    Raises:
        DataError: not a table.
    """
    places = {name: source.layout.names.index(name) for name in names}
    found: dict[str, list[str]] = {name: [] for name in names}
    for lines in source.blocks():
        frame = _parsed(source, lines, list(places.values()), {})
        for name, place in places.items():
            found[name] += frame[place].tolist()
    return found


def _parsed(
    source: TableText, lines: Lines, places: Sequence[int], unknown: Mapping[int, Sequence[str]]
) -> pd.DataFrame:
    """The columns at these places: texts as they are written, or numbers where it is said what stands for unknown ones.

    Columns of numbers that hold something else come back with other types.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # Such columns are read again.
            frame = pd.read_csv(
                io.BytesIO(lines.text),
                sep=source.layout.separator,
                header=None,
                names=range(len(source.layout.names)),
                index_col=False,
                usecols=sorted(places),
                # Naming float64 as the type of a column would more than double the time.
                dtype=dict.fromkeys(set(places) - set(unknown), object),
                keep_default_na=False,
                na_values=unknown,  # type: ignore[arg-type]  # Columns may be named by numbers.
            )
    except UnicodeDecodeError as error:
        raise source.refused("it is not in UTF-8") from error
    if len(frame) != lines.num_rows:
        raise source.refused(f"quotation marks inside a value near row {lines.first_row + len(frame)}")
    return frame


def _numbers_in(frame: pd.DataFrame, places: Sequence[int]) -> NDArray[np.float64]:
    """These columns, (column, row), in memory that goes back to the system as soon as it is let go."""
    shape = (len(places), len(frame))
    if 0 in shape:
        return np.empty(shape)
    numbers = np.frombuffer(mmap.mmap(-1, 8 * len(places) * len(frame)), np.float64).reshape(shape)
    for row, place in zip(numbers, places, strict=True):
        row[:] = frame[place].to_numpy()
    return numbers


class _Reader:
    """Reads columns of a table file, and keeps how each is read and the texts that were found."""

    def __init__(self, source: TableText, names: Sequence[str], readings: Mapping[str, Reading] | None = None) -> None:
        places = {name: place for place, name in enumerate(source.layout.names)}
        self._source = source
        self._places = {name: places[name] for name in names}
        self._readings = readings
        plain = {} if readings is None else {n: r for n, r in readings.items() if r.kind == "numbers" and r.is_plain}
        self.numbers = {name: set(reading.words) for name, reading in plain.items()}
        """The columns that are read as numbers, with the texts that stand for an unknown one."""
        self.texts: dict[str, list[str]] = {}
        """The texts of the columns that are read as text, in the order in which they were found."""
        self.late: set[str] = set()
        """The columns that turned out to hold text after numbers were read."""
        self.grouped: dict[str, str] = {}
        """For each column whose first points may all divide thousands, one of its numbers."""
        self._codes: dict[str, dict[str, int]] = {}

    def cells(self, lines: Lines) -> dict[str, Cells]:
        """The cells of these lines."""
        frame = self._frame(lines, self.numbers)
        kinds = dict(zip(map(int, frame.columns), (dtype.kind for dtype in frame.dtypes), strict=True))
        if any(kinds[self._places[name]] not in "iuf" for name in self.numbers):  # There are texts among the numbers.
            frame = self._frame(lines, {})
            kinds = dict.fromkeys(kinds, "O")
        if self._readings is None:
            self._move_late(lines.coded)
        plain = [place for place, kind in kinds.items() if kind in "iuf"]
        numbers = dict(zip(plain, _numbers_in(frame, plain), strict=True))
        return {
            name: numbers[place] if place in numbers else self._from_texts(name, frame[place], lines)
            for name, place in self._places.items()
        }

    def learn_numbers(self, cells: dict[str, Cells], coded: Iterable[int]) -> dict[str, Cells]:
        """The cells of the first lines, as numbers in columns that seem to hold no text."""
        found: dict[str, Cells] = {}
        for name, words in cells.items():
            assert isinstance(words, Words)
            is_number = [text for text in words.texts if PLAIN.fullmatch(text)]
            if is_number and self._places[name] not in coded:
                self.numbers[name] = set()
                numbers = self._plain(name, words)
                if numbers is not None:
                    if all(map(GROUPED.fullmatch, is_number)):
                        self.grouped[name] = is_number[0]
                    del self.texts[name], self._codes[name]
                    found[name] = numbers
                    continue
                del self.numbers[name]
            found[name] = words
        return found

    def _frame(self, lines: Lines, numbers: Mapping[str, set[str]]) -> pd.DataFrame:
        as_numbers = {self._places[name]: ["", *words] for name, words in numbers.items()}
        return _parsed(self._source, lines, list(self._places.values()), as_numbers)

    def _from_texts(self, name: str, values: "pd.Series[Any]", lines: Lines) -> Cells:
        codes, texts = pd.factorize(values.to_numpy())
        words = Words(codes.astype(np.int32), texts.tolist())
        if name not in self.numbers:
            return self._kept(name, words)
        if self._readings is not None:
            return numbers_read(merged(words.codes, words.texts), self._readings[name], first_row=lines.first_row)
        numbers = self._plain(name, merged(words.codes, words.texts))
        if numbers is not None:
            return numbers
        self._move_late([self._places[name]])
        return self._kept(name, words)

    def _plain(self, name: str, words: Words) -> NDArray[np.float64] | None:
        """The numbers, if all texts are plain ones or stand for an unknown number; those are remembered."""
        others = {text for text in words.texts if text and not PLAIN.fullmatch(text)}
        if not all(text.casefold() in UNKNOWN_WORDS for text in others):
            return None
        self.numbers[name] |= others
        table = [np.nan if not text or text in others else float(text) for text in words.texts]
        return np.array([*table, np.nan])[words.codes]

    def _move_late(self, places: Iterable[int]) -> None:
        """Read these columns as text from here on, and once more from the beginning."""
        moved = {name for name, place in self._places.items() if place in set(places) and name in self.numbers}
        self.late |= moved
        for name in moved:
            del self.numbers[name]

    def _kept(self, name: str, words: Words) -> Words:
        """The same texts by their places among all that were found in the column."""
        codes, texts = self._codes.setdefault(name, {}), self.texts.setdefault(name, [])
        table = np.full(len(words.texts) + 1, -1, np.int32)
        for place, text in enumerate(map(str.strip, words.texts)):
            if text and text not in codes:
                codes[text] = len(texts)
                texts.append(text)
            table[place] = codes.get(text, -1)
        return Words(table[words.codes], texts)
