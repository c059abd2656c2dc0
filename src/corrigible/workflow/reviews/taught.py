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
    Rows that the study has forgotten are left out. Where this cannot be told, the nearest training rows in latent
    space stand in its place, and a sentence says why.
    """
    rows = subject.rows(split, [row])
    asked, what = _asked(subject, rows)
    try:
        helpful, harmful = _influential(subject, asked)
    except CorrigibleError as error:
        index, _ = nearest_examples(subject.model, subject.learned, rows, n=MOST_SHOWN)
        near = {"title": "Most alike to the model", "rows": _listed(subject, subject.places_learned[index[0]].tolist())}
        return {"sentence": f"Which rows taught it cannot be told: {error}.", "groups": [near]}
    groups = [
        {"title": f"Taught {what}", "rows": _listed(subject, helpful)},
        {"title": "Taught against it", "rows": _listed(subject, harmful)},
    ]
    among = f"Among the {min(NEAREST, len(subject.learned))} training rows that are most alike to the model"
    effects = "it would be less sure without the first, and surer without the others"
    if subject.task.name != "classes":
        effects = "its prediction would be further from the label without the first, and nearer without the others"
    return {"sentence": f"{among}: {effects}.", "groups": groups}


def _asked(subject: Subject, rows: TensorData) -> tuple[TensorData, str]:
    """The row with what the model says of it as the label, and its name."""
    predicted: Tensor | None = subject.pair(rows)[0]
    if predicted is None:
        return rows, "the prediction"
    name = subject.in_words(class_named(int(predicted[0]), subject.class_names))
    return replace(rows, y=predicted.to(rows.y)), f"“{name}”"


def _influential(subject: Subject, asked: TensorData) -> tuple[list[int], list[int]]:
    learned, places = subject.learned, subject.places_learned.tolist()
    if len(learned) > MOST_ROWS:
        raise CorrigibleError(f"there are {plural(len(learned), 'training row')}; at most {MOST_ROWS:,} are asked")
    found = influence(
        subject.model,
        learned,
        asked,
        method="last_layer",
        nearest=min(NEAREST, len(learned)),
        seed=subject.seed,
    )
    both = found.most_helpful(0, MOST_SHOWN), found.most_harmful(0, MOST_SHOWN)
    helpful, harmful = ([places[each.row] for each in side] for side in both)
    return helpful, harmful


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
