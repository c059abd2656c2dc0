"""Records as JSON, one line each."""

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from corrigible.workflow.records import Finished, Started

if TYPE_CHECKING:
    from corrigible.workflow.records import Record
else:
    Record = Any  # Asking for help loads no PyTorch.


def as_fields(record: Record) -> dict[str, Any]:
    """The record's class by name and its fields, without NaN or infinity: such a number becomes None."""
    found: dict[str, Any] = _finite({"record": type(record).__name__, **dataclasses.asdict(record)})
    return found


def fields_of(records: Iterator[Record]) -> Iterator[tuple[Record, dict[str, Any]]]:
    """Each record and its fields; while a model is trained, ``model`` among them is that model's label.

    So it can be told to which of several models a loss belongs, or a verdict.
    """
    model = ""
    for record in records:
        model = record.label if isinstance(record, Started) else model
        yield record, {**({"model": model} if model else {}), **as_fields(record)}
        model = "" if isinstance(record, Finished) else model


def as_line(fields: Mapping[str, Any]) -> str:
    """The fields of a record as one line of JSON."""
    return json.dumps(fields, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value
