"""The verbs about answers: say of a row that nothing is wrong with it, and where people contradict each other."""

from collections.abc import Iterator
from pathlib import Path

from corrigible.errors import FeedbackError
from corrigible.said import Answer
from corrigible.study import open_study
from corrigible.workflow.next_steps import next_steps
from corrigible.workflow.records import Line, Noted
from corrigible.workflow.reviews.agreement import agreement_of, conflicts_of
from corrigible.workflow.reviews.standing import Standing
from corrigible.workflow.row_names import names_in, row_of_file, split_of_file


def answer_feedback(
    folder: Path, *, says: str, row: int | None = None, file: str = "", split: str = "train", author: str = "",
    note: str = "",
) -> Iterator[Noted]:  # fmt: skip
    """Store what somebody answered about one row without marking anything.

    Args:
        says: "nothing wrong", "label is wrong", "not sure" or "skipped".
        file: an image file, ``train/cat/043.jpg``, in place of its row; it also names the split.

    Raises:
        FeedbackError: no row, an unknown answer, or a row that the data does not have.
    """
    if (row is None) == (not file):
        raise FeedbackError("expected the row that was looked at: give --row or --file")
    if says == "marked":
        raise FeedbackError("what is marked is said by `corrigible feedback add`, region by region")
    study = open_study(folder)
    if file:
        split, name = split_of_file(study, file)
        row = row_of_file(name, names_in(study, split).files)
    assert row is not None
    from corrigible.workflow.marking import print_of_row  # Loads PyTorch.

    answer = Answer(row, says, split, fingerprint=print_of_row(study, split, row), author=author, note=note)  # type: ignore[arg-type]
    with study.feedback() as store:
        store.answer(answer)
        number = store.revision
    yield Noted("feedback answer", (number,), next=next_steps(folder, "feedback"))


def conflicts(folder: Path) -> Iterator[Line]:
    """Yield a sentence for each contradiction between people, and one about how far they agree."""
    with open_study(folder).feedback() as store:
        standing = Standing()
        standing.catch_up(store)
        for found in conflicts_of(standing, None):
            yield Line(found["sentence"])
        yield Line(agreement_of(standing, store)["sentence"])
