"""Run a model on a data set and write down what metrics ask for."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import as_dataset, rows_of, task_of
from corrigible.data.protocol import class_names_of, columns_of
from corrigible.data.trained_columns import require_columns
from corrigible.explanations.inputs import checked_output
from corrigible.feedback.masks import marks_of
from corrigible.models.modes import PrivateRandomness, evaluating, like_parameters
from corrigible.models.networks import network_of
from corrigible.models.own_outputs import require_own_outputs, spread_rows
from corrigible.models.readable import require_readable
from corrigible.observations.everywhere import on_every_row
from corrigible.observations.explained import Explainer, attribution_share, qualities
from corrigible.observations.observed import OBSERVATIONS, Observations
from corrigible.observations.rows import Rows
from corrigible.observations.swaps import reflected_probs, swaps


def gather(
    model: nn.Module,
    data: Any,
    *,
    names: Collection[str] = tuple(OBSERVATIONS),
    feedback: Any = (),
    method: str = "input_gradient",
    explainer_settings: Mapping[str, Any] | None = None,
    num_donors: Any = 50,
    batch_size: Any = 256,
    seed: Any = 0,
) -> Observations:
    """The observations of these names, as far as the task, the data set and the feedback allow.

    Observations about irrelevant inputs cover only the rows on which some inputs are marked irrelevant. Observations
    about relevant inputs are NaN on rows without such marks, and absent if no row has any. Explanations are of the
    label where it is a class, and otherwise of what the task explains. The model, its modes and PyTorch's random state
    stay as they were.

    Args:
        data: ``(x, y)``, ``(x, y, group)`` or a map-style data set, whose ``task`` says what the labels mean.
        feedback: about the rows of this data set.
        method: the explainer for all observations about attributions.
        num_donors: rows of this data set whose values replace the irrelevant inputs for ``flipped``, ``swapped_hits``,
            ``shift`` and ``swapped_loss``.
        batch_size: rows that pass through the model at once.

    Raises:
        DataError: data that cannot be used, a label the model has no class for, predictions that are NaN.
        FeedbackError: feedback that does not fit the data set.
        UnsupportedModelError: a model that cannot be called with one tensor, mixes the rows of a batch, or gives
            outputs that do not fit the task.
    """
    num_donors, batch_size = (
        whole_number(name, value, 1) for name, value in (("num_donors", num_donors), ("batch_size", batch_size))
    )
    model, dataset, seed = network_of(model), as_dataset(data), whole_number("seed", seed)
    require_columns(model, columns_of(dataset))
    task, marks = task_of(dataset), marks_of(feedback, dataset)
    with PrivateRandomness(seed), evaluating(model):
        first = like_parameters(rows_of(dataset, torch.tensor([0])).x, model)
        task.outputs(checked_output(model, first, len(dataset), any_precision=True))
        few = rows_of(dataset, spread_rows(len(dataset))).x
        require_own_outputs(model, few, rows_at_once=batch_size)
        require_readable(model, few, task)
        rows = Rows(model, dataset, task, marks, torch.arange(len(dataset)), batch_size)
        everywhere = on_every_row(rows, names)
        strata = task.strata(everywhere["y"])
        explainer = Explainer(method, explainer_settings or {}, seed)
        everywhere |= qualities(rows, strata, names, explainer)
        marked = _marked(rows, strata)
        on_marked = _on_marked(replace(rows, index=marked), names, explainer, num_donors) if len(marked) else {}
    group_names = getattr(dataset, "group_names", ())
    return Observations(everywhere, marked, on_marked, class_names_of(dataset), group_names, task)


def _on_marked(rows: Rows, names: Collection[str], explainer: Explainer, num_donors: int) -> dict[str, Tensor]:
    """The observations about irrelevant inputs among these names."""
    found = swaps(rows, names, num_donors, explainer.seed)
    if "attribution_share" in names:
        found["attribution_share"] = attribution_share(rows, explainer)
    if "reflected_probs" in names and rows.task.logits is not None:
        found["reflected_probs"] = reflected_probs(rows)
    return found


def _marked(rows: Rows, strata: Tensor) -> Tensor:
    """Positions of the rows on which at least one input is irrelevant."""
    masks, index = rows.marks.irrelevant, rows.marks.irrelevant.rows(strata)
    parts = [part[masks.masks(part, strata[part]).flatten(1).any(1)] for part in index.split(rows.batch_size)]
    return torch.cat(parts)
