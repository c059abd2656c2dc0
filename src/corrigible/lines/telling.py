"""The printed form of what a verb yields, record by record; measurements are put together into one table."""

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from corrigible.lines.of_verbs import told_of_verbs
from corrigible.lines.printing import Step
from corrigible.workflow.records import Ahead, Measured, MethodCompared, OwnRecord

if TYPE_CHECKING:
    from corrigible.workflow.records import Record
else:
    Record = Any


def told(records: Iterator[Record]) -> Iterator[Step | Ahead | str]:
    """Steps of a stage, the work that lies ahead, and lines with rich's markup."""
    for kind, some in groupby(records, key=type):
        if issubclass(kind, Measured | MethodCompared):
            yield from _table(list(some))
            continue
        for record in some:
            if isinstance(record, Ahead):
                yield record
            found = _told(record)
            if isinstance(found, Step):
                yield found
            else:
                yield from found


def _told(record: Record) -> Step | Iterator[str]:
    if isinstance(record, OwnRecord):
        return told_of_verbs(record)
    from corrigible.lines.of_long_work import told_of_long_work  # Loads PyTorch, as what yields such records does.

    return told_of_long_work(record)


def _table(records: list[Any]) -> Iterator[str]:
    from corrigible.lines.tables import methods_table, models_table  # As above.

    return models_table(records) if isinstance(records[0], Measured) else methods_table(records)
