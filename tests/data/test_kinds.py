"""What every kind of data must do."""

import numpy as np
import pytest
import torch

from corrigible.data.kinds import KINDS


@pytest.fixture
def folder(tmp_path):
    np.savez(tmp_path / "train.npz", x=np.arange(32, dtype=np.uint8).reshape(2, 4, 4), y=[0, 1])
    (tmp_path / "train.csv").write_text("age,site,sick\n1,a,no\n3,b,yes\n")
    return tmp_path


SETTINGS = {"image": {}, "table": {"target": "sick"}, "text": {"text": "site", "label": "sick"}}


@pytest.mark.parametrize("name", KINDS)
def test_rows_can_be_loaded(name, folder):
    kind = KINDS[name]
    assert kind.name == name
    data = kind.load(folder, "train", **SETTINGS[name])
    assert data.x.dtype == torch.float32 and data.y.tolist() == [0, 1]
