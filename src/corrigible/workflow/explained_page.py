"""The page that ``explain`` writes: a few dozen rows with what speaks for their predictions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from markupsafe import Markup
from torch import Tensor

from corrigible import pictures
from corrigible.comparison import spoken
from corrigible.data.dataset import TensorData, rows_of, task_of
from corrigible.data.protocol import Dataset, class_names_of, columns_of, names_of, tokens_of
from corrigible.data.shown_names import Labels, columns_in_words, in_words
from corrigible.data.table import OF_CLASSES
from corrigible.data.tokens import PADDING
from corrigible.pages.explained import (
    ExplainedGroup,
    ExplainedPage,
    ExplainedRow,
    feature_bars,
    render_explained,
)
from corrigible.plots.coloured_text import coloured_text_html
from corrigible.plots.features import signed_by_feature, strongest, with_value
from corrigible.printable import plural
from corrigible.workflow import strongest_part
from corrigible.workflow.instructive_rows import WRONG, Instructive, instructive_rows
from corrigible.workflow.row_texts import certainty_texts, error_texts, label_texts, predicted_texts
from corrigible.workflow.task_words import words_of

GRADIENTS = ("input_gradient", "smooth_grad", "guided_backpropagation")
"""Methods whose sign says which way a change would work, not what speaks for the prediction."""
PAGE_FILE = "explain.html"
MOST_BARS = 6


@dataclass(frozen=True)
class Explanations:
    """What ``explain`` found; all tensors are aligned with ``index``."""

    data: Dataset
    index: Int[Tensor, " row"]
    outputs: Float[Tensor, " row output"]
    target: Int[Tensor, " row"]
    attribution: Float[Tensor, " row *input"]
    """Of texts one number per word."""
    labels: Labels
    """The recipe's words for columns, categories and classes."""

    @cached_property
    def kind(self) -> str:
        """What its rows are drawn as: "text", "table", "image" or "other"."""
        if tokens_of(self.data) is not None:
            return "text"
        if columns_of(self.data) is not None:
            return "table"
        return "image" if rows_of(self.data, torch.tensor([0])).x.ndim == 4 else "other"


Maps = Callable[[TensorData, Tensor], Tensor | None]
"""(rows, target) -> what is drawn of them in place of their attributions; None for the attributions themselves."""


def explained_page(
    found: Explanations, maps: Maps, *, title: str, model: str, method: str, split: str, is_chosen: bool
) -> str:
    """The HTML of the page.

    Args:
        model: the name of the run.
        is_chosen: whether a person chose the rows, so that all of them are shown.
    """
    rows = rows_of(found.data, found.index) if is_chosen or len(found.index) < len(found.data) else found.data
    num_rows = len(found.index)
    chosen = (
        [Instructive("The rows that were asked for", tuple(range(num_rows)), num_rows)]
        if is_chosen
        else instructive_rows(found.outputs, rows)
    )
    shown = list(dict.fromkeys(row for kind in chosen for row in kind.rows))
    index = torch.tensor(shown)
    readable = maps(rows_of(found.data, found.index[index]), found.target[index])
    drawn = found.attribution[index] if readable is None else readable
    drawings = dict(zip(shown, _drawings(found, index, drawn), strict=True))
    return render_explained(
        ExplainedPage(
            title=f"{title}: what speaks for each prediction",
            kind=found.kind,
            about=(
                *_about(found, model, method, split, len(shown), is_chosen=is_chosen, is_covered=readable is not None),
                _reading(found, method if readable is None else ""),
                *filter(None, [_none_stands_out(found, drawn)]),
                *(() if is_chosen else _none_wrong(chosen, found.data)),
            ),
            legend=_legend(found, drawn),
            groups=tuple(_group(kind, found, rows, drawings) for kind in chosen),
        )
    )


def _group(kind: Instructive, found: Explanations, rows: Dataset, drawings: dict[int, Markup]) -> ExplainedGroup:
    index, names = torch.tensor(kind.rows), names_of(found.data)
    predicted, labels = predicted_texts(found.outputs, rows, index), label_texts(rows, index)
    certainty, errors = certainty_texts(found.outputs, rows, index), error_texts(found.outputs, rows, index)
    has_labels = task_of(found.data).name in (*OF_CLASSES, "several_labels")
    shown = [
        ExplainedRow(
            name=_capital(names.row(int(found.index[row]))) if not names.files else names.row(int(found.index[row])),
            predicted=in_words(predicted[place], found.labels),
            label=in_words(labels[place], found.labels),
            drawing=drawings[row],
            certainty=certainty[place],
            error=errors[place],
            is_wrong=has_labels and predicted[place] != labels[place],
        )
        for place, row in enumerate(kind.rows)
    ]
    return ExplainedGroup(kind.title, tuple(shown), kind.num_rows)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _about(
    found: Explanations, model: str, method: str, split: str, num_shown: int, *, is_chosen: bool, is_covered: bool
) -> tuple[str, ...]:
    task = task_of(found.data)
    score = "score of the class that is predicted"
    if task.name != "classes":
        score = words_of(task, class_names_of(found.data)).score
    which = "all that were asked for" if is_chosen else "the most instructive first"
    rows = plural(len(found.index), "row")
    how = f"The maps or bars explain the {score}, by {spoken(method)}."
    if is_covered:
        how = (
            f"Each map shows how far the {score} drops when a patch there is covered, because a map by "
            f"{spoken(method)} is speckle; its attributions are in the folder of the run."
        )
    return (f"Model {model} on {rows} of {split}; {num_shown:,} of them are shown, {which}.", how)


def _none_wrong(chosen: Sequence[Instructive], data: Dataset) -> list[str]:
    """Says that no prediction is wrong, which is otherwise the first thing that is shown."""
    has_labels = task_of(data).name in (*OF_CLASSES, "several_labels")
    return (
        ["No prediction is wrong on these rows."]
        if has_labels and not any(kind.title == WRONG for kind in chosen)
        else []
    )


def _reading(found: Explanations, method: str) -> str:
    is_class = task_of(found.data).logits is not None
    does = "speaks for the prediction, blue against it" if is_class else "raises the prediction, blue lowers it"
    if method in GRADIENTS:
        does = "means that a higher value there would raise that score, blue that it would lower it"
    match found.kind:
        case "image":
            return f"Beside each image is a map over a faint copy of it: red {does}."
        case "table":
            return f"The strongest features of each row are shown: red, to the right, {does}."
        case "text":
            return f"Red {does}. Words are as the model sees them: in lower case, rare ones as [unknown]."
        case _:
            return "The inputs of these rows cannot be drawn; their attributions are in the folder of the run."


def _none_stands_out(found: Explanations, drawn: Float[Tensor, " shown *input"]) -> str:
    """Says that no part stands out in the maps that are drawn, or in the rows of a table or texts; else empty."""
    match found.kind:
        case "image":
            return strongest_part.of_images(drawn)
        case "table":
            columns = columns_of(found.data)
            assert columns is not None
            return strongest_part.of_tables(found.attribution, columns)
        case "text":
            tokens = tokens_of(found.data)
            assert tokens is not None
            lengths = (tokens.ids[found.index.to(tokens.ids.device)] != PADDING).sum(dim=1).cpu()
            return strongest_part.of_texts(found.attribution, lengths)
        case _:
            return ""


def _legend(found: Explanations, drawn: Float[Tensor, " shown *input"]) -> Markup:
    if found.kind != "image":
        return Markup("")
    return pictures.colour_scale(pictures.shared_limit(list(drawn)))


def _drawings(
    found: Explanations, shown: Int[Tensor, " shown"], attribution: Float[Tensor, " shown *input"]
) -> list[Markup]:
    rows = rows_of(found.data, found.index[shown])
    match found.kind:
        case "image":
            return _pictures(rows, attribution)
        case "table":
            return _bars(rows, attribution, found.labels)
        case "text":
            return _words(rows, attribution)
        case _:
            return [Markup("")] * len(shown)


def _pictures(rows: TensorData, attribution: Tensor) -> list[Markup]:
    limit, brightness = pictures.shared_limit(list(attribution)), pictures.brightness_of(list(rows.x))
    pair = Markup('<div class="pair">{}{}</div>')
    return [
        pair.format(
            pictures.input_picture(x, None, brightness=brightness, alt="the image"),
            pictures.map_over_picture(x, found, limit=limit, brightness=brightness, alt="what the model looks at"),
        )
        for x, found in zip(rows.x, attribution, strict=True)
    ]


def _bars(rows: TensorData, attribution: Tensor, labels: Labels) -> list[Markup]:
    assert rows.columns is not None
    columns = columns_in_words(rows.columns, labels)
    by_feature = signed_by_feature(attribution.nan_to_num(0), columns)
    longest = float(abs(by_feature).max()) or 1.0
    drawn = []
    for x, values in zip(rows.x, by_feature, strict=True):
        order = strongest(abs(values), MOST_BARS)
        named = [(with_value(columns, columns.features[place], x), float(values[place])) for place in order]
        others = float(values.sum() - values[order].sum())
        drawn.append(feature_bars(named, longest=longest, num_others=len(values) - len(order), others=others))
    return drawn


def _words(rows: TensorData, attribution: Tensor) -> list[Markup]:
    assert rows.tokens is not None
    texts = [rows.tokens.row(row) for row in range(len(rows.x))]
    limit = pictures.shared_limit([found[None] for found in attribution])
    return [
        coloured_text_html(words, found[: len(words)], limit=limit) if words else Markup("<p>no words</p>")
        for words, found in zip(texts, attribution, strict=True)
    ]
