"""Which training rows taught the model what it says of a row, as a page lists them."""

from collections.abc import Sequence
from typing import Any

from corrigible.data.dataset import TensorData
from corrigible.errors import CorrigibleError
from corrigible.explanations.examples.nearest_examples import nearest_examples
from corrigible.printable import plural
from corrigible.protocols.influence.influence import influence
from corrigible.protocols.influence.influenced import Influence
from corrigible.workflow.reviews.subject import Subject
from corrigible.workflow.taught_rows import NEAREST, sides, titles, with_predicted_labels

MOST_SHOWN = 4
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
    asked, (what,) = with_predicted_labels(subject, rows)
    own = {row} if split == next(iter(subject.data)) else set()
    try:
        found = _influence(subject, asked)
    except CorrigibleError as error:
        index, _ = nearest_examples(subject.model, subject.learned, rows, n=min(MOST_SHOWN + 1, len(subject.learned)))
        near = [one for one in subject.places_learned[index[0]].tolist() if one not in own][:MOST_SHOWN]
        groups = [{"title": "Most alike to the model", "rows": _listed(subject, near)}]
        return {"sentence": f"Which rows taught it cannot be told: {error}.", "groups": groups, "notes": []}
    strongest = sides(found, 0, MOST_SHOWN, leaving_out=_places(subject, own))
    groups = [
        {"title": title, "rows": _listed(subject, subject.places_learned[[one.row for one in side]].tolist())}
        for title, side in zip(titles(subject, what), strongest, strict=True)
    ]
    count = min(NEAREST, len(subject.learned))
    sentence = f"The strongest of the {count} training rows that are most alike to the model."
    return {"sentence": sentence, "groups": groups, "notes": [*_left_out(subject), *found.warnings]}


def _left_out(subject: Subject) -> list[str]:
    """What the page does not follow, so that it answers at once."""
    if not subject.is_corrected:
        return []
    where = "“corrigible influence” on the command line counts penalties and feedback"
    return [
        f"the model was corrected, and what the correction learned from beside the labels is left out here; {where}"
    ]


def _places(subject: Subject, own: set[int]) -> set[int]:
    """Where these rows of the first split stand among those that were learned."""
    return {place for row in own for place in (subject.places_learned == row).nonzero()[:, 0].tolist()}


def _influence(subject: Subject, asked: TensorData) -> Influence:
    learned = subject.learned
    if len(learned) > MOST_ROWS:
        raise CorrigibleError(f"there are {plural(len(learned), 'training row')}; at most {MOST_ROWS:,} are asked")
    how: dict[str, Any] = {"nearest": min(NEAREST, len(learned)), "seed": subject.seed}
    return influence(subject.model, learned, asked, method="last_layer", **how)


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
