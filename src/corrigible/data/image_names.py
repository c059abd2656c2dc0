"""Names in folders of pictures: those that count, whatever system wrote them.

A name is the same in both spellings that Unicode has for é: systems differ in how they write it. What systems leave
behind beside pictures, such as hidden files and ``__MACOSX``, does not count.
"""

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from corrigible.data.image_decoding import SUFFIXES
from corrigible.errors import DataError
from corrigible.folders import inside

LEFT_BEHIND = ("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "lost+found", "icon\r")
"""Names, in lower case, that archives and systems leave in folders; with hidden ones, which begin with a dot."""


def one_spelling(name: str) -> str:
    """The name in the one of its Unicode spellings by which names are compared."""
    return unicodedata.normalize("NFC", name)


def is_left_behind(name: str) -> bool:
    """Whether the name is hidden, or of something that an archive or a system left behind."""
    return name.startswith(".") or name.lower() in LEFT_BEHIND


def entries(folder: Path, relative: str) -> list[str]:
    """The names in a folder that count, sorted alike on every system.

    Raises:
        DataError: no such folder, or a link that leads out of it.
    """
    path = path_inside(folder, relative)
    try:
        with os.scandir(path) as found:
            names = [entry.name for entry in found if not is_left_behind(entry.name)]
    except OSError as error:
        raise DataError(f"cannot list {path} ({error.strerror}); expected a folder") from error
    return sorted(names, key=lambda name: (one_spelling(name), name))


def sorted_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names, sorted; by number if all of them are numbers."""
    found = list(names)
    are_numbers = all(name.isdecimal() for name in found)
    return tuple(sorted(found, key=lambda name: (int(name) if are_numbers else 0, name)))


def class_folders(folder: Path, split: str) -> dict[str, str]:
    """Each class of a split, with its folder's name as it is spelt on the disk.

    Raises:
        DataError: no such folder, no class in it, something that is not a folder, or one name in two spellings.
    """
    found: dict[str, str] = {}
    for spelling in entries(folder, split):
        if not path_inside(folder, f"{split}/{spelling}").is_dir():
            raise DataError(
                f"{folder / split / spelling} is not a folder; expected one folder per class, with its images"
            )
        name = one_spelling(spelling)
        if name in found:
            raise DataError(f"{folder / split} holds {name!r} twice, in two Unicode spellings; rename or remove one")
        found[name] = spelling
    if not found:
        raise DataError(f"{folder / split} is empty; expected one folder per class, with its images")
    return found


def image_files(folder: Path, relative: str) -> list[str]:
    """The image files in the folder of one class, as ``<relative>/<name>``.

    Raises:
        DataError: anything else in the folder.
    """
    found = [f"{relative}/{name}" for name in entries(folder, relative)]
    for file in found:
        if not file.lower().endswith(SUFFIXES) or not path_inside(folder, file).is_file():
            raise DataError(
                f"{folder / file} is not an image file; expected {', '.join(SUFFIXES)}: convert or remove it"
            )
    return found


def files_by_class(folder: Path, split: str, names: Iterable[str]) -> dict[str, list[str]]:
    """The image files of each of these classes in a split; none for a class that it lacks.

    Raises:
        DataError: as `class_folders` and `image_files`.
    """
    folders = class_folders(folder, split)
    return {name: image_files(folder, f"{split}/{folders[name]}") if name in folders else [] for name in names}


def by_picture(files: Iterable[str]) -> dict[str, int]:
    """The place of each file by its name without suffix, which a picture and its mask share.

    Raises:
        DataError: two files that differ in their suffix, or the Unicode spelling, only.
    """
    given = list(files)
    places: dict[str, int] = {}
    for place, file in enumerate(given):
        name = one_spelling(str(Path(file).with_suffix("")))
        if name in places:
            raise DataError(
                f"{file} and {given[places[name]]} differ in their suffix only (or in Unicode spelling); rename one of "
                "them"
            )
        places[name] = place
    return places


def places_by_name(files: Iterable[str]) -> dict[str, list[int]]:
    """The places of the files that each name may stand for: a file's name without its suffix, and its whole name."""
    places: dict[str, list[int]] = {}
    for place, file in enumerate(files):
        for name in (str(Path(file).with_suffix("")), file):
            places.setdefault(one_spelling(name), []).append(place)
    return places


def path_inside(folder: Path, relative: str) -> Path:
    """The path of that name in the folder.

    Raises:
        DataError: a name that is not plain, or a link that leads out of the folder.
    """
    try:
        return folder if relative == "." else inside(folder, relative)
    except ValueError as error:
        raise DataError(f"{error}; move or rename it") from error


def paths_inside(folder: Path, files: Iterable[str]) -> list[Path]:
    """The path of each file in the folder, whose names were plain when it was listed.

    Raises:
        DataError: a link that leads out of the folder.
    """
    root = os.path.realpath(folder)
    paths = [folder / file for file in files]
    places = {parent: os.path.realpath(parent) + os.sep for parent in {path.parent for path in paths}}
    for path in paths:
        place = os.path.realpath(path) if path.is_symlink() else places[path.parent]
        if not place.startswith(root + os.sep):
            path_inside(folder, str(path.relative_to(folder)))  # Which says what is wrong.
    return paths
