"""Which training rows taught the model what it says of a row, as a page lists them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from corrigible.data.dataset import TensorData
from corrigible.data.protocol import class_named
from corrigible.errors import CorrigibleError
from corrigible.explanations.examples.nearest_examples import nearest_examples
from corrigible.printable import plural
from corrigible.protocols.influence.influence import influence
from corrigible.protocols.influence.influenced import Influence
from corrigible.workflow.reviews.subject import Subject

MOST_SHOWN = 4
NEAREST = 100
"""Rows that are asked: of all training rows those with the largest loss come first whatever the row is."""
MOST_ROWS = 50_000
"""Training rows of which each is asked; with more somebody would wait too long."""


def taught(subject: Subject, split: str, row: int) -> dict[str, Any]:
    """The training rows without which the model would be less sure of what it says, and those without which surer.

    Influence of the nearest rows in latent space (FastIF, Guo et al. 2021), by the last layer alone: the layers before
    it are taken as they are. Of labels that are no classes it is the loss of the row's own label that is asked about.
    The row itself, and rows that the study has forgotten, are left out. ``notes`` say why the answer may be wrong.
    Where it cannot be told, the nearest training rows in latent space stand in its place, and a sentence says why.
    """
    rows = subject.rows(split, [row])
    asked, what = _asked(subject, rows)
    own = row if split == next(iter(subject.data)) else None
    try:
        found = _influence(subject, asked)
    except CorrigibleError as error:
        index, _ = nearest_examples(subject.model, subject.learned, rows, n=min(MOST_SHOWN + 1, len(subject.learned)))
        groups = [_group(subject, "Most alike to the model", index[0].tolist(), own)]
        return {"sentence": f"Which rows taught it cannot be told: {error}.", "groups": groups, "notes": []}
    less, more = "less sure of this", "surer of this"
    if subject.task.name != "classes":
        less, more = "further from the label", "nearer to the label"
    both = found.most_helpful(0, MOST_SHOWN + 1), found.most_harmful(0, MOST_SHOWN + 1)
    titles = f"Taught {what}; without them {less}", f"Taught against it; without them {more}"
    groups = [_group(subject, title, [one.row for one in side], own) for title, side in zip(titles, both, strict=True)]
    count = min(NEAREST, len(subject.learned))
    sentence = f"The strongest of the {count} training rows that are most alike to the model."
    return {"sentence": sentence, "groups": groups, "notes": list(found.warnings)}


def _asked(subject: Subject, rows: TensorData) -> tuple[TensorData, str]:
    """The row with what the model says of it as the label, and its name."""
    predicted: Tensor | None = subject.pair(rows)[0]
    if predicted is None:
        return rows, "the prediction"
    name = subject.in_words(class_named(int(predicted[0]), subject.class_names))
    return replace(rows, y=predicted.to(rows.y)), f"“{name}”"


def _influence(subject: Subject, asked: TensorData) -> Influence:
    learned = subject.learned
    if len(learned) > MOST_ROWS:
        raise CorrigibleError(f"there are {plural(len(learned), 'training row')}; at most {MOST_ROWS:,} are asked")
    how: dict[str, Any] = {"nearest": min(NEAREST, len(learned)), "seed": subject.seed}
    return influence(subject.model, learned, asked, method="last_layer", **how)


def _group(subject: Subject, title: str, learned: Sequence[int], own: int | None) -> dict[str, Any]:
    """The rows of a title, given by their places among those that were learned, without the row that is asked about."""
    index = [row for row in subject.places_learned[list(learned)].tolist() if row != own]
    return {"title": title, "rows": _listed(subject, index[:MOST_SHOWN])}


def _listed(subject: Subject, index: Sequence[int]) -> list[dict[str, Any]]:
    """Each training row by its name, with its label and what is predicted of it."""
    if not index:
        return []
    split = next(iter(subject.data))
    said = subject.said(split, subject.rows(split, index), index)
    return [
        {"split": split, "row": row, "name": subject.name(split, row), **one}
        for row, one in zip(index, said, strict=True)
    ]
