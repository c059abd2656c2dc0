"""Regions to accept with one click: segments, features and words in which a model's attribution lies.

Bekkemoen 2021, Bayesian neural networks corrected by feedback, chapter 4: a segment of the image for a brush stroke.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import TensorData, as_dataset, rows_of, task_of
from corrigible.data.vocabulary import UNKNOWN
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.counts import require_count
from corrigible.explanations.explaining import Method
from corrigible.models.networks import network_of
from corrigible.regions.effects import predicted
from corrigible.regions.maps import PLAIN_METHOD, ImageMaps, Sign, image_maps, kept, place_attribution, signed
from corrigible.regions.segmentations import segmentations_of
from corrigible.types import Features, Phrase, Pixels, Proposal, Region


def proposals(
    model: nn.Module,
    data: Any,
    index: Any,
    *,
    method: Method | None = None,
    sign: Sign = "absolute",
    share: float = 0.5,
    most: int = 10,
    seed: int = 0,
) -> list[list[Proposal]]:
    """For each row the regions in which the model's attribution to its prediction lies, the largest share first.

    Args:
        data: as `corrigible.explain` takes it with labels: (x, y), or a map-style data set.
        index: positions of the rows in the data.
        method: an explainer; None for the input gradient of images beside Grad-CAM, integrated gradients of other data.
        sign: which attribution counts.
        share: the part of the attribution that the smallest set of places holds from which segments are chosen.
        most: most proposals per row.

    Raises:
        RecipeError: an unknown method, a share outside of 0 to 1, or a number below 1.
        DataError: positions that the data does not have.
    """
    require_count("most", most)
    if not 0 < share <= 1:
        raise RecipeError(f"share is {share}; expected more than 0 and at most 1")
    dataset, model, seed = as_dataset(data), network_of(model), whole_number("seed", seed)
    index = positions(index, len(dataset))
    rows = rows_of(dataset, index)
    target = predicted(model, rows.x, task_of(dataset), None, seed=seed)
    if rows.x.ndim == 4:
        maps = image_maps(model, rows, target, method=method or "input_gradient", seed=seed)
        found = [_of_image(x, product_map(maps, place, sign, share)) for place, x in enumerate(rows.x)]
    else:
        values = signed(place_attribution(model, rows, target, method=method or PLAIN_METHOD, seed=seed), sign)
        found = [_of_places(rows, place, values[place], share) for place in range(len(index))]
    return [
        [Proposal(region, part, area, (row,)) for region, part, area in of_row[:most]]
        for row, of_row in zip(index.tolist(), found, strict=True)
    ]


def positions(index: Any, num_rows: int) -> Int[Tensor, " row"]:
    """The positions as a tensor.

    Raises:
        DataError: one that the data does not have.
    """
    found = torch.as_tensor(index, dtype=torch.long).reshape(-1).cpu()
    if len(found) and not (int(found.min()) >= 0 and int(found.max()) < num_rows):
        raise DataError(f"rows {int(found.min())} to {int(found.max())} are asked for; the data has {num_rows}")
    return found


def product_map(maps: ImageMaps, place: int, sign: Sign, share: float) -> Float[Tensor, " height width"]:
    """What is kept of both maps of one image, multiplied."""
    gradient = signed(maps.gradient[place], sign).sum(dim=0)
    if maps.class_map is None:
        return kept(gradient, share)
    return kept(gradient * signed(maps.class_map[place, 0], sign), share)


Found = list[tuple[Region, float, float]]
"""Regions with their shares of attribution and of area."""


def _of_image(x: Float[Tensor, " channel height width"], values: Float[Tensor, " height width"]) -> Found:
    total = float(values.sum())
    if total <= 0:
        return []
    best: tuple[int, Tensor] | None = None
    for segments in segmentations_of(x):
        touched = segments[values > 0].unique()
        area = int(torch.isin(segments, touched).sum())
        if best is None or area < best[0]:
            best = area, segments
    assert best is not None
    segments = best[1]
    sums = torch.zeros(int(segments.max()) + 1).index_add(0, segments.flatten(), values.flatten().float())
    order = sums.argsort(descending=True, stable=True)
    found: Found = []
    for segment in order[sums[order] > 0].tolist():
        mask = segments == segment
        found.append((Pixels(mask.numpy()), float(sums[segment]) / total, float(mask.float().mean())))
    return found


def _of_places(rows: TensorData, place: int, values: Float[Tensor, " place"], share: float) -> Found:
    """Features, words or places of one row, the largest share first."""
    count, total = len(values), float(values.sum())
    if rows.tokens is not None:
        count = len(rows.tokens.row(place))
        values, total = values[:count], float(values[:count].sum())
    if total <= 0:
        return []
    held = kept(values, share)
    order = held.argsort(descending=True, stable=True)
    return [
        (_region(rows, place, number), float(values[number]) / total, 1 / count)
        for number in order[held[order] > 0].tolist()
    ]


def _region(rows: TensorData, place: int, number: int) -> Region:
    if rows.columns is not None:
        return Features((rows.columns.features[number],))
    word = rows.tokens.row(place)[number] if rows.tokens is not None else UNKNOWN
    if word != UNKNOWN:
        return Phrase((word,))
    mask: Bool[np.ndarray, " place"] = np.zeros(rows.x.shape[1], dtype=bool)
    mask[number] = True
    return Pixels(mask)
