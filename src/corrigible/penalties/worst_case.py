"""Heo, Piratla, Wicker and Weller 2023, Use perturbations when learning from explanations: IBP-Ex.

Not the gradient at the row but everything that the marked inputs could do to the prediction is made small, by bounds of
the logits (interval bound propagation).
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
from corrigible.models.forward import Forward, one_hot_members
from corrigible.models.modes import evaluating
from corrigible.types import Batch, Columns


@declared(looks_at="own passes")
def worst_case(
    forward: Forward, batch: Batch, *, radius: float | None = None, input_range: Tensor | None = None
) -> Float[Tensor, ""]:
    """Mean label loss at the worst that the marked inputs can do, less the label loss, in nats; over marked rows.

    The worst is a bound: the label's logit at its least and all others at their largest, as if one row of inputs did
    all of it. It is wider than the truth, the more so the deeper the model and the larger the marked region; 0 exactly
    where the marked inputs cannot move a logit. Dropout rests. About three passes over the reviewed rows.

    Args:
        radius: how far each marked input may move, in units of x; None for anywhere in its range. The columns of a
            marked category may each be anything between 0 and 1 in any case.
        input_range: the least and the largest value of each input, (2, *input), beyond which a row's own value alone
            may lie; None for those in the batch.

    Raises:
        RecipeError: a radius that is not above 0.
        DataError: a range of other inputs.
        UnsupportedModelError: a function of the model through which no bounds are known.
    """
    assert batch.irrelevant is not None
    if radius is not None and not 0 < radius < float("inf"):
        raise RecipeError(f"radius is {radius}; expected a number above 0, or None for the inputs' range")
    low, high = _box(forward.x.detach(), batch, radius, input_range)
    least, most = logit_bounds(forward.model, low, high)
    is_label = torch.nn.functional.one_hot(batch.y, least.shape[1]).bool()
    with evaluating(forward.model):
        logits = Forward(forward.model, batch, seed=forward.seed, track_input=False).unobserved().logits
    worst = target_log_prob(torch.where(is_label, least, most), batch.y)
    # What is below 0 is rounding: the bounds hold the logits.
    return mean_over_marked((target_log_prob(logits, batch.y) - worst).clamp_min(0), batch.irrelevant)


def _box(x: Tensor, batch: Batch, radius: float | None, input_range: Tensor | None) -> tuple[Tensor, Tensor]:
    """Where each row's inputs may lie; what is not marked stays."""
    assert batch.irrelevant is not None
    ends = ends_of_inputs(input_range, x)
    low, high = (end.expand_as(x) for end in ends)
    if radius is not None:
        low, high = low.maximum(x - radius), high.minimum(x + radius)
    low, high = _with_any_category(low, high, ends, batch.columns)
    low, high = x.minimum(low), x.maximum(high)
    return torch.where(batch.irrelevant, low, x), torch.where(batch.irrelevant, high, x)


def _with_any_category(low: Tensor, high: Tensor, ends: Tensor, columns: Columns | None) -> tuple[Tensor, Tensor]:
    """One-hot columns may be what any column of their category is: 0 to 1, whichever categories were seen."""
    if columns is None or not columns.has_categories:
        return low, high
    low, high = low.clone(), high.clone()
    for of_category in one_hot_members(columns).T.bool().to(low.device):
        low[:, of_category], high[:, of_category] = ends[0, of_category].amin(), ends[1, of_category].amax()
    return low, high
