"""Facts about the training data that penalties and augmentations ask for by the names of their settings."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch
from torch import Tensor, nn

from corrigible.augment import AUGMENTS
from corrigible.augment.transplant import Cues, cues_of
from corrigible.batches import collate
from corrigible.data.dataset import TensorData, rows_of, strata_of, task_of
from corrigible.data.protocol import Dataset, columns_of
from corrigible.data.swapping import draw_donors, lent
from corrigible.declarations import declaration_of
from corrigible.errors import DataError, RecipeError, unknown
from corrigible.explanations.counterfactuals.schema import Schema, schema_of
from corrigible.feedback.masks import Marks, marks_of
from corrigible.methods import ConfiguredMethod, method_named, method_of, settings_of
from corrigible.models.forward import Augment
from corrigible.models.modes import like_parameters
from corrigible.objective import PenaltySettings, Term, terms_of
from corrigible.penalties import PENALTIES

FAMILIES: Mapping[str, Mapping[str, Any]] = {"penalty": PENALTIES, "augmentation": AUGMENTS}
AugmentSettings = Mapping[Any, Mapping[str, Any]]
"""name or function -> settings."""
NUM_BACKGROUND_ROWS = 256
ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Known:
    """The facts that are known when a correction begins."""

    model: nn.Module
    dataset: Dataset
    marks: Marks
    seed: int


def provided(terms: Sequence[Term], known: Known) -> tuple[Term, ...]:
    """The penalties, with settings that are facts about the data filled in where they were not given."""
    return tuple(
        replace(term, method=method)
        for term, method in zip(terms, _filled([term.method for term in terms], known), strict=True)
    )


def own_terms(
    penalties: PenaltySettings | Sequence[Term] | None, model: nn.Module, dataset: Dataset, seed: int
) -> tuple[Term, ...]:
    """The penalties of training without feedback, with facts about these rows filled in; none for None."""
    terms = terms_of({} if penalties is None else penalties)
    return provided(terms, Known(model, dataset, marks_of([], dataset), seed)) if terms else ()


def split_method(method: Mapping[Any, Any]) -> tuple[tuple[Term, ...], tuple[ConfiguredMethod, ...]]:
    """A method's penalties and its augmentations, with their settings checked.

    Raises:
        RecipeError: an unknown penalty, augmentation or setting.
    """
    if not isinstance(method, Mapping):
        raise RecipeError(f"method is {method!r}; expected {{penalty: weight}} or {{augmentation: settings}}")
    changes = {key: given for key, given in method.items() if _is_augmentation(key)}
    penalties = {key: given for key, given in method.items() if key not in changes}
    return terms_of(penalties, may_be_auto=True), changes_of(changes)


def _is_augmentation(key: Any) -> bool:
    return key in AUGMENTS or (callable(key) and declaration_of(key).kind == "augmentation")


def changes_of(augment: AugmentSettings | Sequence[ConfiguredMethod]) -> tuple[ConfiguredMethod, ...]:
    """The augmentations with their settings checked; those that already are configured methods are kept.

    Raises:
        RecipeError: an unknown change or setting.
    """
    if isinstance(augment, list | tuple) and all(isinstance(change, ConfiguredMethod) for change in augment):
        return tuple(augment)
    if not isinstance(augment, Mapping) or not all(isinstance(given, Mapping) for given in augment.values()):
        raise RecipeError(f"augment is {augment!r}; expected {{name: settings}}, such as {{'transplant': {{}}}}")
    return tuple(method_of(key, settings, AUGMENTS, "augmentation") for key, settings in augment.items())


def augments_of(changes: Sequence[ConfiguredMethod], known: Known) -> tuple[Augment, ...]:
    """The changes as the training loop calls them, with facts about the data filled in."""
    return tuple(method.filled for method in _filled(changes, known))


def _filled(methods: Sequence[ConfiguredMethod], known: Known) -> list[ConfiguredMethod]:
    found: dict[str, Any] = {}
    filled = []
    for method in methods:
        wanted = settings_of(method.function).keys() & PROVIDERS.keys() - method.settings.keys()
        for fact in wanted - found.keys():
            value = PROVIDERS[fact](known)
            found[fact] = like_parameters(value, known.model) if isinstance(value, Tensor) else value
        filled.append(method.given({fact: found[fact] for fact in sorted(wanted)}))
    return filled


def _drawn(known: Known) -> Tensor:
    return draw_donors(len(known.dataset), NUM_BACKGROUND_ROWS, known.seed)


def _background(known: Known) -> Tensor:
    """Rows drawn from the training data, (row, *input)."""
    return rows_of(known.dataset, _drawn(known)).x


def _donors(known: Known) -> Tensor:
    """What the rows of the background lend, (row, *input)."""
    rows = collate(known.dataset, _drawn(known), known.marks)
    assert rows.irrelevant is not None
    return lent(rows.x, rows.irrelevant)


def _class_means(known: Known) -> Tensor:
    """The mean input of each class, (num_classes, *input); zeros for a class without rows.

    For labels that are not classes, it is the mean of each stratum (`Task.strata`).
    """
    count, task = torch.bincount(strata_of(known.dataset)).clamp_min(1), task_of(known.dataset)
    first = rows_of(known.dataset, torch.tensor([0])).x[0]
    total = first.new_zeros(len(count), *first.shape)
    for part in _in_parts(known.dataset):
        total.index_add_(0, task.strata(part.y).to(total.device), part.x)
    return total / count.to(total).reshape(-1, *[1] * first.ndim)


def _input_range(known: Known) -> Tensor:
    """The least and the largest value of each input, (2, *input)."""
    ends = [torch.stack([part.x.amin(0), -part.x.amax(0)]) for part in _in_parts(known.dataset)]
    low, minus_high = torch.stack(ends).amin(0)
    return torch.stack([low, -minus_high])


def _schema(known: Known) -> Schema:
    """What the columns of the training data are."""
    columns = columns_of(known.dataset)
    if columns is None:
        raise DataError("the data says not which columns it has; expected a table: TensorData(x, y, columns=…)")
    return schema_of(columns, torch.cat([part.x for part in _in_parts(known.dataset)]))


def _cues(known: Known) -> Cues:
    return cues_of(known.dataset, known.marks, known.seed)


PROVIDERS: Mapping[str, Callable[[Known], Any]] = {
    "background": _background,
    "donors": _donors,
    "class_means": _class_means,
    "input_range": _input_range,
    "cues": _cues,
    "schema": _schema,
    "num_rows": lambda known: len(known.dataset),
    "num_reviewed": lambda known: len(known.marks.reviewed_rows(known.dataset)),
}


def require_writable(name: str, settings: Mapping[str, Any], *, what: str = "penalty") -> None:
    """Raises RecipeError for a setting that the method lacks, or one that is an array, which a recipe cannot hold."""
    parameters = inspect.signature(method_named(name, FAMILIES[what], what)).parameters
    takes = {p.name: p.annotation for p in parameters.values() if p.kind is p.KEYWORD_ONLY}
    arrays = {setting for setting, kind in takes.items() if setting in PROVIDERS or Tensor in get_args(kind)}
    for setting in settings.keys() - ({"weight", "gap"} if what == "penalty" else {"weight"}):
        if setting in arrays & PROVIDERS.keys():
            raise RecipeError(f"{what} {name!r}: {setting} is taken from the training data; leave it out")
        if setting in arrays:
            raise RecipeError(f"{what} {name!r}: {setting} is an array, which a recipe cannot hold; leave it out")
        if setting not in takes:
            raise RecipeError(f"{what} {name!r}: {unknown('setting', setting, takes.keys() - arrays)}")


def _in_parts(dataset: Dataset) -> Iterator[TensorData]:
    for index in torch.arange(len(dataset)).split(ROWS_AT_ONCE):
        yield rows_of(dataset, index)
