"""Records as JSON, one line each."""

import dataclasses
import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corrigible.workflow.records import Record
else:
    Record = Any  # Asking for help loads no PyTorch.


def as_fields(record: Record) -> dict[str, Any]:
    """The record's class by name and its fields, without NaN or infinity: such a number becomes None."""
    found: dict[str, Any] = _finite({"record": type(record).__name__, **dataclasses.asdict(record)})
    return found


def as_line(record: Record) -> str:
    """The record as one line of JSON, which has no NaN or infinity: such a number becomes null."""
    return json.dumps(as_fields(record), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value
