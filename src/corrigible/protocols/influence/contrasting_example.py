"""Teso et al. 2021, Interactive label cleaning with example-based explanations (CINCER): why a label is suspected.

A row whose label the model doubts is shown beside the training row that taught the doubt: of all rows with the label
that the model predicts, the one without which the doubted label would be likeliest.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import all_labels, as_dataset, labelled, require_classes, rows_of
from corrigible.errors import DataError
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.networks import network_of
from corrigible.protocols.influence.influence import influence


@dataclass(frozen=True)
class ContrastingExample:
    """A training row that speaks against the label of another."""

    row: int
    """The position of the example."""
    label: int
    """Its label, which the model predicts for the doubted row."""
    doubted: int
    """The position of the row whose label is doubted."""
    doubted_label: int
    value: float
    """By how much the loss of the doubted label would fall if the example were left out."""

    def __str__(self) -> str:
        doubted = f"class {self.doubted_label} of row {self.doubted}"
        return f"row {self.row}, of class {self.label}, speaks most against {doubted}"


def contrasting_example(
    model: nn.Module,
    data: Any,
    row: int,
    *,
    method: str = "exact",
    curvature: str = "gauss_newton",
    **settings: Any,
) -> ContrastingExample | None:
    """The training row that most supports the model's doubt about a row's label; None if the model does not doubt it.

    Both rows are then looked at together: one of the two labels may be wrong.

    Args:
        data: the training rows, with the doubted one among them.
        row: its position.
        method, curvature: as `influence` takes them; the paper's choice is the Fisher matrix, which for classes is the
            Gauss-Newton matrix.
        settings: others of `influence`.

    Raises:
        DataError: labels that are not classes, or no other row of the class that the model predicts.
    """
    dataset = labelled(as_dataset(data))
    require_classes(dataset)
    row = whole_number("row", row, 0, len(dataset) - 1)
    doubted, labels = rows_of(dataset, torch.tensor([row])), all_labels(dataset)
    network = network_of(model)
    with evaluating(network), torch.no_grad():
        outputs = network(like_parameters(doubted.x, network).clone())
    assert doubted.task is not None and not isinstance(doubted.task, str)
    predicted = int(doubted.task.target(doubted.task.outputs(outputs))[0])  # type: ignore[union-attr]
    if predicted == int(labels[row]):
        return None
    others = labels == predicted
    others[row] = False
    if not bool(others.any()):
        raise DataError(f"no other row has class {predicted}, which the model predicts for row {row}")
    found = influence(model, dataset, doubted, method=method, curvature=curvature, **settings).values[0]
    best = int(found.double().nan_to_num(torch.inf).masked_fill(~others, torch.inf).argmin())
    return ContrastingExample(best, predicted, row, int(labels[row]), -float(found[best]))
