"""What lies in a study's ``data`` folder before there is a recipe: its kind, splits, sizes and columns."""

import csv
import io
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BufferedIOBase
from itertools import islice
from pathlib import Path
from typing import cast

from corrigible.data.csv_layout import table_text
from corrigible.data.image_decoding import SUFFIXES, damage_ignored, opened_image, upright_size
from corrigible.data.image_names import class_folders, files_by_class, is_left_behind, path_inside, sorted_names
from corrigible.data.npy import header_of
from corrigible.data.number_forms import DATE, form_of
from corrigible.errors import DataError
from corrigible.printable import plural

OTHER_NAMES = {"validation": ("validation", "valid", "val", "dev"), "test": ("test", "testing")}
"""What people call the splits; the first name that is there is taken."""
NUM_IMAGES, NUM_ROWS = 100, 500
"""Images whose sizes are looked at, and rows of a table."""
LEAST_WORDS, LEAST_DIFFERENT = 4, 0.3
"""Mean number of words, and share of different values, from which a column holds texts."""
MOST_BESIDE_TEXTS = 3
"""Most columns of a table of texts."""
FEWEST = 20
"""Fewest rows of which another value in each is taken for an id."""
ID = re.compile(r"(?:^|[\W_])(?:id|Id|ID|nr|no|number|key|uuid|index)$|[a-z]I[Dd]$")
"""How names of columns with ids end."""
GREY_MODES = ("1", "L", "LA", "I", "F")


@dataclass(frozen=True)
class FoundImages:
    """Images in class folders, or in arrays."""

    splits: Mapping[str, str]
    """"train", "validation" and "test" with the names under which they are there."""
    sizes: tuple[tuple[int, int], ...]
    """Heights and widths that occur, the most frequent first."""
    channels: int
    classes: Mapping[str, int]
    """Number of training images of each class; empty for arrays."""
    num_rows: int
    is_files: bool
    kind: str = "image"


@dataclass(frozen=True)
class FoundTable:
    """A table, or texts: what the first rows of ``train.csv`` hold."""

    splits: Mapping[str, str]
    columns: tuple[str, ...]
    different: Mapping[str, int]
    """Number of different values of each column, in the first rows."""
    numbers: frozenset[str]
    """Columns of numbers."""
    text: str
    """The column with texts of a table of texts; empty for other tables."""
    num_rows: int
    kind: str
    texts: tuple[str, ...] = ()
    """All columns that hold texts, which are no labels."""
    names_of_rows: Mapping[str, str] = field(default_factory=dict)
    """What each column holds that names single rows, such as "dates"; from such a column nothing can be learned."""


Found = FoundImages | FoundTable


def found_in_words(found: Found | None) -> str:
    """What was found, in one sentence; empty if there was nothing."""
    if found is None:
        return ""
    splits = ", ".join(found.splits)
    if isinstance(found, FoundTable):
        return f"found a table of {plural(len(found.columns), 'column')} ({', '.join(found.columns[:8])}) for {splits}"
    sizes = " × ".join(map(str, found.sizes[0])) + (" and other sizes" if len(found.sizes) > 1 else "")
    of_classes = f" of {', '.join(list(found.classes)[:8])}" if found.classes else ""
    colour = "grey" if found.channels == 1 else "in colour"
    return f"found {plural(found.num_rows, 'training image')}{of_classes}, {sizes} pixels, {colour}, for {splits}"


def found_in(data: Path) -> Found | None:
    """What the folder holds; None if there is nothing.

    Raises:
        DataError: images or tables without splits, or files that cannot be read.
    """
    if not data.is_dir():
        return None
    names = sorted(path.name for path in data.iterdir() if not is_left_behind(path.name))
    folders = [name for name in names if (data / name).is_dir()]
    if "train" in folders:
        return _of_files(data, _splits(folders))
    stems = [name.removesuffix(".npz") for name in names if name.endswith(".npz")]
    if "train" in stems:
        return _of_arrays(data, _splits(stems))
    tables = [name.removesuffix(".csv") for name in names if name.endswith(".csv")]
    if "train" in tables:
        return _of_table(data, _splits(tables))
    _refuse_without_splits(data, folders, tables, names)
    return None


def _splits(names: Sequence[str]) -> dict[str, str]:
    found = {split: next((name for name in OTHER_NAMES[split] if name in names), "") for split in OTHER_NAMES}
    return {"train": "train", **{split: name for split, name in found.items() if name}}


def _refuse_without_splits(data: Path, folders: Sequence[str], tables: Sequence[str], names: Sequence[str]) -> None:
    """Raises DataError that says where the data belongs."""
    classes = [name for name in folders if any(_is_image(path) for path in (data / name).iterdir())]
    if classes:
        raise DataError(
            f"{data} holds the class folders {', '.join(classes[:5])} but no splits; move them into {data / 'train'} "
            f"and about a fifth of each class's images into {data / 'test'} (same class folders), then init again"
        )
    if any(_is_image(data / name) for name in names):
        raise DataError(
            f"{data} holds images but no class folders; move them into {data / 'train' / 'CLASS'}, and about a fifth "
            f"of each class into {data / 'test' / 'CLASS'}, then init again"
        )
    if tables:
        raise DataError(
            f"{data} holds {tables[0]}.csv; name the rows to learn from train.csv, and put about a fifth of them, "
            "with the same line of names, into test.csv; then init again"
        )


def _is_image(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES) and path.is_file()


def _of_files(data: Path, splits: Mapping[str, str]) -> FoundImages:
    of_classes = files_by_class(data, "train", sorted_names(class_folders(data, "train")))
    files = [file for found in of_classes.values() for file in found]
    if not files:
        raise DataError(f"the classes in {data / 'train'} hold no images; expected files {', '.join(SUFFIXES)}")
    step = -(-len(files) // NUM_IMAGES)
    looked = [_looked(path_inside(data, file)) for file in files[::step]]
    sizes = tuple(size for size, _ in Counter(size for size, _ in looked).most_common())
    classes = {name: len(found) for name, found in of_classes.items()}
    if len(classes) == 1:
        raise DataError(f"{data / 'train'} holds one class, {next(iter(classes))!r}; expected a folder for each of two")
    return FoundImages(splits, sizes, max(channels for _, channels in looked), classes, len(files), True)


def _looked(path: Path) -> tuple[tuple[int, int], int]:
    """Height and width of an image, and its channels: 3 of colour, or 1."""
    with damage_ignored(), opened_image(path) as image:
        is_grey = image.mode in GREY_MODES or image.mode.startswith("I;")
        return upright_size(image), 1 if is_grey else 3


def _of_arrays(data: Path, splits: Mapping[str, str]) -> FoundImages | None:
    """None if the file says no shape of images; what is wrong with it is said when it is loaded."""
    try:
        with zipfile.ZipFile(data / "train.npz") as packed, packed.open("x.npy") as file:
            shape = header_of(cast(BufferedIOBase, file)).shape
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    if len(shape) not in (3, 4):
        return None
    channels, height, width = (1, *shape[1:]) if len(shape) == 3 else shape[1:]
    return FoundImages(splits, ((height, width),), channels, {}, shape[0], False)


def _of_table(data: Path, splits: Mapping[str, str]) -> FoundTable:
    with table_text(data / "train.csv") as source:
        names, sample, num_rows = source.layout.names, "", 0
        for lines in source.blocks():
            sample, num_rows = sample or lines.text.decode(), num_rows + lines.num_rows
        rows = list(islice(csv.reader(io.StringIO(sample), delimiter=source.layout.separator), NUM_ROWS))
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
    numbers = frozenset(name for name in names if _are_numbers(name, columns[name]))
    texts = [name for name in names if name not in numbers and _are_texts(columns[name])]
    is_text = len(texts) == 1 and len(names) <= MOST_BESIDE_TEXTS
    different = {name: len(set(values)) for name, values in columns.items()}
    named = {name: said for name in names if (said := _names_rows(name, columns[name]))}
    text, kind = (texts[0], "text") if is_text else ("", "table")
    return FoundTable(splits, names, different, numbers, text, num_rows, kind, tuple(texts), named)


def _names_rows(name: str, values: Sequence[str]) -> str:
    """What the column holds if that names single rows; empty for other columns, and for amounts that all differ."""
    known = [value.strip() for value in values if value.strip()]
    if known and all(map(DATE.fullmatch, known)):
        return "dates or times"
    if len(known) < FEWEST or len(set(known)) < len(known):
        return ""
    if not _are_numbers(name, known):
        return "another text in every row"
    if not all(map(str.isdecimal, known)):
        return ""
    is_counted = int(max(known, key=int)) - int(min(known, key=int)) < 2 * len(known)
    return "another whole number in every row, as ids do" if is_counted or ID.search(name) else ""


def _are_numbers(name: str, values: Sequence[str]) -> bool:
    written = [value for value in dict.fromkeys(values) if value.strip()]
    try:
        return bool(written) and form_of(written, name) is not None
    except DataError:  # Numbers, but written so that they can be read in two ways.
        return True


def _are_texts(values: Sequence[str]) -> bool:
    words = sum(len(value.split()) for value in values)
    return bool(values) and words >= LEAST_WORDS * len(values) and len(set(values)) >= LEAST_DIFFERENT * len(values)
