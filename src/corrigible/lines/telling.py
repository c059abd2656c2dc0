"""The printed form of any record."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from corrigible.lines.of_verbs import told_of_verbs
from corrigible.lines.printing import Step
from corrigible.workflow.records import OwnRecord

if TYPE_CHECKING:
    from corrigible.workflow.records import Record
else:
    Record = Any


def told(record: Record) -> Step | Iterator[str]:
    """The record as a step of a progress bar, or as lines with rich's markup."""
    if isinstance(record, OwnRecord):
        return told_of_verbs(record)
    from corrigible.lines.of_long_work import told_of_long_work  # Loads PyTorch, as what yields such records does.

    return told_of_long_work(record)
