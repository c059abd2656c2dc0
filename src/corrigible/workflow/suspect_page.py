"""The page that ``suspect`` writes: the regions on example rows, with the command that says they must not matter."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import torch
from markupsafe import Markup

from corrigible import pictures
from corrigible.data.dataset import TensorData, rows_of, shape_of, task_of
from corrigible.data.protocol import Dataset, files_of, names_of, tokens_of
from corrigible.data.shown_names import Labels, columns_in_words, in_words
from corrigible.data.tokens import occurrences
from corrigible.feedback.masks import mask_of
from corrigible.figures import number
from corrigible.pages.suspected import SuspectCard, SuspectExample, SuspectPage, render_suspected
from corrigible.plots.features import with_value
from corrigible.regions.suspect_ranking import BY_SUSPICION, Suspect, times
from corrigible.study import Study
from corrigible.types import Features, Phrase, Pixels, Task
from corrigible.workflow.looking_records import Suspected
from corrigible.workflow.row_texts import label_texts

PAGE_FILE = "suspect.html"
NUM_EXAMPLES, NUM_BESIDE = 3, 2
"""Examples of a suspect, and rows of other classes to compare with."""


def suspect_page(
    found: Sequence[Suspect], records: Sequence[Suspected], data: Dataset, *, title: str, model: str, study: Study
) -> str:
    """The HTML of the page.

    Args:
        records: the suspects as they are printed.
        model: the name of the run.
    """
    cards = [_card(suspect, record, data, study) for suspect, record in zip(found, records, strict=True)]
    is_image = len(shape_of(data)) == 3
    return render_suspected(
        SuspectPage(
            title=f"{title}: what the model may rely on by mistake",
            kind="image" if is_image else "text" if tokens_of(data) is not None else "table",
            about=(
                f"Model {model}, training rows. A suspicion, not a finding: it creates no feedback. Look at the "
                "examples, and say what must not matter.",
                f"They are ordered by suspicion: {BY_SUSPICION}.",
            ),
            telling=tuple(card for card, suspect in zip(cards, found, strict=True) if suspect.tells_label),
            others=tuple(card for card, suspect in zip(cards, found, strict=True) if not suspect.tells_label),
        )
    )


def sentence_of(suspect: Suspect, task: Task) -> str:
    """How far the prediction goes by the region, and how well the region alone tells the label."""
    test = suspect.test
    beside = f", {times(test.ratio)} times as much as elsewhere" if test.effect > 0 else ""
    does = f"{'falls' if test.effect > 0 else 'rises'} by {number(abs(test.effect))}"
    does = f"the score of the predicted class {does if test.effect else 'does not change'}"
    fall, percent = "fall", 1
    if task.name != "classes":
        fall, percent = "move", 100
        does = f"the model moves {task.moved_as.format(number(percent * test.effect))}"
    return (
        f"With other rows’ values there, {does}{beside} (95\u00a0% interval of the {fall}: "
        f"{number(percent * test.low)} to {number(percent * test.high)}). Alone it tells the label to "
        f"{suspect.agreement:.2f}, where 1 is always and 0 as by chance."
    )


def _card(suspect: Suspect, record: Suspected, data: Dataset, study: Study) -> SuspectCard:
    # A text without the words shows nothing to compare with.
    beside = () if isinstance(suspect.region, Phrase) else suspect.beside[:NUM_BESIDE]
    rows = torch.tensor([*suspect.rows[:NUM_EXAMPLES], *beside], dtype=torch.long)
    labels, names, words = label_texts(data, rows), names_of(data), study.recipe.labels
    examples = [
        SuspectExample(
            names.row(row) if names.files else f"Row {row}", in_words(label, words), drawing, is_beside=row in beside
        )
        for row, label, drawing in zip(rows.tolist(), labels, _drawn(suspect, rows_of(data, rows), words), strict=True)
    ]
    about = f", on rows of {in_words(record.label, words)}" if record.label else ""
    commands = _commands(record, data, study.folder) if suspect.tells_label else ()
    return SuspectCard(
        record.rank,
        f"{_title(suspect, words)}{about}",
        f"{sentence_of(suspect, task_of(data))} Suspicion: {record.suspicion}.",
        tuple(examples),
        commands,
    )


def _title(suspect: Suspect, words: Labels) -> str:
    if isinstance(suspect.region, Pixels):
        return "The outlined place"
    if isinstance(suspect.region, Features):
        return ", ".join(in_words(name, words) for name in suspect.region.names)
    return f"“{suspect.region}”"


def _commands(record: Suspected, data: Dataset, folder: Path) -> tuple[tuple[str, str], ...]:
    """The same for one example, where it has a place of its own, and for every row."""
    command = f"corrigible feedback add {shlex.quote(str(folder))} {record.region}"
    everywhere = ("If it must not matter on any row:", command)
    if not record.region.startswith("--box") or not record.rows:
        return (everywhere,)
    row = record.rows[0]
    place = f"--file {shlex.quote(files_of(data)[row])}" if files_of(data) else f"--row {row}"
    return everywhere, ("If it must not matter on the first of these alone:", f"{command} {place}")


def _drawn(suspect: Suspect, rows: TensorData, words: Labels) -> list[Markup]:
    region = suspect.region
    if isinstance(region, Phrase):
        return _words(rows, region)
    if isinstance(region, Features):
        assert rows.columns is not None
        columns, names = columns_in_words(rows.columns, words), [in_words(name, words) for name in region.names]
        return [Markup("<br>").join(with_value(columns, name, x) for name in names) for x in rows.x]
    if rows.x.ndim != 4 or not len(rows.x):
        return [Markup("")] * len(rows.x)
    mask, brightness = mask_of(region, tuple(rows.x.shape[1:]), None), pictures.brightness_of(list(rows.x))
    alt = "the image with the region outlined"
    return [pictures.input_picture(x, mask, brightness=brightness, alt=alt) for x in rows.x]


def _words(rows: TensorData, region: Phrase) -> list[Markup]:
    """Each text with the phrase marked."""
    tokens = rows.tokens
    assert tokens is not None
    marks = occurrences(tokens, region.words)
    return [
        Markup("<p>{}</p>").format(
            Markup(" ").join(
                Markup("<mark>{}</mark>").format(word) if marked else word
                for word, marked in zip(tokens.row(row), marks[row].tolist(), strict=False)
            )
        )
        for row in range(len(rows.x))
    ]
