"""What every kind of data must do, and that the kinds listed can be loaded, blanked and drawn."""

import numpy as np
import pytest
import torch

from corrigible.data.kinds import KINDS


@pytest.fixture
def folder(tmp_path):
    np.savez(tmp_path / "train.npz", x=np.arange(32, dtype=np.uint8).reshape(2, 4, 4), y=[0, 1])
    (tmp_path / "train.csv").write_text("age,site,sick\n1,a,no\n3,b,yes\n")
    return tmp_path


SETTINGS = {"image": {}, "table": {"target": "sick"}}


@pytest.mark.parametrize("name", KINDS)
def test_rows_can_be_loaded_blanked_and_drawn(name, folder):
    kind = KINDS[name]
    assert kind.name == name
    data = kind.load(folder, "train", **SETTINGS[name])
    assert data.x.dtype == torch.float32 and data.y.tolist() == [0, 1]
    blank = kind.neutral(data.x)
    assert blank.shape == data.x.shape and not blank.any() and data.x.any()
    for attribution in (None, torch.ones_like(data.x[0])):
        html = kind.draw(data.x[0], attribution, data.columns)
        assert html.startswith("<") and html.endswith(">") and "http" not in html
    assert kind.draw(data.x[0], torch.ones_like(data.x[0]), data.columns, scale=3.0)


def test_nothing_there_is_the_average_row_of_a_complete_table(folder):
    kind = KINDS["table"]
    data = kind.load(folder, "train", target="sick")
    torch.testing.assert_close(data.x[:, :1].mean(dim=0), kind.neutral(data.x)[0, :1])
