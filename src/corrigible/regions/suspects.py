"""Where to look first: regions that the model relies on and that tell the label by themselves.

A confounder differs from what an image shows in where it lies and in how plainly it tells: a stamp or a column is at
the same place in many rows of a class and has the same values there. So a region is suspected as far as replacing it
changes the score on rows where its values alone tell the label.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import label as connected
from torch import Tensor, nn

from corrigible.data.dataset import TensorData, as_dataset, rows_of
from corrigible.data.swapping import draw_donors
from corrigible.errors import RecipeError
from corrigible.explanations.explaining import explain
from corrigible.explanations.targets import predicted_target
from corrigible.regions.candidates import as_region, elsewhere, masks_of_parts, parts_of
from corrigible.regions.clusters import cluster_explanations
from corrigible.regions.effects import region_effects
from corrigible.regions.region_test import RegionTest, compared_with_others
from corrigible.regions.telling import telling
from corrigible.types import Features, Pixels

NUM_COMPARED = 1500
"""Rows among which neighbours are looked for."""
NUM_EXAMPLES = 5
NUM_CLUSTERED, NUM_ELSEWHERE = 8, 10
"""Regions found by clusters, and those each is compared with; a cell or feature is compared with all others."""
CLEARLY = 3.0
"""A cluster's region is where its mean attribution is this many times that of the mean cell."""
SURELY = 4
"""The power of ``telling``: as likely as that four neighbours drawn at random all have the row's label."""
TOP = 0.1
"""Share of the rows that a region is ranked by: a cue may be in few of them."""
ONE_CLASS = 0.9
"""Share of the suspicion that lies in rows of one class where a suspect is about that class."""


@dataclass(frozen=True)
class Suspect:
    """A region that a person should look at; the ranking proves nothing."""

    region: Pixels | Features
    label: int | None
    """The class in whose rows nearly all of the suspicion lies; None where several are concerned."""
    score: float
    """What regions are ranked by, above 0: mean suspicion of the tenth of the rows that have most of it."""
    test: RegionTest
    """The effect on the score of the predicted class, with its interval, beside that of regions elsewhere."""
    telling: float
    """How surely the region alone tells the label on rows that rely on it, from 0 as by chance to 1."""
    size: int
    """Inputs in the region; pixels count in each channel."""
    rows: tuple[int, ...]
    """Positions of the rows with the largest suspicion, the largest first."""


@dataclass(frozen=True)
class _Looked:
    """The rows looked at, and what is asked of each region."""

    model: nn.Module
    index: Int[Tensor, " row"]
    """Positions in the data; the first ``num_rows`` are looked at, the others are neighbours."""
    rows: TensorData
    target: Int[Tensor, " looked"]
    donors: Float[Tensor, " donor *input"]
    score: str
    seed: int

    def effects(self, masks: Bool[Tensor, " region *input"]) -> Float[Tensor, " looked region"]:
        x = self.rows.x[: len(self.target)]
        found = region_effects(self.model, x, self.target, masks, self.donors, score=self.score, seed=self.seed)
        return found.double()


def suspects(
    model: nn.Module,
    data: Any,
    *,
    method: str = "integrated_gradients",
    cell: int | None = None,
    score: str = "target_logit",
    num_rows: int = 200,
    num_donors: int = 8,
    most: int = 10,
    seed: int = 0,
) -> list[Suspect]:
    """Regions that the model may rely on by mistake, the most suspected first; for a person to look at.

    Looked at are the cells of images, the features of tables or the places of sequences, and for images what cells the
    explanations of a cluster of rows lie in (`cluster_explanations`). Suspicion of a row: the effect of the region on
    the score of the predicted class (`region_test`) times the fourth power of `telling`, both at least 0. Regions half
    of which lie in a more suspected one, or contain half of it, are left out. A true cause that alone tells the label
    at a fixed place is suspected too, and a cue that moves about is not.

    Args:
        data: ``(x, y)`` arrays or a map-style data set of (x, y): rows that hold the confounder, such as the training
            rows.
        method: the explainer whose explanations of images are clustered.
        cell: side of an image's cells in pixels; None for a seventh of the longer side.
        score: of the predicted class; one of ``SCORES``.
        num_rows: drawn from the data; all where there are fewer.
        num_donors: rows that lend their values to each.
        most: how many at most.

    Raises:
        RecipeError: an unknown method or score, or a number below 1.
        DataError: rows that are neither images, tables nor sequences.
    """
    for name, value in (("num_rows", num_rows), ("num_donors", num_donors), ("most", most)):
        if value < 1:
            raise RecipeError(f"{name} is {value}; expected at least 1")
    looked = _looked(model, data, score, num_rows, num_donors, seed)
    parts = parts_of(tuple(looked.rows.x.shape[1:]), looked.rows.columns, cell=cell)
    masks = masks_of_parts(parts)
    effects = looked.effects(masks)
    found = [
        _suspect(looked, mask, effects[:, place], torch.cat([effects[:, :place], effects[:, place + 1 :]], dim=1))
        for place, mask in enumerate(masks)
    ]
    for mask in _of_clusters(looked, parts, method) if parts.ndim == 3 else ():
        others = elsewhere(mask, None, num_regions=NUM_ELSEWHERE, seed=seed)
        with_others = looked.effects(torch.cat([mask[None], others]))
        masks = torch.cat([masks, mask[None]])
        found.append(_suspect(looked, mask, with_others[:, 0], with_others[:, 1:]))
    order = sorted(range(len(found)), key=lambda place: -found[place].score)
    kept: list[int] = []
    for place in order:
        if found[place].score > 0 and not any(_is_same(masks[place], masks[better]) for better in kept):
            kept.append(place)
    return [found[place] for place in kept[:most]]


def _looked(model: nn.Module, data: Any, score: str, num_rows: int, num_donors: int, seed: int) -> _Looked:
    dataset = as_dataset(data)
    index = draw_donors(len(dataset), max(NUM_COMPARED, num_rows), seed)
    rows = rows_of(dataset, index)
    donors = rows_of(dataset, draw_donors(len(dataset), num_donors, seed + 1)).x
    target = predicted_target(model, rows.x[:num_rows], seed=seed)
    return _Looked(model, index, rows, target, donors, score, seed)


def _suspect(looked: _Looked, mask: Tensor, effect: Tensor, others: Tensor) -> Suspect:
    count = len(looked.target)
    tells = telling(looked.rows.x, looked.rows.y, mask.to(looked.rows.x.device), num_rows=count).clamp_min(0).double()
    relied = effect.clamp_min(0)
    suspicion = relied * tells**SURELY
    order = suspicion.argsort(descending=True)
    by_class = torch.zeros(int(looked.rows.y.max()) + 1, dtype=torch.double)
    by_class.index_add_(0, looked.rows.y[:count].cpu(), suspicion)
    is_one = float(by_class.max()) > ONE_CLASS * float(by_class.sum())
    return Suspect(
        region=as_region(mask, looked.rows.columns),
        label=int(by_class.argmax()) if is_one else None,
        score=float(suspicion[order[: max(1, int(TOP * count))]].mean()),
        test=compared_with_others(effect, others, seed=looked.seed),
        telling=float((relied * tells).sum() / relied.sum().clamp_min(1e-12)),
        size=int(mask.sum()),
        rows=tuple(looked.index[row].item() for row in order[:NUM_EXAMPLES] if suspicion[row] > 0),  # type: ignore[misc]
    )


def _of_clusters(looked: _Looked, parts: Int[Tensor, " *input"], method: str) -> list[Bool[Tensor, " *input"]]:
    """Where the explanations of each cluster lie: connected cells, at least two, of clearly more than mean attribution.

    Those of the largest clusters, as many as are looked at.
    """
    count = len(looked.target)
    attribution = explain(looked.model, looked.rows.x[:count], looked.target, method=method, seed=looked.seed)
    found: list[Tensor] = []
    clusters = [
        (size, mean)
        for of_class in cluster_explanations(attribution.cpu(), looked.target, seed=looked.seed)
        for size, mean in zip(of_class.sizes, of_class.means, strict=True)
    ]
    for _, mean in sorted(clusters, key=lambda pair: -pair[0]):
        found += [mask for mask in _connected(mean.abs(), parts) if not any(torch.equal(mask, old) for old in found)]
    return found[:NUM_CLUSTERED]


def _connected(attribution: Float[Tensor, " *input"], parts: Int[Tensor, " *input"]) -> list[Tensor]:
    num_parts = int(parts.max()) + 1
    sums = attribution.new_zeros(num_parts).index_add(0, parts.flatten(), attribution.flatten())
    per_input = sums / parts.flatten().bincount(minlength=num_parts)
    numbers, count = connected((per_input > CLEARLY * per_input.mean())[parts[0]].numpy())
    masks = [torch.from_numpy(numbers == number).expand(parts.shape) for number in range(1, count + 1)]
    return [mask for mask in masks if len(parts[mask].unique()) > 1]


def _is_same(first: Tensor, second: Tensor) -> bool:
    """Half of the smaller region lies in the other."""
    return bool(2 * (first & second).sum() >= min(first.sum(), second.sum()))
