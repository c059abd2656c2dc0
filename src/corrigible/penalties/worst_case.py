"""Heo, Piratla, Wicker and Weller 2023, Use perturbations when learning from explanations: IBP-Ex.

Instead of the gradient at the row, it reduces all effects that the marked inputs could have on the prediction, by
bounds of the logits (interval bound propagation).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.errors import RecipeError
from corrigible.explanations.baselines import ends_of_inputs
from corrigible.explanations.marks.shares import mean_over_marked
from corrigible.explanations.scores import target_log_prob
from corrigible.models.bounds import logit_bounds
from corrigible.models.centring import one_hot_members
from corrigible.models.forward import Forward
from corrigible.models.modes import evaluating
from corrigible.types import Batch, Columns


@declared(looks_at="own passes")
def worst_case(
    forward: Forward, batch: Batch, *, radius: float | None = None, input_range: Tensor | None = None
) -> Float[Tensor, ""]:
    """Mean worst-case label loss over values of the marked inputs, minus the label loss, in nats; over marked rows.

    The worst case is an upper bound: the label's logit at its least and all others at their largest, as if the same
    inputs caused both. It is looser for deeper models and larger marked regions. The penalty is 0 exactly where the
    marked inputs cannot move a logit. Dropout is off. It costs about three passes over the reviewed rows.

    Args:
        radius: how far each marked input may move, in units of x; None for anywhere in its range. The columns of a
            marked category may always take any value between 0 and 1.
        input_range: the least and the largest value of each input, (2, *input); only a row's own value may lie outside.
            None for the range in the batch.

    Raises:
        RecipeError: a radius that is not above 0.
        DataError: a range of other inputs.
        UnsupportedModelError: a function of the model through which no bounds are known, or outputs that are not
            logits of classes.
    """
    assert batch.irrelevant is not None
    if radius is not None and not 0 < radius < float("inf"):
        raise RecipeError(f"radius is {radius}; expected a number above 0, or None for the inputs' range")
    labels = forward.labels
    low, high = _box(forward.x.detach(), batch, radius, input_range)
    least, most = logit_bounds(forward.model, low, high)
    is_label = torch.nn.functional.one_hot(labels, least.shape[1]).bool()
    with evaluating(forward.model):
        logits = Forward(forward.model, batch, seed=forward.seed, track_input=False).unobserved().logits
    worst = target_log_prob(torch.where(is_label, least, most), labels)
    # Values below 0 are rounding errors, since the bounds include the logits.
    return mean_over_marked((target_log_prob(logits, labels) - worst).clamp_min(0), batch.irrelevant)


def _box(x: Tensor, batch: Batch, radius: float | None, input_range: Tensor | None) -> tuple[Tensor, Tensor]:
    """The bounds of each row's inputs; unmarked inputs are fixed."""
    assert batch.irrelevant is not None
    ends = ends_of_inputs(input_range, x)
    low, high = (end.expand_as(x) for end in ends)
    if radius is not None:
        low, high = low.maximum(x - radius), high.minimum(x + radius)
    low, high = _with_any_category(low, high, ends, batch.columns)
    low, high = x.minimum(low), x.maximum(high)
    return torch.where(batch.irrelevant, low, x), torch.where(batch.irrelevant, high, x)


def _with_any_category(low: Tensor, high: Tensor, ends: Tensor, columns: Columns | None) -> tuple[Tensor, Tensor]:
    """The bounds with each one-hot column from 0 to 1, whichever categories were seen."""
    if columns is None or not columns.has_categories:
        return low, high
    low, high = low.clone(), high.clone()
    for of_category in one_hot_members(columns).T.bool().to(low.device):
        low[:, of_category], high[:, of_category] = ends[0, of_category].amin(), ends[1, of_category].amax()
    return low, high
