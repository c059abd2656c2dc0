"""Features of tables, and words and phrases of texts, on which a prediction rests."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.data.dataset import TensorData
from corrigible.data.protocol import Dataset, tokens_of
from corrigible.data.tokens import PADDING
from corrigible.data.vocabulary import UNKNOWN
from corrigible.regions.maps import kept
from corrigible.regions.words import words_that_follow
from corrigible.types import Features, Phrase, Pixels, Region

Found = list[tuple[Region, float, float, float | None]]
"""Regions with their shares of attribution and of area, and their effects where these were measured."""


def proposed_places(
    dataset: Dataset, rows: TensorData, values: Float[Tensor, " row place"], share: float
) -> list[Found]:
    """For each row the features, phrases, words or places that hold this share of its attribution, the largest first.

    Words that nearly always stand side by side in the data are one phrase.
    """
    if rows.tokens is not None:
        values = values.where(rows.tokens.ids.cpu() != PADDING, 0)
    is_held = torch.stack([kept(of_row, share) for of_row in values]) > 0
    follows = _follows(dataset, rows, is_held)
    found: list[Found] = []
    for row, of_row in enumerate(values):
        count, total = len(of_row) if rows.tokens is None else len(rows.tokens.row(row)), float(of_row.sum())
        places: dict[Region, list[int]] = {}
        for numbers in _side_by_side(rows, row, is_held[row].nonzero().flatten().tolist(), follows):
            places.setdefault(_region(rows, row, numbers), []).extend(numbers)
        parts = {region: float(of_row[numbers].sum()) / total for region, numbers in places.items()}
        ranked = sorted(parts, key=parts.__getitem__, reverse=True)
        found.append([(region, parts[region], len(places[region]) / count, None) for region in ranked])
    return found


def _follows(dataset: Dataset, rows: TensorData, is_held: Bool[Tensor, " row place"]) -> Mapping[int, int]:
    """Which word follows which in a phrase, of the words that may be proposed; nothing for other data."""
    tokens = tokens_of(dataset)
    if tokens is None or rows.tokens is None:
        return {}
    ids = rows.tokens.ids.cpu()
    looked = ids[is_held & (ids != PADDING)].unique()
    unknown = [number for number in looked.tolist() if tokens.words[number] == UNKNOWN]
    return words_that_follow(looked[~torch.isin(looked, torch.tensor(unknown))], tokens.ids.cpu())


def _side_by_side(rows: TensorData, row: int, places: list[int], follows: Mapping[int, int]) -> list[list[int]]:
    """The places, with those of one phrase together."""
    if rows.tokens is None:
        return [[place] for place in places]
    ids = rows.tokens.ids[row].tolist()
    found: list[list[int]] = []
    for place in places:
        if found and found[-1][-1] == place - 1 and follows.get(ids[place - 1]) == ids[place]:
            found[-1].append(place)
        else:
            found.append([place])
    return found


def _region(rows: TensorData, row: int, numbers: list[int]) -> Region:
    if rows.columns is not None:
        return Features((rows.columns.features[numbers[0]],))
    words = [UNKNOWN] if rows.tokens is None else [rows.tokens.row(row)[number] for number in numbers]
    if UNKNOWN not in words:
        return Phrase(tuple(words))
    mask: Bool[np.ndarray, " place"] = np.zeros(rows.x.shape[1], dtype=bool)
    mask[numbers] = True
    return Pixels(mask)
