"""How much the layers of a network amplify each input: by how much they answer to a unit change of it.

The amplification of input i by a layer h is the norm of the column of its Jacobian, ‖∂h / ∂x_i‖₂, the mean over rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import DataError, UnsupportedModelError
from corrigible.explanations.features import feature_index, mean_sizes
from corrigible.explanations.inputs import checked_rows
from corrigible.explanations.passes import pass_over
from corrigible.explanations.quality.agreement import rank_correlation
from corrigible.models.batch_size import rows_at_once_of
from corrigible.models.centring import centred
from corrigible.models.forward import Forward
from corrigible.models.hidden_units import hidden_layers
from corrigible.models.modes import like_parameters, untouched
from corrigible.models.networks import network_of
from corrigible.types import Columns

MOST_VALUES = 4096
"""Of a layer; each takes a backward pass."""


@dataclass(frozen=True)
class Amplification:
    """How much each feature, or each input, is amplified by each layer."""

    of: Mapping[str, Float[Tensor, " feature"]]
    """By layer, from the input to the output; in the order of ``columns.features``, or of the flattened row."""
    columns: Columns | None = None

    def correlation(self, attribution: Float[Tensor, " row *input"]) -> dict[str, float]:
        """Spearman's rank correlation with the features' mean absolute attribution, by layer; NaN where all are equal.

        1 means that the inputs which a layer amplifies most are those on which predictions depend most.

        Raises:
            DataError: attributions of other inputs, or of fewer than two.
        """
        sizes = mean_sizes(attribution.detach().double().cpu(), self.columns)
        found = next(iter(self.of.values()))
        if sizes.shape != found.shape or len(sizes) < 2:
            raise DataError(f"attributions of {len(sizes)} features; expected {len(found)}, and at least 2")
        return {layer: float(rank_correlation(values[None], sizes[None])[0]) for layer, values in self.of.items()}


def amplification(
    model: Any,
    x: Any,
    *,
    layers: Sequence[str] | None = None,
    columns: Columns | None = None,
    seed: int = 0,
    rows_at_once: int | None = None,
) -> Amplification:
    """How much each layer amplifies each input, the mean over rows; in the layer's units per unit of the input.

    To follow it in training, call it between the epochs of `fit`. A category's columns never change alone: what they
    have in common is left out, and its amplification is the norm over all of its columns.

    Args:
        x: rows, (batch, …), as `explain` takes them; a few hundred are enough.
        layers: names of layers; None for every activation function that is a layer of its own.
        columns: which columns of a table make up which feature.

    Raises:
        RecipeError, DataError: an x or rows_at_once that does not fit.
        UnsupportedModelError: see `hidden_layers`; or a layer of more than 4096 values, each of which takes a backward
            pass.
    """
    network, found = network_of(model), list[dict[str, Tensor]]()
    with untouched(network, seed):
        rows = like_parameters(checked_rows(x, columns), network)
        for part in rows.split(rows_at_once_of(rows_at_once, network, rows[:1])):
            target = torch.zeros(len(part), dtype=torch.long, device=part.device)  # Layers do not depend on the labels.
            forward = pass_over(network, part, target, columns=columns, seed=seed)
            found.append({layer: _norms(forward, layer, columns) for layer in hidden_layers(forward, layers)})
    return Amplification({layer: torch.cat([part[layer] for part in found]).mean(dim=0) for layer in found[0]}, columns)


def _norms(forward: Forward, layer: str, columns: Columns | None) -> Float[Tensor, " row feature"]:
    """The norm of each feature's columns of the layer's Jacobian, row by row."""
    values = forward.activation(layer).flatten(1)
    if values.shape[1] > MOST_VALUES:
        raise UnsupportedModelError(
            f"layer {layer!r} gives {values.shape[1]:,} values per row; expected at most {MOST_VALUES:,}: name smaller "
            "layers"
        )
    squares = torch.zeros_like(forward.x, dtype=torch.float64)
    for value in values.unbind(dim=1):
        slope = centred(forward.gradient(value.sum(), forward.x, create_graph=False), columns)
        squares += slope.double().square()
    flat = squares.flatten(1).cpu()
    if columns is None:
        return flat.sqrt()
    summed = flat.new_zeros(len(flat), len(columns.features)).index_add(1, feature_index(columns), flat)
    return summed.sqrt()
