"""Whether the gradients that penalties follow lead to what was marked; said before training."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from corrigible.batches import collate
from corrigible.data.dataset import strata_of, task_of
from corrigible.data.protocol import Dataset, columns_of
from corrigible.errors import NoGradientError
from corrigible.explanations.attribution.input_gradient import input_gradient
from corrigible.explanations.question import question_of
from corrigible.explanations.reached import inputs_named, unreached
from corrigible.feedback.masks import Marks
from corrigible.methods import ConfiguredMethod
from corrigible.models.own_outputs import spread_rows


def require_reached_marks(
    model: nn.Module, dataset: Dataset, marks: Marks, methods: Sequence[ConfiguredMethod]
) -> None:
    """Check on a few reviewed rows that a gradient leads to what must not matter, for penalties that look at it.

    Raises:
        NoGradientError: the score changes with marked inputs, and its gradient is 0 there at every point tried.
    """
    following = [
        method.name
        for method in methods
        if method.declaration.looks_at_with(method.settings) == "input" and "irrelevant" in method.declaration.serves
    ]
    rows = marks.irrelevant.rows(strata_of(dataset))
    if not following or not len(rows):
        return
    batch = collate(dataset, rows[spread_rows(len(rows))], marks)
    assert batch.irrelevant is not None
    asked = question_of(model, batch.x, task=task_of(dataset))
    settings: dict[str, Any] = {"score": asked.score}
    gradient = input_gradient(model, asked.x, asked.target, **settings)
    is_marked = batch.irrelevant.to(gradient.device).any(dim=0)
    cut = unreached(asked, is_marked & (gradient == 0).all(dim=0))
    if cut is not None:
        raise NoGradientError(
            f"no gradient leads to {inputs_named(cut, columns_of(dataset))}, which must not matter, although the score "
            f"changes with it: {following[0]} could teach nothing there; let the model compute it without detach, "
            "round, compare or no_grad, or use augment={'transplant': {}}"
        )
