"""Texts with their words coloured, for the report."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from corrigible.data.protocol import class_named
from corrigible.explanations.words import by_token
from corrigible.plots.coloured_text import coloured_text
from corrigible.reporting import Plots
from corrigible.workflow.task_words import words_in

NUM_MODELS = 2
"""The model before and after its correction."""


def word_plots(
    drawn: Mapping[str, Tensor], words: Sequence[Sequence[str]], names: Sequence[str], results: Mapping[str, Any]
) -> Iterator[Plots]:
    """The drawn texts with their words coloured, once for each of the two models; none if no text can be drawn."""
    values = {name: by_token(drawn[f"attribution.{place}"]) for place, name in enumerate(names[:NUM_MODELS])}
    labels, predictions = texts_of_rows(drawn, results)
    figures: list[Figure] = []
    for at, text in enumerate(words):
        of_models = [found[at, : len(text)] for found in values.values()]
        limit = max((float(found.abs().nan_to_num(0).max()) for found in of_models), default=0.0) if text else 0.0
        if limit == 0.0:
            continue
        for place, (name, found) in enumerate(zip(values, of_models, strict=True)):
            title = f"{_row(drawn, results, at)}, label {labels[at]}: {name} predicts {predictions[place][at]}"
            sure = results["models"][place].get("row_certainties", [])
            title += f" ({sure[at]})" if sure and sure[at] else ""
            if words_in(results).has_classes and predictions[place][at] != labels[at]:
                title += " – wrong"
            figures.append(coloured_text(text, found, limit=limit, title=title))
    if not figures:
        return
    speak = "speak for the label, blue ones against it"
    if not words_in(results).has_classes:
        speak = "raise the prediction, blue ones lower it"
    note = (
        f"Texts that were reviewed, then some whose prediction changed, then others. Red words {speak}; both models "
        "of a text share their colours. Words are as the model sees them: in lower case, rare ones as [unknown]."
    )
    yield Plots("What each word does", note, tuple(figures))


def _row(drawn: Mapping[str, Tensor], results: Mapping[str, Any], at: int) -> str:
    """The number of the row, the part of the data that it is from, and why it is shown."""
    number = f"Row {int(drawn['row'][at])}"
    if "row_splits" not in results:
        return number
    reason = results["row_reasons"][at]
    return f"{number} of {results['row_splits'][at]}" + (f" ({reason})" if reason else "")


def texts_of_rows(drawn: Mapping[str, Tensor], results: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The label of each drawn row, and what each of the evaluation's models predicts, as text."""
    if "row_labels" in results:
        predictions = [model["row_predictions"] for model in results["models"] if "row_predictions" in model]
        return results["row_labels"], predictions
    # Evaluations of older versions, which are all about classes.
    named = [
        [class_named(label, results["class_names"]) for label in drawn[name].tolist()]
        for name in ("y", *(f"predicted.{place}" for place in range(len(results["models"]))))
    ]
    return named[0], named[1:]
