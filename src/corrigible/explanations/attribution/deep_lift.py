"""Shrikumar, Greenside and Kundaje 2017, Learning important features through propagating activation differences.

The rescale rule (section 3.5.1) for elementwise functions; a max pooling's difference from its value for the baseline
goes to the input that is the larger of the two maxima.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.explanations.attribution._rescale_rules import recorded, rescale_rule
from corrigible.explanations.baselines import Baseline, baseline_row
from corrigible.explanations.features import shared_by_category
from corrigible.explanations.passes import pass_over
from corrigible.explanations.scores import name_of_score, score_named
from corrigible.models.forward import Score
from corrigible.models.modes import like_parameters, untouched
from corrigible.models.nonlinear import Nonlinearities
from corrigible.types import Columns

ROUNDING = 64
"""Allowed error of a difference of scores, in rounding errors of a score."""


def deep_lift(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    baseline: Baseline = None,
    score: str | Score = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
) -> Float[Tensor, " batch *input"]:
    """DeepLIFT: the input minus the baseline, times DeepLIFT's multipliers, in units of the score.

    Complete: the attribution of a row sums to score(x) − score(baseline). A result that does not is refused: then the
    model ran a function that the rule does not cover, such as a product of two activations, a softmax or a layer
    normalisation. The columns of a category share its total evenly, as in `integrated_gradients`.

    Args:
        baseline: None for zeros (1/k in a category's k columns); a number, or a tensor that broadcasts to one row.
        score: ``target_logit``, or ``target_output`` for other tasks: these are linear in the outputs, as the rule
            requires.

    Raises:
        RecipeError: another score.
        DataError: a baseline or columns that do not fit.
        UnsupportedModelError: the rule does not cover the model; the message names the functions.
    """
    if score not in ("target_logit", "target_output"):
        raise RecipeError(
            f"score is {name_of_score(score)!r}; deep_lift needs 'target_logit' or 'target_output', which are linear "
            "in the outputs: choose one, or integrated_gradients for other scores"
        )
    start = like_parameters(baseline_row(baseline, x, columns)[None], model)
    with untouched(model, seed):
        calls, before = recorded(model, start, differentiable=differentiable)
        rescaled = Nonlinearities(rescale_rule(calls, len(x), differentiable=differentiable))
        forward = pass_over(model, x, target, seed=seed, nonlinearities=rescaled).unobserved()
        scores = score_named(score, forward)
        risen = scores(forward.outputs, target)
        with rescaled.replacing():
            multipliers = forward.gradient(risen.sum(), forward.x, create_graph=differentiable)
        found = shared_by_category(multipliers * (forward.x.detach() - start), columns)
        _check_complete(found, risen, scores(before.expand_as(forward.outputs), target), rescaled)
    return found


def _check_complete(found: Tensor, score: Tensor, before: Tensor, rescaled: Nonlinearities) -> None:
    """Raises UnsupportedModelError if a row does not sum to its difference in score, up to rounding."""
    rows, gain = found.detach().flatten(1), (score - before).detach()
    gap = (rows.sum(dim=1) - gain).abs()
    eps = torch.finfo(found.dtype).eps
    # A large offset common to both scores costs digits of their difference; only such rounding is allowed for.
    rounding = ROUNDING * eps * (score.detach().abs() + before.detach().abs())
    is_complete = gap <= eps**0.5 * (rows.abs().sum(dim=1) + gain.abs()) + rounding
    if bool(is_complete.all()):
        return
    row = int((~is_complete).nonzero()[0])
    raise UnsupportedModelError(
        f"the attributions of row {row} sum to {float(rows[row].sum()):g}, its score differs from the baseline's by "
        f"{float(gain[row]):g}: DeepLIFT's rule does not cover "
        f"{', '.join(rescaled.others) or 'a function that cannot be seen'}; choose integrated_gradients or kernel_shap"
    )
