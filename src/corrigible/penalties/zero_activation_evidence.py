"""Feedback as evidence on a Bayesian network, in its literal form: the marked activations were observed to be 0.

Of a convolution's activations a, those count that lie under the marks and have influence on the label's score, a_F. The
evidence is the label given that they are 0, P(y | a_F = 0), and their density at 0, N(0; γ, δ), with mean and variance
by the local reparameterisation trick. For comparison with `no_change_evidence`, which works better: this density grows
without limit as δ goes to 0, a unit escapes by being inactive, and cells under the marks see other inputs too.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.errors import RecipeError
from corrigible.explanations.attribution.grad_cam import map_layer_of
from corrigible.explanations.marks.upsampling import cells_touched
from corrigible.explanations.scores import score_named
from corrigible.models.forward import Forward
from corrigible.types import Batch

SMALLEST = 1e-12


@declared(looks_at="layers", unit="nats per training row")
def zero_activation_evidence(
    forward: Forward,
    batch: Batch,
    *,
    layer: str | None = None,
    num_rows: int | None = None,
    num_reviewed: int | None = None,
) -> Float[Tensor, ""]:
    """Mean of -log P(y | a_F = 0) - log N(0; γ, δ) over reviewed rows, times their share of the training rows, in nats.

    It may be negative; rows without marks count for nothing.

    Args:
        layer: name of a Bayesian convolution; None for the last convolution with more than one place.
        num_rows, num_reviewed: as for `no_change_evidence`.

    Raises:
        UnsupportedModelError: no such convolution, or one without a distribution; a task without classes.
        RecipeError: the numbers of rows are missing.
    """
    assert batch.irrelevant is not None
    if num_rows is None or num_reviewed is None:
        raise RecipeError(f"num_rows={num_rows}, num_reviewed={num_reviewed}; expected numbers above 0")
    name = map_layer_of(forward, layer)
    mean, variance = forward.moments(name)
    scores = score_named("target_logit", forward)(forward.outputs, forward.labels).sum()
    influence = forward.gradient(scores, forward.activation(name), create_graph=False)
    cells = cells_touched(batch.irrelevant, (mean.shape[2], mean.shape[3]))
    counts = cells & (influence != 0)
    variance = variance.clamp_min(SMALLEST)
    minus_log_density = (mean.square() / variance + variance.log() + math.log(2 * math.pi)) / 2
    without = forward.replay(name, torch.where(counts, 0.0, forward.activation(name))).unobserved()
    label = -without.log_probs.gather(1, forward.labels[:, None])[:, 0]
    each = label + (minus_log_density * counts).flatten(1).sum(dim=1)
    is_marked = batch.irrelevant.flatten(1).any(dim=1)
    return (each * is_marked).sum() / is_marked.sum().clamp_min(1) * (num_reviewed / num_rows)
