"""Says where no single part of the input stands out in explanations: neither a patch, nor a feature, nor a word."""

from collections.abc import Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.explanations.features import by_feature
from corrigible.figures import percent
from corrigible.regions.candidates import NUM_CELLS, parts_of
from corrigible.types import Columns

FEW_TIMES, ALWAYS = 3, 1 / 3
"""A part stands out if it holds this many times its even share of the explanation, or this share, whatever is less."""


def none_stands_out(strongest: float, even: float, part: str) -> str:
    """The sentence that no part stands out, with what the strongest holds; empty where one does.

    Args:
        strongest: the share of the absolute attribution that the strongest part holds.
        even: the share that each part would hold if all were alike.
        part: what a part is called.
    """
    if not 0 < strongest < min(FEW_TIMES * even, ALWAYS):
        return ""
    return (
        f"No single {part} stands out: the strongest holds {percent(strongest, 0)} of the explanation; if all counted "
        f"the same, each would hold {percent(even, 0)}."
    )


def of_images(maps: Float[Tensor, " row *place"]) -> str:
    """What `none_stands_out` says of maps (row, height, width) or (row, channel, height, width), patch by patch."""
    shape = (1, *maps.shape[-2:])
    cells = parts_of(shape, None)[0].flatten()
    values = maps.double().nan_to_num(0).abs().reshape(len(maps), -1, shape[1] * shape[2]).sum(dim=1)
    sums = torch.zeros(len(maps), int(cells.max()) + 1, dtype=torch.float64).index_add(1, cells, values)
    part = f"patch, of {NUM_CELLS} × {NUM_CELLS} over the picture," if shape[1] == shape[2] else "patch of the picture"
    return none_stands_out(*_on_average(sums), part)


def of_tables(attribution: Float[Tensor, " row column"], columns: Columns) -> str:
    """What `none_stands_out` says of the rows of a table, feature by feature."""
    return none_stands_out(*_on_average(by_feature(attribution.double().nan_to_num(0), columns)), "feature")


def of_texts(attribution: Float[Tensor, " row token"], lengths: Int[Tensor, " row"]) -> str:
    """What `none_stands_out` says of texts, word by word."""
    is_word = torch.arange(attribution.shape[1]) < lengths[:, None]
    return none_stands_out(*_on_average(attribution.double().nan_to_num(0).abs() * is_word, lengths), "word")


def of_shares(shares: Iterable[float], part: str) -> str:
    """What `none_stands_out` says of the shares of all features or words over all rows."""
    found = list(shares)
    return none_stands_out(max(found), 1 / len(found), part) if found else ""


def _on_average(sums: Float[Tensor, " row part"], counts: Int[Tensor, " row"] | None = None) -> tuple[float, float]:
    """The mean share of the strongest part, and of one if all were alike, over rows that have an explanation."""
    total = sums.sum(dim=1)
    explained = total > 0
    if not bool(explained.any()):
        return 0.0, 0.0
    even = 1 / sums.shape[1] if counts is None else float((1 / counts[explained].double()).mean())
    return float((sums.amax(dim=1) / total)[explained].mean()), even
