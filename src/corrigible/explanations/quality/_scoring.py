"""Scores of points made from rows, in blocks as large as the model may run on at once."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.explanations.question import Question
from corrigible.outputs import as_outputs


def scores(question: Question, points: Float[Tensor, " row point *input"], which: slice) -> Float[Tensor, " row point"]:
    """The scores of points made from these rows, inside ``question.looking()``; on the CPU in float64.

    A point that equals the one before it is not run again; this happens when inputs already equal their replacement.
    """
    is_new = torch.ones(points.shape[:2], dtype=torch.bool, device=points.device)
    is_new[:, 1:] = (points[:, 1:] != points[:, :-1]).flatten(2).any(dim=2)
    row, point = is_new.nonzero(as_tuple=True)
    x = points.flatten(0, 1) if len(row) == is_new.numel() else points[row, point]
    if x.untyped_storage().data_ptr() == question.x.untyped_storage().data_ptr():
        x = x.clone()  # A model that works in place would overwrite the rows.
    logits = as_outputs(question.model(x))
    found = question.scored(logits, question.target[which][row], lambda: question.index[which][row]).cpu().double()
    return found[is_new.flatten().cumsum(dim=0).sub(1).cpu()].view(points.shape[:2])


def blocks(question: Question, num_points: int) -> Iterator[tuple[slice, slice]]:
    """Slices of rows and of each row's points, (rows, points), as large as the bound on rows allows."""
    some_points = min(num_points, question.rows_at_once)
    some_rows = question.rows_at_once // some_points
    for row in range(0, len(question.x), some_rows):
        for point in range(0, num_points, some_points):
            yield slice(row, row + some_rows), slice(point, point + some_points)
