"""How similar two attributions of the same rows are."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from skimage.metrics import structural_similarity as skimage_similarity
from torch import Tensor

from corrigible.errors import DataError
from corrigible.explanations.quality.agreement import rank_correlation
from corrigible.intervals import bootstrapped_mean
from corrigible.types import Measurement

LARGEST_WINDOW = 7


def squared_difference(
    first: Float[Tensor, " batch *input"], second: Float[Tensor, " batch *input"]
) -> Float[Tensor, " batch"]:
    """Each row's mean squared difference after both are divided by their root mean square; zero rows stay zero.

    0 for attributions that differ by a positive factor, 2 for uncorrelated ones, 4 for opposite ones.
    """
    one, other = (_unit(values.flatten(1)) for values in (first, second))
    return (one - other).square().mean(dim=1)


def structural_similarity(
    first: Float[Tensor, " batch *input"], second: Float[Tensor, " batch *input"]
) -> Float[Tensor, " batch"]:
    """Structural similarity of each row's two maps, at most 1.

    Wang, Bovik, Sheikh and Simoncelli 2004, with windows of 7×7 pixels, or smaller ones if the image is smaller. A map
    is the sizes of the attribution, summed over channels and divided by the largest sum.

    Raises:
        DataError: not images, or images of less than 3×3 pixels.
    """
    if not has_structure(first):
        raise DataError(f"attributions have shape {tuple(first.shape)}; expected (batch, channel, height, width)")
    height, width = first.shape[2:]
    window = min(LARGEST_WINDOW, (min(height, width) - 1) // 2 * 2 + 1)
    maps = [_peak_one(values.abs().sum(dim=1)).double().cpu().numpy() for values in (first, second)]
    found = [skimage_similarity(a, b, win_size=window, data_range=1.0) for a, b in zip(*maps, strict=True)]
    return torch.from_numpy(np.array(found)).to(first)


def has_structure(attribution: Tensor) -> bool:
    """Whether structural similarity can be computed: for images of at least 3×3 pixels."""
    return attribution.ndim == 4 and min(attribution.shape[2:]) >= 3


@dataclass(frozen=True)
class Comparison:
    """How similar two explanations of the same rows are: means over rows, with 95 % intervals."""

    part: str
    """What differs between the two, e.g. the layer whose weights are fresh."""
    rank_correlation: Measurement
    """Rank correlation of the sizes, which compares the order of the inputs, whatever their sign."""
    signed_rank_correlation: Measurement
    structural_similarity: Measurement | None
    """Structural similarity of the sizes; None if x does not hold images."""


def compared(
    first: Float[Tensor, " batch *input"], second: Float[Tensor, " batch *input"], *, part: str, seed: int = 0
) -> Comparison:
    """All measures of similarity between two explanations of the same rows."""
    structure = structural_similarity(first, second) if has_structure(first) else None
    return Comparison(
        part,
        mean_over_rows("rank_correlation", rank_correlation(first.abs(), second.abs()), part=part, seed=seed),
        mean_over_rows("signed_rank_correlation", rank_correlation(first, second), part=part, seed=seed),
        None if structure is None else mean_over_rows("structural_similarity", structure, part=part, seed=seed),
    )


def mean_over_rows(metric: str, values: Float[Tensor, " batch"], *, part: str = "", seed: int = 0) -> Measurement:
    """The mean with a 95 % percentile bootstrap interval over rows (Efron 1979); NaN rows are left out and counted."""
    rows = values.detach().double().cpu()
    defined = rows[~rows.isnan()]
    note = f"left out, not defined: {len(rows) - len(defined)} rows" if len(defined) < len(rows) else ""
    if not len(defined):
        return Measurement(metric, None, part=part, note=note)
    low, high = bootstrapped_mean(defined, seed=seed).tolist()
    return Measurement(metric, defined.mean().item(), low, high, len(defined), part, note)


def _unit(flat: Tensor) -> Tensor:
    size = flat.square().mean(dim=1, keepdim=True).sqrt()
    return flat / size.clamp_min(torch.finfo(flat.dtype).tiny)


def _peak_one(maps: Tensor) -> Tensor:
    peak = maps.amax(dim=(1, 2), keepdim=True)
    return maps / peak.clamp_min(torch.finfo(maps.dtype).tiny)
