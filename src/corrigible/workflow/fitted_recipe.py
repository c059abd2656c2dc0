"""The recipe that ``init`` writes: the commented template of a kind of data, with what was found filled in."""

import json
import shlex
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from corrigible.workflow.found_data import Found, FoundImages, FoundTable

LARGEST_SIDE, SIDE = 96, 64
"""Longest side in pixels of images that are read as they are stored; the side to which others are stretched."""
LEAST_SIDE = 8
"""Shortest side that ``small_cnn`` takes."""
NUM_STEPS, BATCH, MOST_EPOCHS = 600, 32, 60
"""Least number of training steps of few rows, in batches of this size, and most epochs that these may take."""
MANY_ROWS = 2000
USUAL_TARGETS = ("label", "target", "class", "outcome", "y", "price", "result")
MOST_NAMED = 30
"""Most columns that a comment names."""
OF_AMOUNTS = '# metrics = ["mean_absolute_error", "r2", "mean_shift", "attribution_overlap"]\n'
MANY_NUMBERS = 10
"""From so many different numbers on, a column is taken for amounts."""


def fitted_recipe(kind: str, found: Found | None, title: str) -> str:
    """The recipe for this kind of data, fitted to what was found; it names no target of a table."""
    text = resources.files("corrigible").joinpath("templates", f"recipe-{kind}.toml").read_text(encoding="utf-8")
    if found is None or found.kind != kind:
        return text
    text = _changed(text, _lines_with(text, "title = "), f"title = {_quoted(title)}\n")
    text = _with_steps(_with_splits(text, found), found.num_rows)
    return _for_images(text, found) if isinstance(found, FoundImages) else _for_table(text, found)


def first_steps(folder: Path, kind: str, found: Found | None) -> Iterator[str]:
    """What to do after ``init``, one sentence each."""
    where, recipe = shlex.quote(str(folder)), folder / "recipe.toml"
    if found is None or found.kind != kind:
        yield f"put the data into {folder / 'data'} as {recipe} says, then `corrigible train {where}`"
        return
    if "test" not in found.splits:
        place = "test.csv" if isinstance(found, FoundTable) else "test/" if _are_files(found) else "test.npz"
        yield (
            f"{folder / 'data'} has no test rows, which explain and evaluate need: put about a fifth of the rows of "
            f"each class into {folder / 'data' / place}"
        )
    if isinstance(found, FoundTable) and not _label(found):
        key = "target" if kind == "table" else "label"
        yield f'name the column to predict in {recipe} ({key} = "…"), then `corrigible train {where}`'
    else:
        yield f"corrigible train {where}  # then corrigible explain {where}"


def _are_files(found: Found) -> bool:
    return isinstance(found, FoundImages) and found.is_files


def _with_splits(text: str, found: Found) -> str:
    validation, test = (found.splits.get(split) for split in ("validation", "test"))
    if validation is None:
        comment, line = _lines_with(text, "# Rows to watch"), 'validation_split = "validation"\n'
        text = _changed(text, comment + line, "")
    else:
        text = _changed(text, 'validation_split = "validation"', f'validation_split = "{validation}"')
    return text if test is None else text.replace('split = "test"', f'split = "{test}"')


def _for_images(text: str, found: FoundImages) -> str:
    height, width = found.sizes[0]
    is_kept = len(found.sizes) == 1 and max(height, width) <= LARGEST_SIDE
    height, width = (height, width) if is_kept else (SIDE, SIDE)
    about = [f"# {found.num_rows:,} training images"]
    if found.classes:
        counts = ", ".join(f"{_plain(name)} ({count:,})" for name, count in [*found.classes.items()][:MOST_NAMED])
        about = [f"# {len(found.classes)} classes in data/train: {counts}"]
    stored = "" if is_kept else f" The first are stored as {found.sizes[0][0]} × {found.sizes[0][1]}."
    size = f"{height}" if height == width else f"[{height}, {width}]"
    form = [f"# Height and width in pixels, to which every image is stretched.{stored}", f"size = {size}"]
    form.append(f"channels = {found.channels}                # 1 is grey, 3 is colour")
    old = _lines_with(text, "# For image files: stretched") + "# size = 28\n# channels = 1\n"
    text = _changed(text, old, "\n".join([*about, *(form if found.is_files else [])]) + "\n")
    network = "lenet" if (height, width) == (28, 28) else "small_cnn" if min(height, width) >= LEAST_SIDE else "mlp"
    return _changed(text, 'name = "lenet"', f'name = "{network}"')


def _with_steps(text: str, num_rows: int) -> str:
    """More epochs of smaller batches where there are few rows: the usual number would be a few dozen steps."""
    start, end = text.index("[train]\n"), text.index("learning_rate", text.index("[train]\n"))
    if num_rows >= MANY_ROWS:
        return text
    epochs = min(MOST_EPOCHS, max(12, -(-NUM_STEPS * BATCH // max(num_rows, 1))))
    return f"{text[:start]}[train]\nepochs = {epochs}\nbatch_size = {BATCH}\n{text[end:]}"


def _for_table(text: str, found: FoundTable) -> str:
    named = ", ".join(map(_quoted, found.columns[:MOST_NAMED])) + (", …" if len(found.columns) > MOST_NAMED else "")
    if found.kind == "text":
        text = _changed(text, 'text = "text" ', f"text = {_quoted(found.text)} ")
        if _label(found):
            return text
        choice = f"# The column to predict, one of {named}:\n# label = {_quoted(_suggested(found))}\n"
        return _changed(text, _lines_with(text, 'label = "label"'), choice)
    if found.names_of_rows:
        named_rows = ", ".join(map(_quoted, found.names_of_rows))
        text = _changed(
            text, _lines_with(text, "# drop = "), f"# drop = [{named_rows}]  # columns that the model must not see\n"
        )
    suggested = _suggested(found)
    is_amount = suggested in found.numbers and found.different[suggested] >= MANY_NUMBERS
    kind = "numbers: it needs the part [task] below" if is_amount else f"{found.different[suggested]} different values"
    choice = (
        f"# The columns are {named}.\n# Name the one to predict, for several labels a list of them. Perhaps it is this "
        f"one ({kind}):\n# target = {_quoted(suggested)}\n"
    )
    text = _changed(text, _lines_with(text, 'target = "label"'), choice)
    if not is_amount:
        return text
    of_classes = _lines_with(text, '# metrics = ["accuracy"')
    return _changed(text, of_classes, OF_AMOUNTS)


def _label(found: FoundTable) -> bool:
    """Whether the column with the labels is known: that of the usual name, in a table of texts."""
    return found.kind == "text" and "label" in found.columns


def _suggested(found: FoundTable) -> str:
    others = [name for name in found.columns if name not in found.texts and name not in found.names_of_rows]
    usual = (name for wanted in USUAL_TARGETS for name in others if name.lower() == wanted)
    return next(usual, others[-1] if others else found.columns[-1])


def _lines_with(text: str, start: str) -> str:
    """The whole line that begins like this."""
    place = text.index(f"\n{start}") + 1
    return text[place : text.index("\n", place) + 1]


def _changed(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def _quoted(name: str) -> str:
    """The text in the form that TOML and comments take."""
    return json.dumps(name).replace("\x7f", "\\u007f")


def _plain(name: str) -> str:
    return _quoted(name)[1:-1]
