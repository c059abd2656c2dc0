"""Test whether replacing a region changes the score more than replacing an equal region elsewhere."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.data.dataset import as_dataset, rows_of, shape_of, task_of
from corrigible.data.swapping import draw_donors
from corrigible.errors import FeedbackError
from corrigible.explanations.counts import require_count
from corrigible.feedback.masks import mask_of
from corrigible.intervals import percentile_interval, resamples
from corrigible.models.forward import Score
from corrigible.models.networks import network_of
from corrigible.regions.candidates import elsewhere
from corrigible.regions.effects import predicted, region_effects
from corrigible.types import Phrase, region_of

NUM_RESAMPLES = 1000
NOTHING = 1e-9


@dataclass(frozen=True)
class RegionTest:
    """The effect of a region on the prediction, compared with equal regions elsewhere."""

    effect: float
    """How much the score of the predicted class falls when the region holds other rows' values, averaged over rows; for
    other tasks, how far the prediction moves (`region_effects`)."""
    low: float
    high: float
    """95 % interval of the effect, from resampled rows."""
    elsewhere: float
    """The mean effect of the regions elsewhere."""
    ratio: float
    """The effect divided by the mean absolute effect elsewhere, which is taken as at least 1e-9."""
    ratio_low: float
    ratio_high: float
    p_value: float
    """(1 + number of regions elsewhere with at least this effect) / (1 + number of regions elsewhere)."""
    num_elsewhere: int


def region_test(
    model: nn.Module,
    data: Any,
    region: Any,
    *,
    score: str | Score | None = None,
    num_rows: int = 200,
    num_donors: int = 8,
    num_elsewhere: int = 50,
    seed: int = 0,
) -> RegionTest:
    """Compare the effect of a region on the prediction with that of equally large regions elsewhere.

    A large effect shows that the model relies on the region. Whether it should is for a person to say.

    Args:
        data: ``(x, y)`` arrays or a map-style data set of (x, y): the rows in which the cue is suspected.
        region: a boolean array of the shape of one input, (height, width) of an image, or names of features.
        score: None for the probability of the predicted class, or of other tasks for how far the prediction moves.
        num_rows: rows drawn from the data; all if there are fewer.
        num_donors: how many other rows lend their values to each row.
        num_elsewhere: random regions of the same form and size, or sets of as many random features; fewer if there are
            not so many.

    Raises:
        FeedbackError: a region that does not fit the data.
        DataError: nothing lies outside of the region.
        RecipeError: an unknown score, or a number below 1.
    """
    for name, value in (("num_rows", num_rows), ("num_donors", num_donors), ("num_elsewhere", num_elsewhere)):
        require_count(name, value)
    where = region_of(region)
    if isinstance(where, Phrase):
        raise FeedbackError("the region is words of a text; expected a boolean array or names of features")
    model, dataset = network_of(model), as_dataset(data)
    rows = rows_of(dataset, draw_donors(len(dataset), num_rows, seed))
    donors = rows_of(dataset, draw_donors(len(dataset), num_donors, seed + 1)).x
    mask = mask_of(where, shape_of(dataset), rows.columns)
    others = elsewhere(mask, rows.columns, num_regions=num_elsewhere, seed=seed)
    task = task_of(dataset)
    target = predicted(model, rows.x, task, score, seed=seed)
    effects = region_effects(
        model, rows.x, target, torch.cat([mask[None], others]), donors, score=score, task=task, seed=seed
    ).double()
    return compared_with_others(effects[:, 0], effects[:, 1:], seed=seed)


def compared_with_others(
    effect: Float[Tensor, " row"], others: Float[Tensor, " row other"], *, seed: int = 0
) -> RegionTest:
    """The test of a region from its effect on each row and those of other regions on the same rows."""
    weights = _weights(len(effect), seed)
    effects, sizes = weights @ effect.double(), (weights @ others.double()).abs().mean(dim=1)
    low, high = percentile_interval(effects).tolist()
    ratio_low, ratio_high = percentile_interval(effects / sizes.clamp_min(NOTHING)).tolist()
    mean = effect.mean()
    at_least = int((others.mean(dim=0) >= mean).sum())
    return RegionTest(
        effect=float(mean),
        low=low,
        high=high,
        elsewhere=float(others.mean()),
        ratio=float(mean / others.mean(dim=0).abs().mean().clamp_min(NOTHING)),
        ratio_low=ratio_low,
        ratio_high=ratio_high,
        p_value=(1 + at_least) / (1 + others.shape[1]),
        num_elsewhere=others.shape[1],
    )


@lru_cache(maxsize=4)
def _weights(num_rows: int, seed: int) -> Float[Tensor, " resample row"]:
    """The share of each row in the mean of each resample."""
    counts = [index.bincount(minlength=num_rows) for index in resamples(num_rows, NUM_RESAMPLES, seed)]
    return torch.stack(counts).double() / num_rows
