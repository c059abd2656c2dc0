"""The verbs about feedback that load no PyTorch: add, export, list, retract.

What is said of rows is looked up in the data by `marking`, which does load it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from corrigible.data.naming import Names
from corrigible.errors import FeedbackError
from corrigible.feedback.exchange import to_json
from corrigible.feedback.stored import Record
from corrigible.folders import write_atomically
from corrigible.said import Answer, Features, Feedback
from corrigible.study import Study, open_study
from corrigible.workflow.image_rules import checked_box
from corrigible.workflow.next_steps import next_steps
from corrigible.workflow.records import Answered, Finished, Listed, Noted
from corrigible.workflow.row_names import names_in, row_of_file, split_of_file
from corrigible.workflow.table_rules import checked_rule, outline_of


def add_feedback(
    folder: Path,
    *,
    features: tuple[str, ...] = (),
    box: tuple[int, int, int, int] | None = None,
    mask: Path | None = None,
    phrase: str = "",
    tokens: tuple[int, ...] = (),
    row: int | None = None,
    file: str = "",
    label: int | str | None = None,
    split: str | None = None,
    polarity: str = "irrelevant",
    author: str = "",
    note: str = "",
) -> Iterator[Noted]:
    """Store feedback on one region: for one row, for the rows of a class, or if neither is given for every row.

    Args:
        features: names of a table's features.
        box: top, left, height and width of a rectangle in pixels.
        mask: an image whose pixels above 0 are marked, or an ``.npy`` file with a boolean array of the shape of one
            input.
        phrase: words of a text, marked wherever they stand side by side.
        tokens: places of words in a text, counted from 0; punctuation marks count as words.
        file: an image file, ``train/cat/043.jpg``, in place of its row; it also names the split.
        label: a class, by its name or its number.
        split: None for the one that the file names, or for the training rows.

    Raises:
        FeedbackError: an unknown class, a region or row that does not fit the data, or words that stand in no row that
            it is about.
    """
    _require_one_place({"row": row, "file": file or None, "class": label})
    given = {"--feature": features, "--box": box, "--mask": mask, "--phrase": phrase, "--token": tokens}
    regions = {option: region for option, region in given.items() if region}
    if len(regions) != 1:
        found = " and ".join(regions) or "nothing"
        raise FeedbackError(f"{found} given; give exactly one region: {', '.join(given)}")
    study = open_study(folder)
    if file:
        split, row = _place_of(study, file, split)
    split = split or "train"
    about = {"polarity": polarity, "row": row, "split": split, "author": author, "note": note}
    ((option, region),) = regions.items()
    rule = _rule(study, option, region, label, about) if row is None else None
    if rule is not None:
        said, doubts = rule
        with study.feedback() as store:
            numbers = [store.add(said)]
    else:
        from corrigible.workflow.marking import said_and_stored  # Loads PyTorch.

        numbers, doubts = said_and_stored(study, (option, region), label, about)
    yield Noted("feedback add", tuple(numbers), doubts=doubts, next=next_steps(folder, "feedback"))


def _rule(
    study: Study, option: str, region: Any, label: int | str | None, about: Mapping[str, Any]
) -> tuple[Feedback, tuple[str, ...]] | None:
    """A rule that is checked without any row, and what a person should check about it; None where rows are needed."""
    if option == "--box":
        return checked_box(study, region, label, about)
    outline = outline_of(study) if option == "--feature" else None
    # Where classes are not yet known, they are learned from the table.
    if outline is None or (label is not None and not outline.class_names):
        return None
    return checked_rule(Features(region), label, outline, about)


def _require_one_place(given: Mapping[str, int | str | None]) -> None:
    named = [f"{kind} {place}" for kind, place in given.items() if place is not None]
    if len(named) > 1:
        raise FeedbackError(f"{' and '.join(named)} are given; say it about one row or about a class")


def _place_of(study: Study, given: str, split: str | None) -> tuple[str, int]:
    """The split and row of an image file."""
    found, file = split_of_file(study, given)
    if split not in (None, found):
        raise FeedbackError(f"split {split!r} and file {file!r} are given; leave out the split, which the file names")
    return found, row_of_file(file, names_in(study, found).files)


def export_feedback(folder: Path, target: Path, *, revision: int | None = None) -> Iterator[Finished]:
    """Write all feedback that has not been retracted as JSON.

    Args:
        revision: write what stood right after that change instead.

    Raises:
        StudyError: there were not so many changes.
    """
    study = open_study(folder)
    if not target.absolute().parent.is_dir():
        raise FeedbackError(f"there is no folder {target.absolute().parent}; make it first, or export to another")
    with study.feedback() as store:
        found = store.active() if revision is None else store.at_revision(revision)
        text = to_json([said for _, said in found])
    write_atomically(target, text.encode())
    yield Finished("feedback export", str(target))


def list_feedback(folder: Path) -> Iterator[Listed | Answered]:
    """List all feedback and answers ever given, oldest first."""
    study = open_study(folder)
    known: dict[str, Names] = {}

    def names_of(split: str) -> Names:
        if split not in known:
            known[split] = names_in(study, split)
        return known[split]

    with study.feedback() as store:
        listed: list[Listed | Answered] = [
            _listed(record, names_of(record.feedback.split)) for record in store.records()
        ]
        listed += [_answered(number, answer, names_of(answer.split)) for number, answer in store.answers()]
    yield from sorted(listed, key=lambda found: found.number)


def _listed(record: Record, names: Names) -> Listed:
    said = record.feedback
    return Listed(
        record.id,
        said.scope,
        said.polarity,
        said.split,
        said.row,
        said.label,
        str(said.region),
        said.author,
        said.at.isoformat(timespec="seconds") if said.at else "",
        said.note,
        record.retraction is not None,
        file="" if said.row is None or said.row >= len(names.files) else names.files[said.row],
        class_name="" if said.label is None or not names.class_names else names.label(said.label),
    )


def _answered(number: int, answer: Answer, names: Names) -> Answered:
    at = answer.at.isoformat(timespec="seconds") if answer.at else ""
    file = names.files[answer.row] if answer.row < len(names.files) else ""
    said = (answer.answer, answer.split, answer.row, answer.author, at, answer.note)
    return Answered(number, *said, file)


def retract_feedback(folder: Path, *numbers: int | range, author: str = "", note: str = "") -> Iterator[Noted]:
    """Retract pieces of feedback by their numbers, all of them or none; they stay in the history.

    Args:
        numbers: of a range, what still stands is retracted, such as all that one import stored.

    Raises:
        FeedbackError: a number that no feedback has, or whose feedback was retracted before; a range in which nothing
            stands.
    """
    with open_study(folder).feedback() as store:
        retracted = store.retract_all(numbers, author=author, note=note)
    yield Noted("feedback retract", tuple(retracted), next=next_steps(folder, "feedback"))
