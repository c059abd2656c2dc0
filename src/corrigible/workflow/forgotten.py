"""Which training rows a study has forgotten, so that no later run learns from them."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from corrigible.data.dataset import Labelled, TensorData, rows_of
from corrigible.data.naming import rows_named
from corrigible.data.protocol import Dataset, class_names_of, columns_of, extra_of, tokens_of, weights_of
from corrigible.data.tokens import Tokens
from corrigible.errors import DataError
from corrigible.printable import plural
from corrigible.recipe import load_data
from corrigible.run_records import FORGET
from corrigible.study import Study
from corrigible.types import Columns, Feedback
from corrigible.workflow.row_hashes import input_hash, row_hashes

log = logging.getLogger(__name__)


class Training(NamedTuple):
    """The training rows that runs learn from, and which of them are others in the place of forgotten rows."""

    rows: Dataset
    forgotten: Int[Tensor, " forgotten"]

    def about_kept(self, feedback: list[Feedback]) -> list[Feedback]:
        """The feedback about training rows or all rows, without that on forgotten rows."""
        gone = set(self.forgotten.tolist())
        left = [said for said in feedback if said.scope != "row" or said.row not in gone]
        if len(left) < len(feedback):
            log.info(f"feedback on forgotten rows is left out: {plural(len(feedback) - len(left), 'remark')}")
        return left


def training(study: Study, *, without: str = "") -> Training:
    """The training rows; the place of each row that was forgotten is taken by a row that is kept.

    So rows keep the numbers by which people name them. Which row stands where is drawn, always alike.

    Args:
        without: a run that is taken as if it had forgotten nothing.

    Raises:
        DataError: as `load_data`, or every row was forgotten.
    """
    data = load_data(study.recipe, study.folder, "train")
    index = forgotten_in(study, data, without=without)
    return Training(data if len(index) == 0 else with_others_in_place(data, index), index)


def forgotten_in(study: Study, data: Dataset, *, without: str = "") -> Int[Tensor, " forgotten"]:
    """The positions of the forgotten rows among these; a log record says of how many there is none any more."""
    kept = [run.record["forgotten"] for run in study.runs() if run.verb == FORGET and run.name != without]
    found, lost, total = set[int](), 0, 0
    for columns in {tuple(record.get("columns", ())) for record in kept}:
        these = [record for record in kept if tuple(record.get("columns", ())) == columns]
        said = {place for record in these for place in zip(record["rows"], _hashes(record), strict=True)}
        total += len(said)
        # Inputs may be read from a file each, so not all of them are hashed where nothing has moved.
        if not columns and all(row < len(data) and input_hash(data, row) == one for row, one in said):
            found |= {row for row, _ in said}
            continue
        places, missing = _placed(row_hashes(study, data, columns) or [], said)
        found |= places
        lost += missing
    taken_out = max((record.get("of", 0) for record in kept), default=0) - len(data)
    if 0 < lost <= taken_out:
        log.info(f"{plural(lost, 'forgotten row')} of {total} are no longer among the training rows")
    elif lost:
        log.warning(
            f"{plural(lost, 'forgotten row')} of {total} cannot be found among the training rows: if "
            "they were changed, or are read in another way, they are learned from again; take them out of the data"
        )
    return torch.tensor(sorted(found), dtype=torch.long)


def _hashes(record: Mapping[str, Any]) -> list[str]:
    """Those by which a run's forgotten rows are found; early runs hold hashes of encoded inputs only."""
    return record["hashes"] if "hashes" in record else record["fingerprints"]  # type: ignore[no-any-return]


def _placed(hashes: Sequence[str], said: Set[tuple[int, str]]) -> tuple[set[int], int]:
    """Where rows of these hashes are, first those that did not move, and how many are nowhere.

    Rows may be equal. At most as many of them are taken as were forgotten.
    """
    standing = {(row, one) for row, one in said if row < len(hashes) and hashes[row] == one}
    found, left = {row for row, _ in standing}, Counter(one for _, one in said - standing)
    for row, one in enumerate(hashes):
        if left[one] > 0 and row not in found:
            found.add(row)
            left[one] -= 1
    return found, left.total()


def with_others_in_place(data: Dataset, index: Int[Tensor, " forgotten"]) -> Dataset:
    """The data set with kept rows, drawn at random, in the place of these rows.

    Raises:
        DataError: no row is kept.
    """
    is_kept = torch.ones(len(data), dtype=torch.bool).index_fill(0, index, False)
    kept = is_kept.nonzero()[:, 0]
    if len(kept) == 0:
        raise DataError(f"every training row was forgotten ({rows_named(index.tolist(), (), most=3)}); add other rows")
    drawn = torch.randint(len(kept), (len(index),), generator=torch.Generator().manual_seed(0))
    places = torch.arange(len(data)).index_copy(0, index, kept[drawn])
    if isinstance(data, TensorData):
        found = rows_of(data, places)
        return replace(found, class_names=data.class_names, group_names=data.group_names)
    assert isinstance(data, Labelled)  # Which `load_data` gives.
    moved = {name: values[places.to(values.device)] for name, values in data.moved.items()}
    return replace(data, rows=_Rearranged(data.rows, places), y=data.y[places], moved=moved)


@dataclass(frozen=True)
class _Rearranged:
    """A data set whose rows are taken from these places of another one."""

    rows: Dataset
    places: Int[Tensor, " row"]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        return self.rows[int(self.places[row])]

    @property
    def columns(self) -> Columns | None:
        return columns_of(self.rows)

    @property
    def tokens(self) -> Tokens | None:
        found = tokens_of(self.rows)
        return None if found is None else found.of(self.places)

    @property
    def weight(self) -> Tensor | None:
        found = weights_of(self.rows)
        return None if found is None else found[self.places.to(found.device)]

    @property
    def extra(self) -> Mapping[str, Tensor]:
        return {name: values[self.places.to(values.device)] for name, values in extra_of(self.rows).items()}

    @property
    def class_names(self) -> tuple[str, ...]:
        return class_names_of(self.rows)

    @property
    def files(self) -> tuple[str, ...]:
        """Those of the places, by which people name rows; not of what stands there."""
        return tuple(getattr(self.rows, "files", ()))

    @property
    def group_names(self) -> tuple[str, ...]:
        return tuple(getattr(self.rows, "group_names", ()))
