"""Run a model on a data set and collect the observations that metrics ask for."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.batches import collate
from corrigible.data.dataset import Dataset, as_dataset, rows_of, tokens_of
from corrigible.data.swapping import draw_donors, lent, swapped
from corrigible.errors import DataError
from corrigible.explanations.explaining import explain
from corrigible.explanations.groups import TOKEN
from corrigible.explanations.inputs import num_classes_of
from corrigible.explanations.quality import (
    deletion_auc,
    insertion_auc,
    pointing_game,
    relevance_mass,
    relevance_rank,
    sparseness,
)
from corrigible.explanations.words import settings_for_texts
from corrigible.feedback.masks import Marks, marks_of
from corrigible.models.modes import PrivateRandomness, device_of, evaluating, like_parameters
from corrigible.outputs import class_logits
from corrigible.types import Batch, Feedback

OBSERVATIONS = {
    "probs": "probability of each class",
    "predicted": "the most probable class",
    "y": "the label",
    "group": "value of the sensitive attribute",
    "flipped": "share of donors whose values, in place of the irrelevant inputs, change the predicted class",
    "swapped_hits": "share of such donors whose values leave the label as the predicted class",
    "attribution_share": "share of the label's absolute attribution on irrelevant inputs; NaN without any attribution",
    "reflected_probs": "probabilities when each irrelevant input v becomes min + max − v over the data set",
    "deletion": "area under the label's probability as inputs give way to the baseline row, the most attributed first",
    "insertion": "area under the label's probability as inputs enter the baseline row, the most attributed first",
    "sparseness": "Gini index of absolute attribution; NaN without any attribution",
    "pointing": "1 where the most attributed input is relevant, else 0, a share for ties; NaN without relevant inputs",
    "relevance_mass": "share of absolute attribution on relevant inputs; NaN without either",
    "relevance_rank": "share of relevant inputs among as many most attributed ones; NaN without either",
}
"""What a metric may ask for by name: one value, or one vector of values, per row of the data set."""

ABOUT_IRRELEVANT = frozenset({"flipped", "swapped_hits", "attribution_share", "reflected_probs"})
ABOUT_RELEVANT = frozenset({"pointing", "relevance_mass", "relevance_rank"})
"""Observations that exist only where inputs are marked."""


@dataclass(frozen=True)
class Observations:
    """The observations of a model on a data set, as tensors on the CPU."""

    everywhere: Mapping[str, Tensor]
    """Observations about every row."""
    marked: Int[Tensor, " marked"]
    """Positions of the rows on which irrelevant inputs are marked."""
    on_marked: Mapping[str, Tensor]
    """Observations about the marked rows alone."""
    class_names: Sequence[str] = ()
    group_names: Sequence[str] = ()

    def of(self, needs: Collection[str]) -> dict[str, Tensor]:
        """The observations of these names, all on the same rows: the marked rows if any of them exists only there."""
        if self.on_marked.keys().isdisjoint(needs):
            return {name: self.everywhere[name] for name in needs}
        found = {name: value[self.marked] for name, value in self.everywhere.items()} | dict(self.on_marked)
        return {name: found[name] for name in needs}


def gather(
    model: nn.Module,
    data: Any,
    *,
    names: Collection[str] = tuple(OBSERVATIONS),
    feedback: Sequence[Feedback] = (),
    method: str = "input_gradient",
    explainer_settings: Mapping[str, Any] | None = None,
    num_donors: int = 50,
    batch_size: int = 256,
    seed: int = 0,
) -> Observations:
    """The observations of these names, as far as the data set and the feedback allow.

    Observations about irrelevant inputs cover only the rows on which some inputs are marked irrelevant. Observations
    about relevant inputs are NaN on rows without such marks, and absent if no row has any. Explanations are of the
    label. The model, its modes and PyTorch's random state stay as they were.

    Args:
        data: ``(x, y)``, ``(x, y, group)`` or a map-style data set.
        feedback: about the rows of this data set.
        method: the explainer for all observations about attributions.
        num_donors: rows of this data set whose values replace the irrelevant inputs for ``flipped`` and
            ``swapped_hits``.
        batch_size: rows that pass through the model at once.

    Raises:
        DataError: data that cannot be used, a label the model has no class for, probabilities that are NaN.
        FeedbackError: feedback that does not fit the data set.
        UnsupportedModelError: a model that cannot be called with one tensor, or mixes the rows of a batch.
    """
    dataset = as_dataset(data)
    marks = marks_of(feedback, dataset)
    with PrivateRandomness(seed), evaluating(model):
        num_classes_of(model, like_parameters(rows_of(dataset, torch.tensor([0])).x, model), len(dataset))
        everywhere = _on_every_row(model, dataset, batch_size)
        marked = _marked(marks, everywhere["y"], batch_size)
        rows = _Rows(model, dataset, marks, marked, batch_size)
        explained = partial(_explained, method=method, settings=explainer_settings or {}, seed=seed)
        everywhere |= _qualities(replace(rows, index=torch.arange(len(dataset))), everywhere["y"], names, explained)
        on_marked: dict[str, Tensor] = {}
        if len(marked):
            if not {"flipped", "swapped_hits"}.isdisjoint(names):
                swaps = _swaps(rows, num_donors, seed)
                on_marked |= {name: value for name, value in swaps.items() if name in names}
            if "attribution_share" in names:
                on_marked["attribution_share"] = _attribution_share(rows, explained)
            if "reflected_probs" in names:
                on_marked["reflected_probs"] = _reflected_probs(rows)
    class_names, group_names = (getattr(dataset, name, ()) for name in ("class_names", "group_names"))
    return Observations(everywhere, marked, on_marked, class_names, group_names)


@dataclass(frozen=True)
class _Rows:
    """Some rows with their marks, and the model to run on them."""

    model: nn.Module
    dataset: Dataset
    marks: Marks
    index: Tensor
    batch_size: int

    def batches(self) -> Iterator[Batch]:
        for index in self.index.split(self.batch_size):
            yield collate(self.dataset, index, self.marks).to(device_of(self.model))


def _on_every_row(model: nn.Module, dataset: Dataset, batch_size: int) -> dict[str, Tensor]:
    probs, y, group = [], [], []
    for index in torch.arange(len(dataset)).split(batch_size):
        rows = rows_of(dataset, index)
        probs.append(_probs(model, rows.x))
        y.append(rows.y.cpu())
        group += [] if rows.group is None else [rows.group.cpu()]
    found = {"probs": torch.cat(probs), "y": torch.cat(y)}
    _check(found["probs"], found["y"])
    return found | {"predicted": found["probs"].argmax(dim=1)} | ({"group": torch.cat(group)} if group else {})


def _check(probs: Tensor, y: Tensor) -> None:
    bad = probs.isnan().any(dim=1).nonzero().flatten()
    if len(bad):
        raise DataError(
            f"the model's probabilities are NaN on row {int(bad[0])} ({len(bad)} such rows); train it again"
        )
    bad = ((y < 0) | (y >= probs.shape[1])).nonzero().flatten()
    if len(bad):
        row = int(bad[0])
        raise DataError(f"row {row} has label {int(y[row])}; expected 0 to {probs.shape[1] - 1}, the model's classes")


def _marked(marks: Marks, y: Tensor, batch_size: int) -> Tensor:
    """Positions of the rows on which at least one input is irrelevant."""
    rows = marks.irrelevant.rows(y)
    return torch.cat([part[marks.irrelevant.masks(part, y[part]).flatten(1).any(1)] for part in rows.split(batch_size)])


@torch.no_grad()
def _probs(model: nn.Module, x: Tensor) -> Float[Tensor, " batch num_classes"]:
    # Float64, so that confident rows do not tie at 1; on the CPU, because not every device has it.
    return class_logits(model(like_parameters(x, model))).cpu().double().softmax(dim=1)


def _swaps(rows: _Rows, num_donors: int, seed: int) -> dict[str, Tensor]:
    """How predictions change when irrelevant inputs hold other rows' values."""
    lending = collate(rows.dataset, draw_donors(len(rows.dataset), num_donors, seed), rows.marks)
    lending = lending.to(device_of(rows.model))
    assert lending.irrelevant is not None
    donors = lent(lending.x, lending.irrelevant)
    rows_at_once = max(1, rows.batch_size // len(donors))
    flipped, hits = [], []
    for batch in rows.batches():
        assert batch.irrelevant is not None
        parts = (values.split(rows_at_once) for values in (batch.x, batch.irrelevant, batch.y.cpu()))
        for x, irrelevant, y in zip(*parts, strict=True):
            # A copy: a model that works in place would change x.
            predicted = _probs(rows.model, x.clone()).argmax(dim=1)
            after = _probs(rows.model, swapped(x, irrelevant, donors).flatten(0, 1)).argmax(dim=1).view(len(x), -1)
            flipped.append((after != predicted[:, None]).double().mean(dim=1))
            hits.append((after == y[:, None]).double().mean(dim=1))
    return {"flipped": torch.cat(flipped), "swapped_hits": torch.cat(hits)}


Explained = Callable[[_Rows, Batch], Tensor]


def _explained(rows: _Rows, batch: Batch, *, method: str, settings: Mapping[str, Any], seed: int) -> Tensor:
    """The attribution of each row's label."""
    shared: dict[str, Any] = {"columns": batch.columns, "seed": seed, "rows_at_once": rows.batch_size}
    if tokens_of(rows.dataset) is not None:
        settings = settings_for_texts(method, settings)
    return explain(rows.model, batch.x, batch.y, method=method, **shared, **settings)


def _qualities(rows: _Rows, y: Tensor, names: Collection[str], explained: Explained) -> dict[str, Tensor]:
    """The observations about explanations among these names; NaN on rows where one is undefined."""
    relevant = rows.marks.relevant.rows(y)
    asked = [name for name in _QUALITIES if name in names and (len(relevant) or name not in ABOUT_RELEVANT)]
    found = {name: torch.full((len(y),), torch.nan, dtype=torch.float64) for name in asked}
    if not asked:
        return found
    if ABOUT_RELEVANT.issuperset(asked):
        rows = replace(rows, index=relevant)
    for batch in rows.batches():
        attribution = explained(rows, batch)
        for name in asked:
            found[name][batch.index.cpu()] = _QUALITIES[name](rows, batch, attribution)
    return found


def _area(measure: Callable[..., Tensor], rows: _Rows, batch: Batch, attribution: Tensor) -> Tensor:
    groups = None if tokens_of(rows.dataset) is None else TOKEN
    shared: dict[str, Any] = {"columns": batch.columns, "rows_at_once": rows.batch_size}
    return measure(rows.model, batch.x, batch.y, attribution, groups=groups, **shared)


def _against_marks(measure: Callable[..., Tensor], rows: _Rows, batch: Batch, attribution: Tensor) -> Tensor:
    return measure(attribution, batch.relevant)


_QUALITIES: dict[str, Callable[[_Rows, Batch, Tensor], Tensor]] = {
    "deletion": partial(_area, deletion_auc),
    "insertion": partial(_area, insertion_auc),
    "sparseness": lambda rows, batch, attribution: sparseness(attribution),
    "pointing": partial(_against_marks, pointing_game),
    "relevance_mass": partial(_against_marks, relevance_mass),
    "relevance_rank": partial(_against_marks, relevance_rank),
}


def _attribution_share(rows: _Rows, explained: Explained) -> Tensor:
    found = []
    for batch in rows.batches():
        assert batch.irrelevant is not None
        size = explained(rows, batch).detach().cpu().double().abs()
        found.append((size * batch.irrelevant.cpu()).flatten(1).sum(1) / size.flatten(1).sum(1))
    return torch.cat(found)


def _reflected_probs(rows: _Rows) -> Tensor:
    ends = _low_plus_high(rows.dataset, rows.batch_size).to(device_of(rows.model))
    found = []
    for batch in rows.batches():
        assert batch.irrelevant is not None
        found.append(_probs(rows.model, torch.where(batch.irrelevant, ends - batch.x, batch.x)))
    return torch.cat(found)


def _low_plus_high(dataset: Dataset, batch_size: int) -> Tensor:
    """Smallest plus largest value of each input over the data set."""
    parts = [rows_of(dataset, index).x for index in torch.arange(len(dataset)).split(batch_size)]
    return torch.stack([x.amin(0) for x in parts]).amin(0) + torch.stack([x.amax(0) for x in parts]).amax(0)
