"""What an audit of a study suggests next, and the attributes that it is asked about."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from corrigible.auditing.audited import Audit
from corrigible.auditing.leaks import Leak
from corrigible.auditing.reliance import Moved
from corrigible.data.dataset import TensorData
from corrigible.errors import RecipeError
from corrigible.types import Measurements
from corrigible.workflow.after_audit import after_audit
from corrigible.workflow.audited_attributes import attributes_of


def audit(*, leaks=(), moves=0.0):
    moved = Moved("sex", moves, moves, moves, moves, 0, "f", "m", 0.0, moves, 5)
    found = tuple(Leak(name, 0.9, 0.1) for name in leaks)
    return Audit("", "", True, (), 1.0, Measurements(), leaks=found, reliance=(moved,))


@pytest.mark.parametrize(
    ("found", "marked", "is_corrected", "expected"),
    [
        (audit(leaks=["letters"], moves=0.2), (), False, "feedback add motor --feature letters"),
        (audit(moves=0.2), (), False, "feedback add motor --feature sex"),
        (audit(moves=0.003), (), True, "report motor"),
        (audit(leaks=["letters"], moves=0.2), ("letters",), True, "feedback add motor --feature sex"),
        (audit(leaks=["letters"]), ("letters",), False, "correct motor"),
        (audit(leaks=["letters"], moves=0.003), ("letters", "sex"), True, "report motor"),
        (audit(moves=0.2), ("sex",), True, "correct motor"),
    ],
)
def test_the_leak_comes_first_and_what_is_marked_and_no_longer_counts_not_at_all(found, marked, is_corrected, expected):
    (step,) = after_audit(found, Path("motor"), frozenset(marked), is_corrected=is_corrected)
    assert step.startswith(f"corrigible {expected}  #")


def test_several_attributes_are_asked_about_each_by_itself():
    sex, race = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1])
    names = ("f, black", "f, white", "m, black", "m, white")
    beside = {"sex": sex, "race": race, "age": torch.tensor([30.0, 40.0, 50.0])}
    data = TensorData(torch.zeros(3, 1), sex, 2 * sex + race, group_names=names, extra=beside)
    frame = pd.DataFrame({"sex": ["f", "f", "m"], "km": np.arange(3.0)})
    found = attributes_of(data, frame, ["km", "sex"], ["sex", "race", "age"])
    assert {name: column.tolist() for name, column in found.items()} == {
        "sex": ["f", "f", "m"],
        "race": ["black", "white", "white"],
        "age": [30.0, 40.0, 50.0],
        "km": [0.0, 1.0, 2.0],
    }
    assert attributes_of(data, frame, [], "people")["people"].tolist() == ["f, black", "f, white", "m, white"]
    with pytest.raises(RecipeError, match="no column 'town'"):
        attributes_of(data, frame, ["town"], ["sex"])
