"""Feedback as evidence on a Bayesian network: what the marked inputs change in a layer was observed to be 0.

The working form of feedback on activations as additional evidence. The observation is Δ, the change of a layer's
activations, before any nonlinear function, when the marked inputs take other rows' values: 0 = Δ + s·noise. For the
layer's inputs Z and Z′ in the two cases, Δ is normal with mean γ = (Z − Z′)·μ and variance δ = (Z − Z′)²·σ², and the
evidence lower bound gets minus its expected log-density, (γ² + δ) / 2s². Nothing is left to weigh: s is a share of the
activations' own spread, so their scale does not matter, and the bound counts each reviewed row once. Unlike a density
of γ alone, it does not grow without limit as δ goes to 0; and no unit escapes by being inactive.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.declarations import declared
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.explanations.marks.replacement import other_rows, replaced
from corrigible.models.bayes.converting import bayesian_layers
from corrigible.models.bayes.layers import BayesianLayer, BayesianLinear, moments_of_change
from corrigible.models.forward import Forward
from corrigible.models.modes import evaluating
from corrigible.types import Batch


@declared(looks_at="own passes", unit="nats per training row")
def no_change_evidence(
    forward: Forward,
    batch: Batch,
    *,
    layers: Sequence[str] | None = None,
    noise: float = 0.1,
    scope: Literal["row", "dataset"] = "row",
    donors: Tensor | None = None,
    num_rows: int | None = None,
    num_reviewed: int | None = None,
) -> Float[Tensor, ""]:
    """Mean of (γ² + δ) / 2s² over reviewed rows, summed over units, times their share of the training rows.

    At least 0, in nats per training row; 0 exactly when the marked inputs change nothing in these layers. Weight 1 is
    that of Bayes. Earlier layers are at their means, and dropout is off. It costs one pass over twice the
    reviewed rows.

    Where few of very many rows are reviewed, the labels outweigh what was said of them. If they were drawn from all
    rows, ``scope="dataset"`` lets them stand for all of these.

    Args:
        layers: names of Bayesian layers; None for the first linear one, which sees places apart from each other.
        noise: s, as a share of the standard deviation of the layer's activations over rows and units.
        scope: "row", each reviewed row counts once, as its label does; or "dataset", the reviewed rows stand for all
            training rows, and the mean is not multiplied by their share.
        donors: rows to take values from, (row, *input); None for what the other rows of the batch lend.
        num_rows, num_reviewed: how many training rows there are, and how many of them are reviewed; corrections fill
            them in.

    Raises:
        UnsupportedModelError: no such layer, or one without a distribution.
        RecipeError: the numbers of rows are missing, or a noise that is not above 0.
        DataError: donors of other inputs.
    """
    assert batch.irrelevant is not None
    if num_rows is None or num_reviewed is None or not noise > 0:
        raise RecipeError(f"num_rows={num_rows}, num_reviewed={num_reviewed}, noise={noise}; expected numbers above 0")
    chosen = _chosen(forward.model, layers)
    x = forward.x.detach()
    changed = replaced(batch, x, other_rows(forward, donors, "no_change_evidence"))
    is_marked = batch.irrelevant.flatten(1).any(dim=1)
    total = x.new_zeros(())
    with evaluating(forward.model):
        for layer, inputs in zip(chosen, _inputs(forward, torch.cat([x, changed]), chosen), strict=True):
            before, after = inputs.chunk(2)
            mean, variance = moments_of_change(layer, before - after)
            size = noise * layer(before).std(correction=0)
            each = (mean.square() + variance).flatten(1).sum(dim=1) / (2 * size.square().clamp_min(1e-12))
            total = total + (each * is_marked).sum() / is_marked.sum().clamp_min(1)
    return total * (num_reviewed / num_rows if scope == "row" else 1.0)


def _chosen(model: nn.Module, layers: Sequence[str] | None) -> list[BayesianLayer]:
    found = dict(bayesian_layers(model))
    if layers is None:
        first = next((layer for layer in found.values() if isinstance(layer, BayesianLinear)), None)
        return [next(iter(found.values())) if first is None else first]
    for name in layers:
        if name not in found:
            raise UnsupportedModelError(f"no Bayesian layer {name!r}; this model has {', '.join(found)}")
    return [found[name] for name in layers]


def _inputs(forward: Forward, x: Tensor, layers: Sequence[BayesianLayer]) -> list[Tensor]:
    """What each of the layers is given in a pass over these rows, those of the batch and as many again."""
    batch, seen = forward.batch, dict[nn.Module, Tensor]()
    index, y = batch.index.repeat(2), torch.cat([batch.y, batch.y])
    extra = {name: torch.cat([values, values]) for name, values in batch.extra.items()}
    twice = Batch(index, x, y, extra=extra, columns=batch.columns, task=batch.task)
    hooks = [layer.register_forward_pre_hook(lambda of, given: seen.update({of: given[0]})) for layer in layers]
    try:
        with torch.enable_grad():
            _ = Forward(forward.model, twice, seed=forward.seed, track_input=False).unobserved().outputs
    finally:
        for hook in hooks:
            hook.remove()
    return [seen[layer] for layer in layers]
