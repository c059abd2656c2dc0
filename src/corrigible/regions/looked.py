"""What strategies of asking see of a data set: where the model looks in each row, how sure it is, what was said."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from corrigible.data.dataset import TensorData, as_dataset, rows_of, task_of
from corrigible.data.protocol import Dataset
from corrigible.data.swapping import draw_donors
from corrigible.data.tokens import PADDING
from corrigible.explanations.explaining import Method
from corrigible.explanations.passes import require_finite
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.networks import network_of
from corrigible.models.predictive import predictive
from corrigible.progress import counted
from corrigible.regions.clusters import ClassClusters, cluster_explanations
from corrigible.regions.maps import places_looked_at
from corrigible.types import Columns, Features, Feedback, Phrase, Region

SIDE = 28
"""Most cells along a side of an image, over whose pixels the attribution is summed."""
MOST_ROWS, ROWS_AT_ONCE = 2000, 256
"""Most rows that are looked at, drawn from the data; and how many of them at once."""
MOST_WORDS = 1000
"""Words of texts that are told apart: those with the most attribution."""


@dataclass(frozen=True)
class Looked:
    """Where a model looks in rows, and what people have said about them."""

    index: Int[Tensor, " row"]
    """Positions of the rows in the data."""
    target: Int[Tensor, " row"]
    """What is explained of each row: the predicted class."""
    shares: Float[Tensor, " row part"]
    """Each part's share of the row's absolute attribution; parts are cells of an image, features, words or places."""
    log_probs: Float[Tensor, " pass row num_classes"] | None
    """Of each pass of the model; None for tasks without classes."""
    clusters: tuple[ClassClusters, ...]
    """The clusters of the explanations of each predicted class."""
    word_parts: Int[Tensor, " word"] | None = None
    """For texts, the part of each word of the vocabulary, and -1 for a word without one."""
    ids: Int[Tensor, " row token"] | None = None
    """For texts, the words of the rows."""
    words: tuple[str, ...] = ()
    columns: Columns | None = None
    """For tables, whose parts are the features."""
    shape: tuple[int, ...] = ()
    """Of one row's places: (height, width), or (place,)."""
    rejected: Float[Tensor, " region part"] | None = None
    """How much of each part was said not to matter, by region; None where nothing was."""
    done: Bool[Tensor, " row"] | None = None
    """Rows that somebody has answered about; None where nobody has."""
    seed: int = 0

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def is_open(self) -> Bool[Tensor, " row"]:
        """True for rows that nobody has answered about yet."""
        return torch.ones(len(self), dtype=torch.bool) if self.done is None else ~self.done

    @property
    def num_done(self) -> int:
        return int((~self.is_open).sum())

    def after(self, feedback: Iterable[Feedback], answered: Iterable[int] = ()) -> "Looked":
        """The same rows, after this was said and these rows of the data were answered about.

        What a rule about every row, or about the class that is predicted, says already is not looked at any more.
        """
        said = [one for one in feedback if one.polarity == "irrelevant"]
        places = {row: place for place, row in enumerate(self.index.tolist())}
        asked = {*answered, *(one.row for one in said if one.row is not None)}
        done = torch.zeros(len(self), dtype=torch.bool)
        done[[places[row] for row in asked if row in places]] = True
        regions = [self._region(one, places.get(one.row)) for one in said if one.scope == "row"]
        found = [region for region in regions if region is not None]
        return replace(
            self,
            shares=self._without([one for one in said if one.scope != "row"]),
            rejected=torch.stack(found) if found else None,
            done=done,
        )

    def _without(self, rules: list[Feedback]) -> Float[Tensor, " row part"]:
        shares = self.shares.clone()
        for rule in rules:
            region = self._region(rule, None)
            about = self.target == rule.label if rule.scope == "class" else torch.ones(len(self), dtype=torch.bool)
            if region is not None:
                shares[about] *= 1 - region
        return shares

    def _region(self, said: Feedback, place: int | None) -> Float[Tensor, " part"] | None:
        """How much of each part the region covers, from 0 to 1; None if it covers no part."""
        region, found = said.region, torch.zeros(self.shares.shape[1])
        if self.columns is not None:
            found[[number for number, name in enumerate(self.columns.features) if name in self._named(region)]] = 1
        elif isinstance(region, Phrase):
            known = {word: number for number, word in enumerate(self.words)}
            self._mark_words(found, [known[word] for word in region.words if word in known])
        elif self.ids is not None:
            marked = _places(region.mask, self.shape)
            self._mark_words(found, [] if place is None else self.ids[place][marked].tolist())
        else:
            found = parts_of_places(_places(region.mask, self.shape).float()[None], mean=True)[0]
        return found if bool(found.any()) else None

    def _named(self, region: Region) -> tuple[str, ...]:
        """The features of a table that the region covers, at least in part."""
        if isinstance(region, Features):
            return region.names
        assert self.columns is not None and not isinstance(region, Phrase)
        return tuple(name for name, marked in zip(self.columns.feature, region.mask.tolist(), strict=True) if marked)

    def _mark_words(self, found: Tensor, numbers: list[int]) -> None:
        assert self.word_parts is not None
        parts = [int(self.word_parts[number]) for number in numbers if number != PADDING]
        found[[part for part in parts if part >= 0]] = 1


def _places(mask: Shaped[np.ndarray, " ..."], shape: tuple[int, ...]) -> Bool[Tensor, " *place"]:
    """The mask of one input as one of its places: a pixel or word is marked if any of its numbers is."""
    found = torch.from_numpy(np.array(mask, dtype=bool))  # A copy: stored masks cannot be written to.
    if tuple(found.shape) == shape:
        return found
    return found.any(dim=0) if len(shape) == 2 else found.any(dim=-1)


def looked_at(
    model: nn.Module,
    data: Any,
    *,
    method: Method | None = None,
    num_rows: int = MOST_ROWS,
    samples: int | None = None,
    seed: int = 0,
) -> Looked:
    """Where the model looks in rows drawn from the data, all if there are fewer than ``num_rows``.

    Args:
        data: (x, y), or a map-style data set of them.
        method: as `places_looked_at`.
        samples: how many networks are drawn of one with a distribution over its weights, or with dropout; strategies
            that ask where passes disagree need several.

    Raises:
        RecipeError: an unknown method.
        UnsupportedModelError: samples of a model that draws nothing.
    """
    dataset, model = as_dataset(data), network_of(model)
    index = draw_donors(len(dataset), num_rows, seed).sort().values
    found = [
        _part(model, rows_of(dataset, part), method, samples, seed)
        for part in counted("rows looked at: part", list(index.split(ROWS_AT_ONCE)))
    ]
    target, places = torch.cat([part[0] for part in found]), torch.cat([part[1] for part in found])
    of_passes = [log_probs for _, _, log_probs in found if log_probs is not None]
    log_probs = torch.cat(of_passes, dim=1) if of_passes else None
    about = _about(dataset, index, places)
    shares = places if places.ndim == 2 else places.flatten(1)
    if "word_parts" in about:
        shares = about.pop("shares")
    total = shares.sum(dim=1, keepdim=True)
    shares = shares / total.clamp_min(torch.finfo(shares.dtype).tiny)
    clusters = cluster_explanations(shares, target, seed=seed)
    return Looked(index, target, shares, log_probs, clusters, **about, seed=seed)


def _part(
    model: nn.Module, rows: TensorData, method: Method | None, samples: int | None, seed: int
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The target, the attribution of places or cells, and the log-probabilities of some rows."""
    task = task_of(rows)
    target, places, _ = places_looked_at(model, rows, method=method, seed=seed)
    parts = parts_of_places(places.float(), mean=False) if places.ndim == 3 else places.float()
    require_finite(parts, "attribution")
    if task.logits is None:
        return target, parts, None
    with evaluating(model), torch.no_grad():
        passes = predictive(model, like_parameters(rows.x, model), task=task, samples=samples, seed=seed).passes
        logits = torch.stack([task.logits(outputs) for outputs in passes])
    return target, parts, logits.log_softmax(dim=-1).cpu()


def parts_of_places(values: Float[Tensor, " row *place"], *, mean: bool) -> Float[Tensor, " row part"]:
    """The sum, or mean, over the pixels of each cell of an image, at most 28 × 28; other places as they are."""
    if values.ndim != 3:
        return values
    cells = (min(SIDE, values.shape[1]), min(SIDE, values.shape[2]))
    pooled = adaptive_avg_pool2d(values[:, None], cells).flatten(1)
    return pooled if mean else pooled * (values[0].numel() / pooled.shape[1])


def _about(dataset: Dataset, index: Tensor, places: Float[Tensor, " row *place"]) -> dict[str, Any]:
    """What the parts are."""
    first = rows_of(dataset, index[:1])
    if first.tokens is not None:
        return _words(rows_of(dataset, index), places)
    if first.columns is not None:
        return {"columns": first.columns, "shape": (len(first.columns.features),)}
    shape = tuple(first.x.shape[2:]) if first.x.ndim == 4 else tuple(first.x.shape[1:2])
    return {"shape": shape}


def _words(rows: TensorData, places: Float[Tensor, " row token"]) -> dict[str, Any]:
    """The attribution of the same word anywhere in a row as one part."""
    assert rows.tokens is not None
    ids = rows.tokens.ids.cpu()
    places, numbers = places.where(ids != PADDING, 0), ids.clamp_min(0)
    totals = torch.zeros(len(rows.tokens.words)).index_add(0, numbers.flatten(), places.flatten())
    chosen = totals.argsort(descending=True, stable=True)[:MOST_WORDS]
    parts = torch.full_like(totals, -1, dtype=torch.long)
    parts[chosen] = torch.arange(len(chosen))
    of_place = parts[numbers].where(parts[numbers] >= 0, len(chosen))
    shares = torch.zeros(len(ids), len(chosen) + 1).scatter_add(1, of_place, places)
    about = {"word_parts": parts, "ids": ids, "words": rows.tokens.words, "shape": tuple(ids.shape[1:])}
    return {"shares": shares, **about}
