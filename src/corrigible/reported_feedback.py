"""The feedback of a study, counted and drawn for its report."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from corrigible import pictures
from corrigible.data.protocol import class_named
from corrigible.types import Features, Feedback, Phrase, Pixels


def feedback_counts(
    feedback: Sequence[Feedback], class_names: Sequence[str], later: Sequence[Feedback] = ()
) -> list[tuple[str, str, str, str, int]]:
    """(author, polarity, which rows it applies to, what it is used for, count) of the feedback.

    Args:
        later: what of it was given after the correction.
    """
    after = set(later)
    counted = Counter(
        (f.author, f.polarity, _applies_to(f, class_names), _used_for(f, is_later=f in after)) for f in feedback
    )
    return [(*key, count) for key, count in sorted(counted.items())]


def feedback_notes(feedback: Sequence[Feedback]) -> list[tuple[str, str, str, int]]:
    """(note, author, day of the first, count) of the reasons that people wrote down, in the order of time."""
    noted = [said for said in feedback if said.note]
    counted = Counter((said.note, said.author) for said in noted)
    days = {(said.note, said.author): said.at.date().isoformat() for said in reversed(noted) if said.at}
    return [(note, author, days.get((note, author), ""), count) for (note, author), count in counted.items()]


def _applies_to(said: Feedback, class_names: Sequence[str]) -> str:
    if said.scope == "class" and said.label is not None:
        return f"every row of class {class_named(said.label, class_names)}"
    return "every row" if said.scope == "dataset" else f"one row of {said.split} each"


def _used_for(said: Feedback, *, is_later: bool) -> str:
    if said.split != "train" and said.scope == "row":
        return "measuring only"
    return "measuring only: given after the correction" if is_later else "correcting and measuring"


def feedback_masks(feedback: Sequence[Feedback]) -> list[tuple[str, int, Markup]]:
    """(polarity, how many regions, picture of their union) for images."""
    found: dict[tuple[str, tuple[int, ...]], list[np.ndarray]] = {}
    for said in feedback:
        if isinstance(said.region, Pixels):
            mask = said.region.mask
            plane: np.ndarray = np.any(mask.reshape(-1, *mask.shape[-2:]), axis=0) if mask.ndim > 1 else mask[None]
            found.setdefault((said.polarity, plane.shape), []).append(plane)
    return [
        (polarity, len(planes), pictures.mask_picture(np.any(planes, axis=0), alt=f"all pixels marked {polarity}"))
        for (polarity, _), planes in found.items()
    ]


def feedback_features(feedback: Sequence[Feedback]) -> dict[str, list[tuple[str, int]]]:
    """polarity -> (feature, how often it was named), for tables."""
    counted = Counter((f.polarity, name) for f in feedback for name in features_of(f))
    return {p: [(name, n) for (q, name), n in counted.items() if p == q] for p in sorted({p for p, _ in counted})}


def features_of(said: Feedback) -> tuple[str, ...]:
    """The names of the features that the feedback is about; for a text, the phrase."""
    if isinstance(said.region, Phrase):
        return (" ".join(said.region.words),)
    return said.region.names if isinstance(said.region, Features) else ()
