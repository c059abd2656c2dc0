"""The text of a table file: its names, what separates its values, and its lines, block by block."""

import csv
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from corrigible.data.table_roles import require_once
from corrigible.errors import DataError
from corrigible.files import MOST_ROWS, opened

BLOCK = 1 << 23
"""Bytes that are read at once."""
FIRST = 1 << 18
"""Bytes of the first block, from which is learned how each column is read fastest."""
SLICE = 1 << 18
"""Bytes that are looked at together, so that they stay in the processor's cache."""
LONGEST_LINE = 1 << 26
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
LINES_TRIED = 20
QUOTE, NEWLINE, RETURN, SPACE, ZERO, NINE = (ord(character) for character in '"\n\r 09')
OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff", b"\x00")


@dataclass(frozen=True)
class Layout:
    """What the first lines of a table file say."""

    names: tuple[str, ...]
    """Without spaces around them; "Unnamed: 2" and so on where a column has no name."""
    separator: str = ","


@dataclass(frozen=True)
class Lines:
    """Whole lines of a table file, checked for as many values in each as there are names."""

    text: bytes
    first_row: int
    num_rows: int
    coded: frozenset[int]
    """The columns in which a value begins with 0 and another digit, as codes do."""


class TableText:
    """A table file that is open for reading; afterwards ``sha256`` is the hash of all its bytes.

    Raises:
        DataError: the file is not a table in UTF-8.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self._digest = hashlib.sha256()
        self._rest = self._read()
        if self._rest[:2].startswith(OTHER_ENCODINGS) or b"\x00" in self._rest[:1024]:
            raise self.refused("it is not in UTF-8")
        self._rest = self._rest.removeprefix(b"\xef\xbb\xbf")
        while not self._rest.strip(b"\r\n"):
            more = self._read()
            if not more:
                raise self.refused("it is empty")
            self._rest += more
        head, sample = self._head()
        self.layout = self._layout(head, sample)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes read until now."""
        return self._digest.hexdigest()

    def blocks(self) -> Iterator[Lines]:
        """The lines after the first, in blocks; each must hold as many values as there are names."""
        row = 0
        for text in self._blocks():
            found = self._lines(text, row)
            if found.num_rows:
                yield found
            row += found.num_rows

    def skip(self) -> None:
        """Read to the end for the hash alone."""
        while self._read():
            pass

    def refused(self, reason: str) -> DataError:
        """The error that says why the file cannot be read."""
        return DataError(
            f"{self.path} cannot be read ({reason}); expected a text in UTF-8 (in a spreadsheet: “CSV UTF-8”), a line "
            "of names, then commas between values"
        )

    def _read(self) -> bytes:
        text = self._file.read(BLOCK)
        self._digest.update(text)
        return text

    def _head(self) -> tuple[str, str]:
        """The line of names, which is taken away, and a few lines with it to learn the separator from."""
        self._rest = self._rest.lstrip(b"\r\n")
        while (end := _last_end(self._rest[:FIRST]) or _last_end(self._rest)) == 0:
            more = self._read()
            if not more and self._rest.count(b'"') % 2:
                raise self.refused("a quotation mark is opened and never closed")
            self._require_short(self._rest)
            self._rest += more or b"\n"
        try:
            sample = self._rest[:end].decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.refused(f"it is not in UTF-8: byte {error.start} is {self._rest[error.start]:#04x}") from error
        starts = _first_end(self._rest)
        head = self._rest[:starts].decode("utf-8")
        self._rest = self._rest[starts:]
        return head, sample

    def _layout(self, head: str, sample: str) -> Layout:
        found = {}
        for separator in SEPARATORS:
            try:
                lines = [line for line, _ in zip(_parsed(sample, separator), range(LINES_TRIED), strict=False)]
                names = next(_parsed(head, separator))
            except (csv.Error, StopIteration) as error:
                raise self.refused(str(error) or "it has no names") from error
            is_even = len({len(line) for line in lines}) == 1
            found[separator] = (is_even and len(names) > 1, len(names), names)
        best = max(found, key=lambda separator: found[separator][:2])  # The first of those that are equal: the comma.
        stripped = tuple(name.strip() or f"Unnamed: {place}" for place, name in enumerate(found[best][2]))
        require_once(stripped)
        return Layout(stripped, best)

    def _blocks(self) -> Iterator[bytes]:
        end = _last_end(self._rest[:FIRST])
        if end:
            yield self._rest[:end]
        rest, self._rest = self._rest[end:], b""
        while True:
            more = self._read()
            if not more:
                break
            text = rest + more
            end = _last_end(text)
            self._require_short(text[end:])
            if end:
                yield text[:end]
            rest = text[end:]
        if rest.strip(b"\r\n"):
            if rest.count(b'"') % 2:
                raise self.refused("a quotation mark is opened and never closed")
            yield rest if rest.endswith(b"\n") else rest + b"\n"

    def _require_short(self, text: bytes) -> None:
        if len(text) > LONGEST_LINE:
            raise self.refused(f"a line or a quoted value is longer than {LONGEST_LINE >> 20} MB")

    def _lines(self, text: bytes, row: int) -> Lines:
        if b"\x00" in text:
            raise self.refused("it holds a zero byte, as no text does")
        if b"\r" in text and text.count(b"\r") != text.count(b"\r\n"):
            raise self.refused("lines end with a carriage return alone")
        content = np.frombuffer(text, np.uint8)
        width = len(self.layout.names)
        ends = _ends(content, ord(self.layout.separator))
        if b'"' in text:
            # Inside quotation marks is what stands behind an odd number of them.
            ends = ends[np.searchsorted(np.flatnonzero(content == QUOTE), ends) % 2 == 0]
        if not _is_even(content[ends] == NEWLINE, width):
            ends = _without_empty_lines(content, ends)
            is_end_of_line = content[ends] == NEWLINE
            if not _is_even(is_end_of_line, width):
                self._refuse_uneven(is_end_of_line, row)
        return Lines(text, row, len(ends) // width, _coded(content, ends, width))

    def _refuse_uneven(self, is_end_of_line: NDArray[np.bool_], row: int) -> None:
        counts = np.diff(np.flatnonzero(is_end_of_line), prepend=-1)
        width = len(self.layout.names)
        bad = np.flatnonzero(counts != width)
        if not len(bad):
            raise self.refused("quotation marks inside a value")
        found = f"row {row + int(bad[0])} has {counts[bad[0]]} values and the line of names {width}"
        raise self.refused(
            f"{found}, separated by {SEPARATORS[self.layout.separator]}; quote a value that holds a separator"
        )


@contextmanager
def table_text(path: Path) -> Iterator[TableText]:
    """The open table file.

    Raises:
        DataError: the file is missing, or not a table.
    """
    try:
        file = opened(path, most=MOST_ROWS, within=path.parent)
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; expected one .csv file per split, train.csv among them") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); expected a table, a .csv file") from error
    with file:
        yield TableText(path, file)


def _parsed(text: str, separator: str) -> Iterator[list[str]]:
    return (line for line in csv.reader(text.splitlines(keepends=True), delimiter=separator) if line)


def _ends(content: NDArray[np.uint8], separator: int) -> NDArray[np.int64]:
    """Where values end."""
    found = []
    for start in range(0, len(content), SLICE):
        part = content[start : start + SLICE]
        is_end = part == separator
        is_end |= part == NEWLINE
        found.append(np.flatnonzero(is_end) + start)
    return np.concatenate(found)


def _without_empty_lines(content: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """The ends of values, without lines that hold nothing."""
    starts = np.concatenate([[0], ends[:-1] + 1])
    is_line = content[ends] == NEWLINE
    length = ends - starts
    holds_nothing = (length == 0) | ((length == 1) & (content[starts] == RETURN))
    kept: NDArray[np.int64] = ends[~(is_line & np.concatenate([[True], is_line[:-1]]) & holds_nothing)]
    return kept


def _coded(content: NDArray[np.uint8], ends: NDArray[np.int64], width: int) -> frozenset[int]:
    starts = np.concatenate([[0], ends[:-1] + 1])
    first = content[starts]
    for skipped in (QUOTE, SPACE):
        is_skipped = first == skipped
        if is_skipped.any():
            starts = starts + is_skipped
            first = content[starts]
    found = np.flatnonzero(first == ZERO)
    after = content[starts[found] + 1]
    return frozenset((found[(after >= ZERO) & (after <= NINE)] % width).tolist())


def _is_even(is_end_of_line: NDArray[np.bool_], width: int) -> bool:
    """Whether each line has that many values."""
    if len(is_end_of_line) % width:
        return False
    lines = is_end_of_line.reshape(-1, width)
    return bool(lines[:, -1].all() and np.count_nonzero(is_end_of_line) == len(lines))


def _last_end(text: bytes) -> int:
    """Where the last line ends that is not inside quotation marks; 0 if none does."""
    end, num_quotes = len(text), text.count(b'"')
    while (newline := text.rfind(b"\n", 0, end)) >= 0:
        num_quotes -= text.count(b'"', newline, end)
        if num_quotes % 2 == 0:
            return newline + 1
        end = newline
    return 0


def _first_end(text: bytes) -> int:
    """Where the first line ends that is not inside quotation marks."""
    end = text.find(b"\n") + 1
    while text.count(b'"', 0, end) % 2:
        end = text.find(b"\n", end) + 1
    return end
