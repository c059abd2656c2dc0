"""What a penalty or augmentation asks for about the training data beyond its batch, by the names of its settings."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor, nn

from corrigible.augment import AUGMENTS
from corrigible.augment.transplant import Cues, cues_of
from corrigible.batches import collate
from corrigible.data.dataset import Dataset, TensorData, all_labels, rows_of
from corrigible.data.swapping import draw_donors, lent
from corrigible.errors import RecipeError, unknown
from corrigible.feedback.masks import Marks
from corrigible.methods import method_named, settings_of, with_settings
from corrigible.models.forward import Augment
from corrigible.models.modes import like_parameters
from corrigible.objective import as_settings
from corrigible.penalties import PENALTIES

FAMILIES: Mapping[str, Mapping[str, Any]] = {"penalty": PENALTIES, "augmentation": AUGMENTS}
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
    return _filled(penalties, PENALTIES, "penalty", Known(model, dataset, marks, seed))


def split_method(method: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """A method's penalties with their settings, and its augmentations with theirs."""
    penalties = {name: given for name, given in method.items() if name not in AUGMENTS}
    return as_settings(penalties), {name: dict(given) for name, given in method.items() if name in AUGMENTS}


def augments_of(augment: Mapping[str, Mapping[str, Any]], known: Known) -> tuple[Augment, ...]:
    """The changes of label batches by name, with facts about the data filled in.

    Raises:
        RecipeError: an unknown change or setting.
    """
    filled = _filled(augment, AUGMENTS, "augmentation", known)
    return tuple(
        with_settings(method_named(name, AUGMENTS, "augmentation"), settings, f"augmentation {name!r}")
        for name, settings in filled.items()
    )


def _filled(
    methods: Mapping[str, Mapping[str, Any]], family: Mapping[str, Any], what: str, known: Known
) -> dict[str, dict[str, Any]]:
    found: dict[str, Any] = {}
    filled = {}
    for name, settings in methods.items():
        wanted = settings_of(method_named(name, family, what)).keys() & PROVIDERS.keys() - settings.keys()
        for fact in wanted - found.keys():
            value = PROVIDERS[fact](known)
            found[fact] = like_parameters(value, known.model) if isinstance(value, Tensor) else value
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


def _cues(known: Known) -> Cues:
    return cues_of(known.dataset, known.marks, known.seed)


PROVIDERS: Mapping[str, Callable[[Known], Any]] = {
    "background": _background,
    "donors": _donors,
    "class_means": _class_means,
    "input_range": _input_range,
    "cues": _cues,
}


def require_writable(name: str, settings: Mapping[str, Any], *, what: str = "penalty") -> None:
    """Raises RecipeError for a setting that the method lacks, or that is an array, which no recipe can hold."""
    parameters = inspect.signature(method_named(name, FAMILIES[what], what)).parameters
    takes = {p.name: p.annotation for p in parameters.values() if p.kind is p.KEYWORD_ONLY}
    arrays = {setting for setting, kind in takes.items() if setting in PROVIDERS or Tensor in get_args(kind)}
    for setting in settings.keys() - {"weight"}:
        if setting in arrays & PROVIDERS.keys():
            raise RecipeError(f"{what} {name!r}: {setting} is taken from the training data; leave it out")
        if setting in arrays:
            raise RecipeError(f"{what} {name!r}: {setting} is an array, which a recipe cannot hold; leave it out")
        if setting not in takes:
            raise RecipeError(f"{what} {name!r}: {unknown('setting', setting, takes.keys() - arrays)}")


def _in_parts(dataset: Dataset) -> Iterator[TensorData]:
    for index in torch.arange(len(dataset)).split(ROWS_AT_ONCE):
        yield rows_of(dataset, index)
