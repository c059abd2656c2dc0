"""Sets come back from a file as they were, and a file that was changed is refused."""

import json
import math
from dataclasses import replace

import pandas as pd
import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, UnsupportedModelError
from corrigible.protocols.calibrating.conformal import conformal_sets
from corrigible.protocols.calibrating.kept_sets import load_sets, save_sets

X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = X.argmax(dim=1)
FRAME = pd.DataFrame(X.numpy(), columns=list("abcd"))
MODEL = nn.Linear(4, 4)
ORDERED = TensorData(X, Y, task="ordered_classes")


@pytest.mark.parametrize(
    ("data", "outputs", "how"),
    [
        ((X, Y), 4, {}),
        ((FRAME, Y), 4, {"score": "adaptive"}),
        ((X, Y), 4, {"score": "adaptive", "alpha": 0.999}),
        (ORDERED, 3, {}),
    ],
)
def test_they_come_back_as_they_were(tmp_path, data, outputs, how):
    torch.manual_seed(0)
    model = nn.Linear(4, outputs).double()
    found = conformal_sets(model, data, **how)
    save_sets(found, tmp_path / "sets.json")
    again = load_sets(tmp_path / "sets.json", model)
    assert replace(again, task=found.task) == found
    assert str(again) == str(found)
    assert torch.equal(again.sets(X), found.sets(X))
    assert again.coverage((X, Y), num_resamples=0) == found.coverage((X, Y), num_resamples=0)
    if isinstance(data, tuple) and data[0] is FRAME:
        with pytest.raises(DataError, match="columns in another order"):
            again.sets(FRAME[list("dcba")])


def test_an_infinite_threshold_is_kept(tmp_path):
    found = replace(conformal_sets(MODEL, (X, Y)), threshold=-math.inf)
    save_sets(found, tmp_path / "sets.json")
    assert load_sets(tmp_path / "sets.json", MODEL).threshold == -math.inf


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"score": "largest"}, r"not as save_sets wrote them \(score\)"),
        ({"threshold": "0.5", "alpha": 2.0}, r"\(alpha, threshold\)"),
        ({"columns": [1]}, r"\(columns\)"),
        ({"samples": True}, r"\(samples\)"),
    ],
)
def test_a_file_that_was_changed_is_refused(tmp_path, changed, words):
    path = tmp_path / "sets.json"
    save_sets(conformal_sets(MODEL, (X, Y)), path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(DataError, match=words):
        load_sets(path, MODEL)


def test_what_is_no_file_of_sets_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot read the sets"):
        load_sets(tmp_path / "none.json", MODEL)
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(DataError, match="not as save_sets wrote them;"):
        load_sets(tmp_path / "list.json", MODEL)
    own = replace(conformal_sets(MODEL, (X, Y)), task=ORDERED.task._replace(name="mine"))
    with pytest.raises(UnsupportedModelError, match="the task is 'mine', which is code"):
        save_sets(own, tmp_path / "sets.json")
