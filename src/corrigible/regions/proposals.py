"""Regions to accept with one click: segments, features and words on which a model's prediction rests.

After Bekkemoen 2021, Bayesian neural networks that are corrected by feedback, chapter 4: where the input gradient and
Grad-CAM agree, the segments of the image are proposed. Here the segments in which most of it lies are then tried: those
come first whose content, exchanged for that of other rows, moves the prediction most.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import TensorData, as_dataset, rows_of, task_of
from corrigible.data.protocol import Dataset
from corrigible.data.swapping import draw_donors
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.counts import require_count
from corrigible.explanations.explaining import Method
from corrigible.models.networks import network_of
from corrigible.regions.effects import marked_effects
from corrigible.regions.maps import Sign, kept, places_looked_at
from corrigible.regions.objects import Segmenter, merged
from corrigible.regions.proposed_places import Found, proposed_places
from corrigible.regions.segmentations import flat_pieces_of, segments_of
from corrigible.types import Pixels, Proposal

NUM_FLAT_PIECES, NUM_SUPERPIXELS, NUM_DONORS = 20, 10, 16
"""Segments of an image that are tried, of both kinds, and rows that lend their content to each."""
MOST_TRIED = 128**2
"""Most pixels of an image whose segments are tried; larger ones are ranked by their share of the attribution."""
ENOUGH_IN_BOTH = 0.5
"""Two segments are the same proposal if this share of the smaller one lies in the other."""


def proposals(
    model: nn.Module,
    data: Any,
    index: Any,
    *,
    method: Method | None = None,
    sign: Sign = "absolute",
    share: float = 0.95,
    objects: str | Segmenter | None = None,
    most: int = 10,
    seed: int = 0,
) -> list[list[Proposal]]:
    """For each row the regions on which the model's prediction rests, the most important first.

    Segments of images are ranked by how far the prediction falls when they hold other rows' content; those of images
    above 128 × 128 pixels, features and words by their share of the attribution. Words that stand side by side nearly
    wherever either of them stands, in all of the data, are one phrase.

    Args:
        data: (x, y), or a map-style data set of them.
        index: positions of the rows in the data.
        method: an explainer; None for the input gradient times Grad-CAM of images, and integrated gradients of other
            data and of networks without a convolution.
        sign: which attribution counts.
        share: of the attribution, that the places which are proposed hold together.
        objects: a segmentation model, or its name ``module:function``: (channel, height, width) -> masks
            (object, height, width), or boxes (object, 4) of top, left, height and width. Segments inside of one of them
            are one proposal.
        most: most proposals per row.

    Raises:
        RecipeError: an unknown method, a share outside of 0 to 1, or a number below 1.
        DataError: positions that the data does not have, or objects in another form.
    """
    require_count("most", most)
    if not 0 < share <= 1:
        raise RecipeError(f"share is {share}; expected more than 0 and at most 1")
    dataset, model, seed = as_dataset(data), network_of(model), whole_number("seed", seed)
    index = positions(index, len(dataset))
    if not len(index):
        return []
    rows = rows_of(dataset, index)
    target, values, shown_by = places_looked_at(model, rows, method=method, sign=sign, seed=seed)
    if rows.x.ndim == 4:
        tried = _effects_on(model, dataset, rows, target, seed)
        found = [_of_image(rows.x[row], values[row], share, objects, tried(row)) for row in range(len(index))]
    else:
        found = proposed_places(dataset, rows, values, share)
    return [
        [Proposal(region, part, area, (row,), effect, shown_by) for region, part, area, effect in of_row[:most]]
        for row, of_row in zip(index.tolist(), found, strict=True)
    ]


def positions(index: Any, num_rows: int) -> Int[Tensor, " row"]:
    """The positions as a tensor.

    Raises:
        DataError: one that the data does not have.
    """
    found = torch.as_tensor(index, dtype=torch.long).reshape(-1).cpu()
    wrong = [row for row in found.tolist() if not 0 <= row < num_rows]
    if wrong:
        raise DataError(f"row {wrong[0]} is asked for; the data has rows 0 to {num_rows - 1}")
    return found


Tried = Callable[[Bool[Tensor, " region height width"]], Float[Tensor, " region"]]
"""How far the prediction of a row falls when each region holds other rows' content."""


def _effects_on(
    model: nn.Module, dataset: Dataset, rows: TensorData, target: Int[Tensor, " row"], seed: int
) -> Callable[[int], Tried | None]:
    """For each row how its regions are tried; None for large images."""
    if rows.x[0, 0].numel() > MOST_TRIED or len(dataset) < 2:
        return lambda row: None
    task = task_of(dataset)
    donors = rows_of(dataset, draw_donors(len(dataset), NUM_DONORS, seed)).x
    score = "target_log_prob" if task.name == "classes" else None

    def of_row(row: int) -> Tried:
        one, about = rows.x[row][None], target[row][None]

        def tried(masks: Tensor) -> Tensor:
            first = torch.zeros(len(masks), dtype=torch.long)
            asked: dict[str, Any] = {"score": score, "task": task, "seed": seed}
            return marked_effects(model, one, about, first, masks[:, None], donors, **asked)

        return tried

    return of_row


def _of_image(
    x: Float[Tensor, " channel height width"],
    values: Float[Tensor, " height width"],
    share: float,
    objects: str | Segmenter | None,
    tried: Tried | None,
) -> Found:
    total = float(values.sum())
    if total <= 0:
        return []
    masks = _candidates(x, kept(values, share))
    masks = masks if objects is None else merged(masks, x, objects)
    parts = [float(values[mask].sum()) / total for mask in masks]
    effects = None if tried is None else tried(torch.stack(masks)).tolist()
    ranked = sorted(range(len(masks)), key=lambda place: -(parts if effects is None else effects)[place])
    return [
        (
            Pixels(masks[place].numpy()),
            parts[place],
            float(masks[place].float().mean()),
            None if effects is None else effects[place],
        )
        for place in ranked
    ]


def _candidates(
    x: Float[Tensor, " channel height width"], values: Float[Tensor, " height width"]
) -> list[Bool[Tensor, " height width"]]:
    """The segments that hold the most attribution, none of which is mostly another one.

    Flat pieces come first: a superpixel that holds a small patch and what is around it would hold more.
    """
    found: list[Tensor] = []
    for segments, most in ((flat_pieces_of(x), NUM_FLAT_PIECES), (segments_of(x), NUM_SUPERPIXELS)):
        sums = torch.zeros(int(segments.max()) + 1).index_add(0, segments.flatten(), values.flatten().float())
        best = sums.topk(min(most, int((sums > 0).sum()))).indices
        for mask in (segments == number for number in best):
            sizes = ((int((mask & old).sum()), int(old.sum())) for old in found)
            if all(shared < ENOUGH_IN_BOTH * min(int(mask.sum()), size) for shared, size in sizes):
                found.append(mask)
    return found
