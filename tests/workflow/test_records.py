"""What the verbs yield can be told apart."""

from dataclasses import is_dataclass
from typing import get_args

from corrigible.workflow.records import Record


def test_every_record_can_be_written_as_json_and_told_by_its_name():
    kinds = get_args(Record)
    assert all(is_dataclass(kind) for kind in kinds)
    assert len({kind.__name__ for kind in kinds}) == len(kinds)
