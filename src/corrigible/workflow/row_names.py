"""The rows and classes of a study by their names, known from its files without loading PyTorch."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from corrigible.data.class_order import classes_in_column
from corrigible.data.image_names import class_folders, files_by_class, one_spelling, sorted_names
from corrigible.data.naming import Names
from corrigible.errors import CorrigibleError, FeedbackError
from corrigible.recipe_keys import content_of
from corrigible.study import Study
from corrigible.workflow.table_rules import outline_of


def names_in(study: Study, split: str) -> Names:
    """The names in a split; none where they are not known without reading the rows, or the data is not there."""
    data = study.folder / "data"
    try:
        about = content_of(study.recipe_text)["data"]
        if "source" in about:
            return Names()
        if about.get("kind") == "image" and (data / split).is_dir():
            classes = sorted_names(class_folders(data, "train" if (data / "train").is_dir() else split))
            of_classes = files_by_class(data, split, classes)
            return Names(tuple(file for files in of_classes.values() for file in files), classes)
        if about.get("kind") == "text":
            return Names((), classes_in_column(data / "train.csv", str(about.get("label", "label"))))
        outline = outline_of(study)
    except CorrigibleError:  # Feedback can be listed without the data.
        return Names()
    return Names() if outline is None else Names((), outline.class_names)


def split_of_file(study: Study, given: str) -> tuple[str, str]:
    """The split of an image file, and its path inside of ``data``.

    The given path may begin in ``data``, in the study, or where the command is called. A name without its folder is
    enough where one file alone has it.

    Raises:
        FeedbackError: a path without a split that no file, or more than one, has.
    """
    path = Path(given)
    data = (study.folder / "data").resolve()
    if path.exists() and path.resolve().is_relative_to(data):
        path = path.resolve().relative_to(data)
    parts = path.parts[1:] if path.parts[:1] == ("data",) else path.parts
    file = "/".join(parts) if len(parts) == 3 else _only_file(study, "/".join(parts))
    return file.partition("/")[0], file


def _only_file(study: Study, ending: str) -> str:
    """The only file whose path ends so."""
    data = study.folder / "data"
    splits = sorted(path.name for path in data.iterdir() if path.is_dir()) if data.is_dir() else []
    files = [file for split in splits for file in names_in(study, split).files]
    found = [file for file in files if one_spelling(file).endswith(f"/{one_spelling(ending)}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise FeedbackError(f"{len(found)} files are named {ending!r}; expected one, such as {found[0]}")
    example = files[0] if files else "train/cat/043.jpg"
    raise FeedbackError(f"there is no file {ending!r} inside {data}; expected one such as {example}")


def row_of_file(file: str, files: Sequence[str]) -> int:
    """The row of a file.

    Raises:
        FeedbackError: rows that are no files, or no such file.
    """
    if not files:
        raise FeedbackError(f"file {file!r}, and the rows of this study are not files; name the row by its number")
    rows = {one_spelling(name): row for row, name in enumerate(files)}
    wanted = one_spelling(file)
    if wanted not in rows:
        near = difflib.get_close_matches(wanted, rows, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one such as {files[0]!r}"
        raise FeedbackError(f"there is no file {file!r} in the data; {hint}")
    return rows[wanted]
