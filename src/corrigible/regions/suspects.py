"""Where to look first: regions that the model relies on and that predict the label by themselves.

A confounder such as a stamp or a column lies at the same place in many rows of a class and has the same values there;
the object in an image does not. So the score of a region is how much replacing it changes the score on rows where
its values alone predict the label.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import label as connected
from torch import Tensor, nn
from torch.nn.functional import one_hot

from corrigible.data.dataset import TensorData, as_dataset, rows_of, task_of
from corrigible.data.protocol import Dataset, class_names_of, tokens_of
from corrigible.data.swapping import draw_donors
from corrigible.errors import DataError
from corrigible.explanations.counts import require_count
from corrigible.explanations.explaining import explain
from corrigible.models.forward import Score
from corrigible.models.networks import network_of
from corrigible.progress import begun, counted
from corrigible.regions.candidates import as_region, elsewhere, masks_of_parts, parts_of
from corrigible.regions.clusters import cluster_explanations
from corrigible.regions.effects import logit_of_class, predicted, region_effects
from corrigible.regions.neighbour_agreement import neighbour_agreement
from corrigible.regions.region_test import compared_with_others
from corrigible.regions.suspect_ranking import Suspect, Suspects, is_relied_on, ranking_of
from corrigible.regions.words import word_suspects
from corrigible.types import Task

NUM_COMPARED = 1500
"""Most rows among which neighbours are sought."""
NUM_CLUSTERED, NUM_ELSEWHERE = 8, 10
"""Most regions from clusters, and regions that each is compared with; a cell or feature is compared with all others."""
DONORS_PER_IMAGE = 2
"""Donors that lend to each image, others to the next one: as many to each would take several times as long."""
CLEARLY = 3.0
"""A cell belongs to a cluster's region if its mean attribution is this many times that of the average cell."""


@dataclass(frozen=True)
class _Looked:
    """The rows that are looked at, and the settings of the test of each region."""

    model: nn.Module
    index: Int[Tensor, " row"]
    """Positions in the data; the first ``num_rows`` are looked at, the others are neighbours."""
    rows: TensorData
    target: Int[Tensor, " looked"]
    donors: Float[Tensor, " donor *input"]
    score: str | Score | None
    task: Task
    class_names: tuple[str, ...]
    seed: int

    @cached_property
    def strata(self) -> Int[Tensor, " row"]:
        return self.task.strata(self.rows.y)

    @cached_property
    def most_telling(self) -> float:
        """The agreement of rows that are alike in their labels: the most that any region can tell."""
        y = self.strata if self.task.logits is not None else self.rows.y.cpu()
        x = one_hot(y).double() if self.task.logits is not None else y.double().view(len(y), -1)
        everything = torch.ones(x.shape[1], dtype=torch.bool)
        found = neighbour_agreement(x, self.strata, everything, num_rows=len(self.target)).clamp_min(0)
        return max(float(found.mean()), 1e-12)

    def effects(self, masks: Bool[Tensor, " region *input"]) -> Float[Tensor, " looked region"]:
        x = self.rows.x[: len(self.target)]
        per_row = DONORS_PER_IMAGE if x.ndim == 4 else None
        asked: dict[str, Any] = {"score": self.score, "task": self.task, "seed": self.seed, "donors_per_row": per_row}
        return region_effects(self.model, x, self.target, masks, self.donors, **asked).double()

    def ranking(self, region: "_Region") -> dict[str, Any]:
        mask, count = region.mask.to(self.rows.x.device), len(self.target)
        tells = neighbour_agreement(self.rows.x, self.strata, mask, num_rows=count) / self.most_telling
        of_rows, are_classes = self.strata[:count], self.task.logits is not None
        about: dict[str, Any] = {"are_classes": are_classes, "class_names": self.class_names}
        return ranking_of(region.effect, tells.clamp_max(1), of_rows, self.index[:count], **about)


class _Region(NamedTuple):
    """A region with its effect on each row, and the effects of other regions if they are already known."""

    mask: Bool[Tensor, " *input"]
    effect: Float[Tensor, " looked"]
    others: Float[Tensor, " looked other"] | None = None


def suspects(
    model: nn.Module,
    data: Any,
    *,
    method: str = "integrated_gradients",
    cell: int | None = None,
    score: str | Score | None = None,
    num_rows: int = 200,
    num_donors: int = 8,
    most: int = 10,
    seed: int = 0,
) -> Suspects:
    """Regions that the model may rely on by mistake, the most suspected first, for a person to look at.

    Candidates are the cells of images, the features of tables, the words of texts or the places of other sequences; for
    images also the cells in which the explanations of a cluster of rows lie (`cluster_explanations`). A word is one
    region wherever it stands, whose presence predicts the label. The score of a row is the effect of the region on the
    prediction (`region_effects`) times the fourth power of `neighbour_agreement`, relative to that of the labels
    themselves, both clipped at 0. Amounts agree if they lie in the same quarter of the labels (`Task.strata`). A region
    is left out if half of it lies in a more suspected one, or if it contains half of that one; or if the model does not
    clearly rely on it: the interval of its effect holds 0, or the effect is below a hundredth of the largest.

    What should predict the label is suspected too if it does so at a fixed place, and so are words that should predict
    it. A cue whose place varies from image to image, or from sequence to sequence, is not found.

    Args:
        data: ``(x, y)`` arrays or a map-style data set of (x, y): rows that hold the confounder, such as the training
            rows.
        method: the explainer whose explanations of images are clustered.
        cell: side of an image's cells in pixels; None for a seventh of the longer side.
        score: None for the logit of the predicted class, or of other tasks for how far the prediction moves.
        num_rows: rows drawn from the data; all if there are fewer.
        num_donors: rows that lend their values to each row; to an image two of them, to the next one the next two.
        most: most suspects to return.

    Raises:
        RecipeError: an unknown method or score, or a number below 1.
        DataError: rows that are neither images, tables nor sequences, or a single row.
    """
    dataset = _checked(data, num_rows=num_rows, num_donors=num_donors, most=most)
    score = logit_of_class if score is None and task_of(dataset).name == "classes" else score
    if tokens_of(dataset) is not None:
        counts = {"num_rows": num_rows, "num_donors": num_donors, "most": most}
        return Suspects(word_suspects(model, dataset, score=score, **counts, seed=seed))
    looked = _looked(model, dataset, score, num_rows=num_rows, num_donors=num_donors, seed=seed)
    parts = parts_of(tuple(looked.rows.x.shape[1:]), looked.rows.columns, cell=cell)
    masks = masks_of_parts(parts)
    effects = looked.effects(masks)
    regions = [
        _Region(mask, effects[:, place], torch.cat([effects[:, :place], effects[:, place + 1 :]], dim=1))
        for place, mask in enumerate(masks)
    ]
    if parts.ndim == 3 and (clustered := _of_clusters(looked, parts, method)):
        regions += map(_Region, clustered, looked.effects(torch.stack(clustered)).T)
    told = [looked.ranking(region) for region in counted("regions ranked: region", regions)]
    return Suspects(_most_suspected(looked, regions, told, most))


def _most_suspected(
    looked: _Looked, regions: list[_Region], told: list[dict[str, Any]], most: int
) -> Iterator[Suspect]:
    """The suspects on which the model relies, the most suspected first, and none that lies in a more suspected one."""
    largest = max(float(region.effect.mean()) for region in regions)
    kept: list[_Region] = []
    for place in sorted(range(len(regions)), key=lambda place: -told[place]["score"]):
        if len(kept) == most or told[place]["score"] <= 0:
            return
        region = regions[place]
        if any(_is_same(region.mask, better.mask) for better in kept):
            continue
        found = _suspect(looked, region, told[place])
        if is_relied_on(found.test, largest):
            kept.append(region)
            yield found


def _checked(data: Any, **counts: int) -> Dataset:
    for name, value in counts.items():
        require_count(name, value)
    dataset = as_dataset(data)
    if len(dataset) < 2:
        raise DataError("the data has 1 row; expected at least 2: a region is tested by giving it another row's values")
    return dataset


def _looked(
    model: nn.Module, dataset: Dataset, score: str | Score | None, *, num_rows: int, num_donors: int, seed: int
) -> _Looked:
    model, index = network_of(model), draw_donors(len(dataset), max(NUM_COMPARED, num_rows), seed)
    begun("predictions of the rows that are looked at")
    rows = rows_of(dataset, index)
    donors = rows_of(dataset, draw_donors(len(dataset), num_donors, seed + 1)).x
    task = task_of(dataset)
    target = predicted(model, rows.x[:num_rows], task, score, seed=seed)
    return _Looked(model, index, rows, target, donors, score, task, class_names_of(dataset), seed)


def _suspect(looked: _Looked, region: _Region, told: dict[str, Any]) -> Suspect:
    others = region.others
    if others is None:
        others = looked.effects(elsewhere(region.mask, None, num_regions=NUM_ELSEWHERE, seed=looked.seed))
    return Suspect(
        region=as_region(region.mask, looked.rows.columns),
        test=compared_with_others(region.effect, others, seed=looked.seed),
        size=int(region.mask.sum()),
        **told,
    )


def _of_clusters(looked: _Looked, parts: Int[Tensor, " *input"], method: str) -> list[Bool[Tensor, " *input"]]:
    """The regions of the largest clusters: connected cells, at least two, of clearly more than average attribution."""
    count = len(looked.target)
    rows = looked.rows.x[:count]
    attribution = explain(looked.model, rows, looked.target, method=method, task=looked.task, seed=looked.seed)
    begun("clusters of explanations")
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
    """Whether at least half of the smaller region lies in the other."""
    return bool(2 * (first & second).sum() >= min(first.sum(), second.sum()))
