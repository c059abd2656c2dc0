"""Reading tables: test rows are encoded as the training rows say."""

import pytest
import torch

from corrigible.data.table import encode
from corrigible.data.tablefile import folder_encoder, load_table, read_csv
from corrigible.errors import DataError

TRAIN = "age,site,sick\n1,a,no\n3,b,yes\n"


def test_the_test_split_is_encoded_by_the_training_split(tmp_path):
    (tmp_path / "train.csv").write_text(TRAIN)
    (tmp_path / "test.csv").write_text("sick,site,age\nyes,c,4\n")
    data = load_table(tmp_path, "test", target="sick")
    assert data.x.tolist() == [[2.0, 0.0, 0.0]] and data.y.tolist() == [1]
    encoder = folder_encoder(tmp_path, target="sick")
    assert torch.equal(encode(read_csv(tmp_path / "test.csv"), encoder).x, data.x)


def test_settings_reach_the_encoder(tmp_path):
    (tmp_path / "train.csv").write_text(TRAIN)
    data = load_table(tmp_path, "train", target="sick", group="site", drop=["site"])
    assert data.columns is not None and data.columns.names == ("age",)
    assert data.group is not None and data.group.tolist() == [0, 1] and data.group_names == ("a", "b")


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n1,2\n3,4,5\n", b"a,b\n1,2,3\n4,5,6\n", b"a,b\n0,2,3\n1,5,6\n", b'a,b\n1,"2\n', b"a,b\n\xff\xfe,1\n"],
)
def test_what_is_no_table_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "train.csv").write_bytes(content)
    with pytest.raises(DataError, match="train.csv cannot be read") as caught:
        load_table(tmp_path, "train", target="b")
    assert "\n" not in str(caught.value)


def test_a_table_of_names_only_has_no_rows(tmp_path):
    (tmp_path / "train.csv").write_text("a,b\n")
    with pytest.raises(DataError, match="no rows"):
        load_table(tmp_path, "train", target="b")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no file .*train.csv"):
        load_table(tmp_path, "train", target="b")
