"""What is asked of training rows, and the strongest of them: by the page that shows a row and by the command line."""

from collections.abc import Set
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor

from corrigible.data.dataset import TensorData
from corrigible.data.protocol import class_named
from corrigible.protocols.influence.influenced import Influence, RowInfluence
from corrigible.workflow.reviews.subject import Subject

NEAREST = 100
"""Rows that are asked: of all training rows those with the largest loss come first whatever the row is."""


class Sides(NamedTuple):
    """Training rows that taught a prediction, and those that taught against it, each the strongest first."""

    helpful: list[RowInfluence]
    harmful: list[RowInfluence]


def with_predicted_labels(subject: Subject, rows: TensorData) -> tuple[TensorData, list[str]]:
    """The rows with what the model says of them as the labels, and the names of these.

    Where the labels are no classes the rows keep their own, and the name is "the prediction".
    """
    predicted: Tensor | None = subject.pair(rows)[0]
    if predicted is None:
        return rows, ["the prediction"] * len(rows)
    names = [f"“{subject.in_words(class_named(label, subject.class_names))}”" for label in predicted.tolist()]
    return replace(rows, y=predicted.to(rows.y)), names


def titles(subject: Subject, what: str) -> tuple[str, str]:
    """What is said of the rows that help, and of those that harm."""
    less, more = "less sure of this", "surer of this"
    if subject.task.name != "classes":
        less, more = "further from the label", "nearer to the label"
    return f"Taught {what}; without them {less}", f"Taught against it; without them {more}"


def sides(found: Influence, query: int, n: int, *, leaving_out: Set[int] = frozenset()) -> Sides:
    """The ``n`` strongest rows of each side, without some."""
    most = n + len(leaving_out)
    both = found.most_helpful(query, most), found.most_harmful(query, most)
    return Sides(*([one for one in side if one.row not in leaving_out][:n] for side in both))
