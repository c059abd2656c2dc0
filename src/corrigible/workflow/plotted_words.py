"""Texts with their words coloured, for the report."""

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.figure import Figure
from torch import Tensor

from corrigible.data.dataset import class_named
from corrigible.explanations.words import by_token
from corrigible.plots.coloured_text import coloured_text
from corrigible.reporting import Plots

NUM_MODELS = 2
"""The model before and after its correction."""


def word_plots(
    drawn: Mapping[str, Tensor], words: Sequence[Sequence[str]], names: Sequence[str], class_names: Sequence[str]
) -> Iterator[Plots]:
    """The drawn texts with their words coloured, once for each of the two models; none if no text can be drawn."""
    values = {name: by_token(drawn[f"attribution.{place}"]) for place, name in enumerate(names[:NUM_MODELS])}
    figures: list[Figure] = []
    for at, text in enumerate(words):
        of_models = [found[at, : len(text)] for found in values.values()]
        limit = max((float(found.abs().nan_to_num(0).max()) for found in of_models), default=0.0) if text else 0.0
        if limit == 0.0:
            continue
        label = class_named(int(drawn["y"][at]), class_names)
        for place, (name, found) in enumerate(zip(values, of_models, strict=True)):
            predicted = class_named(int(drawn[f"predicted.{place}"][at]), class_names)
            title = f"Row {int(drawn['row'][at])}, label {label}: {name} says {predicted}"
            figures.append(coloured_text(text, found, limit=limit, title=title))
    if not figures:
        return
    note = (
        "A few texts spread over the data. Red words speak for the label, blue ones against it; both models of a text "
        "share their colours. Words are as the model sees them: in lower case, rare ones as [unknown]."
    )
    yield Plots("What each word does", note, tuple(figures))
