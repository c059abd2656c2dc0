"""Plots of a table's strongest features, alone and in pairs, for the report."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from corrigible.plots.dependence import partial_dependence
from corrigible.plots.interaction_matrix import interaction_matrix
from corrigible.reporting import Plots
from corrigible.workflow.explained_features import ExplainedFeatures
from corrigible.workflow.task_words import TaskWords

NOISE = 1e-5
"""Share of the largest value that rounding alone can give a pair without interaction."""


def feature_plots(
    found: ExplainedFeatures,
    names: Sequence[str],
    class_names: Sequence[str],
    words: TaskWords,
    order: Sequence[str] = (),
) -> Iterator[Plots]:
    """Plots of partial dependence and interactions; none if a value is not finite."""
    panels = [panel for of_model in found.dependence.values() for panel in of_model]
    if all(bool(panel.lines.isfinite().all()) for panel in panels):
        yield _dependence(found, names, words.value(found.target, class_names))
    is_finite = all(bool(matrix.isfinite().all()) for matrix in found.interactions.values())
    if is_finite and len(found.paired) > 1:
        yield _interactions(found, names, order)


def _dependence(found: ExplainedFeatures, names: Sequence[str], value: str) -> Plots:
    by_model = {names[place]: panels for place, panels in found.dependence.items()}
    figure = partial_dependence(by_model, label=value)
    num_rows = len(next(iter(found.dependence.values()))[0].lines)
    note = (
        f"The strongest features, each set to other values in {num_rows} rows, all else as it is. Coloured is the mean "
        "over the rows; grey are single rows, for categories the range of all but the lowest and highest 5 %; along "
        "the lower edge stands where the data lie. Where the mean is flat, the model does not go by the feature alone."
    )
    return Plots("What if a feature had another value?", note, (figure,))


def _interactions(found: ExplainedFeatures, names: Sequence[str], order: Sequence[str]) -> Plots:
    pairs = {place: _of_pairs(matrix) for place, matrix in found.interactions.items()}
    limit = max(float(matrix.abs().max()) for matrix in pairs.values()) or 1.0
    figures = [
        interaction_matrix(
            matrix,
            found.paired,
            half=2 * found.half_widths[place] if place in found.half_widths else None,
            diagonal=False,
            order=[name for name in order if name in found.paired],
            limit=limit,
            title=names[place],
        )
        for place, matrix in pairs.items()
    ]
    note = (
        "Mean Shapley interaction: what two features together add to the score beyond what each adds alone; red where "
        "they strengthen each other, blue where one takes away from the other, grey where the mean over the rows may "
        "be 0 but for chance. All other features count as one."
    )
    return Plots("Which features act together?", note, tuple(figures))


def _of_pairs(matrix: Tensor) -> Tensor:
    """The whole interaction of each pair, half of which is on each side of the diagonal."""
    is_noise = matrix.abs() <= NOISE * matrix.abs().max()
    return 2 * matrix.masked_fill(is_noise | torch.eye(len(matrix), dtype=torch.bool), 0.0)
