"""What a penalty asks for about the training data beyond its batch, by the names of its settings."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor, nn

from corrigible.batches import collate
from corrigible.data.dataset import Dataset, TensorData, all_labels, rows_of
from corrigible.data.swapping import draw_donors, lent
from corrigible.errors import RecipeError, unknown
from corrigible.feedback.masks import Marks
from corrigible.methods import method_named, settings_of
from corrigible.models.modes import like_parameters
from corrigible.penalties import PENALTIES

NUM_BACKGROUND_ROWS = 256
ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Known:
    """What is known when a correction begins."""

    model: nn.Module
    dataset: Dataset
    marks: Marks
    seed: int


def provided(
    penalties: Mapping[str, Mapping[str, Any]], model: nn.Module, dataset: Dataset, marks: Marks, seed: int
) -> dict[str, dict[str, Any]]:
    """The penalties' settings with those filled in that are facts about the data and were not given."""
    known = Known(model, dataset, marks, seed)
    found: dict[str, Tensor] = {}
    filled = {}
    for name, settings in penalties.items():
        wanted = settings_of(method_named(name, PENALTIES, "penalty")).keys() & PROVIDERS.keys() - settings.keys()
        for fact in wanted - found.keys():
            found[fact] = like_parameters(PROVIDERS[fact](known), model)
        filled[name] = {**settings, **{fact: found[fact] for fact in sorted(wanted)}}
    return filled


def _drawn(known: Known) -> Tensor:
    return draw_donors(len(known.dataset), NUM_BACKGROUND_ROWS, known.seed)


def _background(known: Known) -> Tensor:
    """Rows drawn from the training data, (row, *input)."""
    return rows_of(known.dataset, _drawn(known)).x


def _donors(known: Known) -> Tensor:
    """What those rows have to lend, (row, *input)."""
    rows = collate(known.dataset, _drawn(known), known.marks)
    assert rows.irrelevant is not None
    return lent(rows.x, rows.irrelevant)


def _class_means(known: Known) -> Tensor:
    """The mean input of each class, (num_classes, *input); zeros for a class without rows."""
    count = torch.bincount(all_labels(known.dataset)).clamp_min(1)
    first = rows_of(known.dataset, torch.tensor([0])).x[0]
    total = first.new_zeros(len(count), *first.shape)
    for part in _in_parts(known.dataset):
        total.index_add_(0, part.y.to(total.device), part.x)
    return total / count.to(total).reshape(-1, *[1] * first.ndim)


def _input_range(known: Known) -> Tensor:
    """The least and the largest value of each input, (2, *input)."""
    ends = [torch.stack([part.x.amin(0), -part.x.amax(0)]) for part in _in_parts(known.dataset)]
    low, minus_high = torch.stack(ends).amin(0)
    return torch.stack([low, -minus_high])


PROVIDERS: Mapping[str, Callable[[Known], Tensor]] = {
    "background": _background,
    "donors": _donors,
    "class_means": _class_means,
    "input_range": _input_range,
}


def require_writable(name: str, settings: Mapping[str, Any]) -> None:
    """Raises RecipeError for a setting that the penalty lacks, or that is an array, which no recipe can hold."""
    parameters = inspect.signature(method_named(name, PENALTIES, "penalty")).parameters
    takes = {p.name: p.annotation for p in parameters.values() if p.kind is p.KEYWORD_ONLY}
    arrays = {setting for setting, kind in takes.items() if setting in PROVIDERS or Tensor in get_args(kind)}
    for setting in settings.keys() - {"weight"}:
        if setting in arrays & PROVIDERS.keys():
            raise RecipeError(f"penalty {name!r}: {setting} is taken from the training data; leave it out")
        if setting in arrays:
            raise RecipeError(f"penalty {name!r}: {setting} is an array, which a recipe cannot hold; leave it out")
        if setting not in takes:
            raise RecipeError(f"penalty {name!r}: {unknown('setting', setting, takes.keys() - arrays)}")


def _in_parts(dataset: Dataset) -> Iterator[TensorData]:
    for index in torch.arange(len(dataset)).split(ROWS_AT_ONCE):
        yield rows_of(dataset, index)
