"""Resolve feedback to boolean masks: stored region ↔ tensor."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from corrigible.data.dataset import rows_of, shape_of, strata_of, task_of
from corrigible.data.protocol import Dataset, columns_of, names_of
from corrigible.errors import FeedbackError, unknown
from corrigible.feedback.checks import as_list, checked_all
from corrigible.feedback.phrases import as_phrases, phrase_rows
from corrigible.feedback.wording import statement
from corrigible.types import Columns, Features, Feedback, Phrase, Pixels, Polarity

POLARITIES: tuple[Polarity, ...] = get_args(Polarity)


@dataclass(frozen=True)
class Masks:
    """Where one kind of feedback applies: on every row, on the rows of a class, on single rows."""

    everywhere: Bool[Tensor, " *input"]
    by_class: Mapping[int, Bool[Tensor, " *input"]]
    by_row: Mapping[int, Bool[Tensor, " *input"]]

    def masks(self, index: Int[Tensor, " batch"], y: Int[Tensor, " batch"]) -> Bool[Tensor, " batch *input"]:
        """The mask of each of these rows."""
        found = self.everywhere.expand(len(index), *self.everywhere.shape).clone()
        for place, (row, label) in enumerate(zip(index.tolist(), y.tolist(), strict=True)):
            for mask in (self.by_class.get(label), self.by_row.get(row)):
                if mask is not None:
                    found[place] |= mask
        return found

    def at(self, *, label: int | None = None, row: int | None = None) -> Bool[Tensor, " *input"]:
        """The mask of the rules for every row, and of those for this class and for this row."""
        found = self.everywhere
        for mask in (self.by_class.get(label), self.by_row.get(row)):  # type: ignore[arg-type]
            found = found if mask is None else found | mask
        return found

    @property
    def is_empty(self) -> bool:
        """Whether nothing is marked anywhere."""
        return not any(bool(mask.any()) for mask in (self.everywhere, *self.by_class.values(), *self.by_row.values()))

    def rows(self, y: Int[Tensor, " row"]) -> Int[Tensor, " reviewed"]:
        """Positions of the rows on which anything is marked."""
        if bool(self.everywhere.any()):
            return torch.arange(len(y))
        labels = [label for label, mask in self.by_class.items() if mask.any()]
        rows = [row for row, mask in self.by_row.items() if mask.any()]
        marked = torch.isin(y.cpu(), torch.tensor(labels, dtype=y.dtype))
        marked[torch.tensor(rows, dtype=torch.long)] = True
        return marked.nonzero().flatten()


@dataclass(frozen=True)
class Marks:
    """The masks that feedback gives on a data set, by polarity."""

    irrelevant: Masks
    relevant: Masks

    def said(self, y: Int[Tensor, " row"]) -> frozenset[Polarity]:
        """The polarities that occur: whether any row has irrelevant inputs, and whether any has relevant ones."""
        return frozenset(field for field in POLARITIES if len(getattr(self, field).rows(y)))

    def reviewed_rows(self, dataset: Dataset) -> Int[Tensor, " reviewed"]:
        """Positions of the rows on which anything is marked."""
        y = strata_of(dataset)
        rows: Tensor = torch.cat([self.irrelevant.rows(y), self.relevant.rows(y)]).unique()
        return rows


def marks_of(feedback: Any, dataset: Dataset) -> Marks:
    """Resolve feedback against the data set it is about.

    Raises:
        FeedbackError: feedback that is not well formed (see `checked`), a mask of another shape than the inputs, an
            unknown feature or word, words that do not occur in the row they were marked in, a row out of range, a row
            that has changed since the feedback was given, or inputs that are said to be both irrelevant and relevant.
    """
    feedback = checked_all(as_list(feedback))
    _require_one_split(feedback)
    for said in feedback:
        _check(said, dataset)
    marks = Marks(_masks(feedback, dataset, "irrelevant"), _masks(feedback, dataset, "relevant"))
    _require_consistent(marks, feedback, dataset)
    return marks


def _require_one_split(feedback: list[Feedback]) -> None:
    """Raises FeedbackError for rows of several splits, since the rows of one data set are counted together."""
    splits = list(dict.fromkeys(said.split for said in feedback if said.row is not None))
    if len(splits) > 1:
        raise FeedbackError(
            f"feedback on rows of the splits {splits[0]!r} and {splits[1]!r}; expected one: give only the feedback on "
            "the rows of this data set"
        )


def marks_of_one(said: Feedback, dataset: Dataset) -> Masks:
    """Where a single statement, which `marks_of` accepts, applies."""
    return _masks([said], dataset, said.polarity)


def marks_to_swap(marks: Marks, y: Int[Tensor, " row"]) -> Marks:
    """The marks, with all inputs irrelevant that a prediction must not need.

    If people only said what should matter, these are all other inputs of those rows.
    """
    if len(marks.irrelevant.rows(y)):
        return marks
    rows = marks.relevant.rows(y)
    rest = ~marks.relevant.masks(rows, y[rows])
    nothing = torch.zeros_like(marks.relevant.everywhere)
    return Marks(Masks(nothing, {}, dict(zip(rows.tolist(), rest, strict=True))), marks.relevant)


def said_about(feedback: Iterable[Feedback], split: str) -> list[Feedback]:
    """The feedback about rows of this split, and all rules, including those given on a row of another split."""
    found = (said if said.split == split else as_rule(said) for said in feedback)
    return [said for said in found if said is not None]


def as_rule(said: Feedback) -> Feedback | None:
    """The feedback as a rule, without the row that it was given on; None if it is about that row only."""
    return None if said.scope == "row" else replace(said, row=None, fingerprint=None)


def fingerprint(x: Tensor) -> str:
    """Hash of one row's inputs, so that feedback on a row that has changed is noticed."""
    values = np.ascontiguousarray(x.detach().cpu().numpy().astype("<f4"))
    return hashlib.sha256(repr(values.shape).encode() + values.tobytes()).hexdigest()[:16]


def mask_of(region: Pixels | Features, shape: tuple[int, ...], columns: Columns | None) -> Bool[Tensor, " *input"]:
    """The region as a mask of the shape of one input.

    Raises:
        FeedbackError: the region does not fit the inputs.
    """
    if isinstance(region, Features):
        return _mask_of_features(region, columns)
    # A mask of words covers all numbers of their vectors.
    if len(shape) == 2 and region.mask.shape == shape[:1]:
        return torch.from_numpy(region.mask.copy())[:, None].expand(shape)
    # A mask of (height, width), or of one channel, covers all channels.
    found = region.mask[0] if len(shape) == 3 and region.mask.shape == (1, *shape[1:]) else region.mask
    if found.shape != shape[-found.ndim :] or found.ndim not in (len(shape), 2):
        plane = f", or {shape[1:]}, height and width" if len(shape) == 3 else ""
        raise FeedbackError(f"mask of shape {region.mask.shape}; expected {shape}, the shape of one input{plane}")
    return torch.from_numpy(found.copy()).expand(shape)


def _mask_of_features(region: Features, columns: Columns | None) -> Tensor:
    if columns is None:
        raise FeedbackError(
            f"feature names {region.names} for data without named features; give a boolean mask, and for texts data as "
            "corrigible.text_data gives it"
        )
    for name in region.names:
        if name not in columns.features:
            raise FeedbackError(unknown("feature", name, columns.features))
    return torch.tensor([feature in region.names for feature in columns.feature])


def _masks(feedback: list[Feedback], dataset: Dataset, polarity: Polarity) -> Masks:
    shape, columns = shape_of(dataset), columns_of(dataset)
    everywhere = torch.zeros(shape, dtype=torch.bool)
    by_class: dict[int, Tensor] = {}
    by_row: dict[int, Tensor] = {}
    for said in (phrase for one in feedback for phrase in as_phrases(one, dataset)):
        if said.polarity != polarity:
            continue
        if isinstance(said.region, Phrase):
            for row, tokens in phrase_rows(said, dataset).items():
                _mark(by_row, row, tokens[:, None].expand(shape))
            continue
        mask = mask_of(said.region, shape, columns)
        if said.scope == "dataset":
            everywhere |= mask
        elif said.scope == "class":
            assert said.label is not None
            by_class[said.label] = by_class.get(said.label, torch.zeros_like(mask)) | mask
        else:
            assert said.row is not None
            _mark(by_row, said.row, mask)
    return Masks(everywhere, by_class, by_row)


def _mark(by_row: dict[int, Tensor], row: int, mask: Tensor) -> None:
    """Add to the row's mask, which is stored only once if it is the same for all channels or all numbers of a word."""
    if row not in by_row:
        by_row[row] = mask
        return
    before = by_row[row]
    # A stride of 0 repeats the same values.
    strides = zip(before.stride(), mask.stride(), strict=True)
    one_of_each = tuple(slice(1) if first == second == 0 else slice(None) for first, second in strides)
    by_row[row] = (before[one_of_each] | mask[one_of_each]).expand_as(mask)


def _require_consistent(marks: Marks, feedback: list[Feedback], dataset: Dataset) -> None:
    """Raises FeedbackError, which names both statements, if the same input of a row is irrelevant and relevant."""
    for label, row in _places_of(marks, dataset):
        both = marks.irrelevant.at(label=label, row=row) & marks.relevant.at(label=label, row=row)
        if not bool(both.any()):
            continue
        said = {polarity: [said for said in feedback if said.polarity == polarity] for polarity in POLARITIES}
        for first, second in product(*said.values()):
            masks = (marks_of_one(one, dataset).at(label=label, row=row) for one in (first, second))
            names = names_of(dataset)
            if num_both := int((next(masks) & next(masks)).sum()):
                raise FeedbackError(
                    f"{statement(first, names)} and {statement(second, names)} contradict each other: they mark "
                    f"{num_both} of {both.numel()} inputs both irrelevant and relevant; retract or change one of them"
                )


def _places_of(marks: Marks, dataset: Dataset) -> Iterator[tuple[int | None, int | None]]:
    """Each class and row for which both polarities may mark something; None for rules that cover every one."""
    both = (marks.irrelevant, marks.relevant)
    if any(masks.is_empty for masks in both):
        return
    classes, rows = ({key for masks in both for key in getattr(masks, name)} for name in ("by_class", "by_row"))
    yield None, None
    yield from ((label, None) for label in sorted(classes))
    labels = strata_of(dataset) if classes else None
    yield from ((None if labels is None else int(labels[row]), row) for row in sorted(rows))


def _check(said: Feedback, dataset: Dataset) -> None:
    if said.scope == "dataset" and said.label is not None:
        raise FeedbackError(
            f"feedback on class {said.label} has scope 'dataset', which covers every class; say scope='class'"
        )
    if said.scope == "class" and task_of(dataset).logits is None:
        raise FeedbackError(
            f"feedback on class {said.label}; the labels of the task {task_of(dataset).name!r} are no classes: give it "
            "for single rows, or as a rule for all"
        )
    if said.row is None:
        return
    if not 0 <= said.row < len(dataset):
        raise FeedbackError(f"feedback on row {said.row}; the data set has rows 0 to {len(dataset) - 1}")
    if said.fingerprint is not None:
        found = fingerprint(rows_of(dataset, torch.tensor([said.row])).x[0])
        if found != said.fingerprint:
            raise FeedbackError(
                f"{names_of(dataset).row(said.row)} has fingerprint {found}, the feedback was given for "
                f"{said.fingerprint}: the data changed or was reordered; review the row again"
            )
