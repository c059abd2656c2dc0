"""Tables with several columns of groups."""

import pandas as pd
import pytest
import torch

from corrigible.data.table import encode, encoder_of
from corrigible.data.table_encoder import from_json, to_json
from corrigible.data.tablefile import load_table
from corrigible.errors import DataError

TABLE = pd.DataFrame(
    {
        "race": ["b", "w", "w", "b"] * 6,
        "sex": ["f", "f", "m", "m"] * 6,
        "age": range(20, 44),
        "dose": [0.5, 1.5, 2.5, 3.0] * 6,
        "label": ["no", "yes", "yes", "no"] * 6,
    }
)
GROUPS = ["race", "sex", "age"]


def test_several_columns_form_groups_and_stand_each_by_itself(tmp_path):
    encoder = encoder_of(TABLE, target="label", group=GROUPS, drop=GROUPS)
    assert from_json(to_json(encoder)) == encoder
    data = encode(TABLE, encoder)
    assert data.group_names == ("b, f", "b, m", "w, f", "w, m")
    assert data.group[:4].tolist() == [0, 2, 3, 1]
    assert data.extra["race"][:4].tolist() == [0, 1, 1, 0] and data.extra["sex"][:4].tolist() == [0, 0, 1, 1]
    assert torch.equal(data.extra["age"], torch.arange(20.0, 44))
    assert data.columns.features == ("dose",)
    TABLE.to_csv(tmp_path / "train.csv", index=False)
    for _ in range(2):  # The second time the reading that was kept is used.
        loaded = load_table(tmp_path, "train", target="label", group=GROUPS, drop=GROUPS)
        assert torch.equal(loaded.group, data.group) and torch.equal(loaded.extra["age"], data.extra["age"])


def test_a_new_value_is_refused():
    encoder = encoder_of(TABLE, target="label", group=["race", "sex"])
    with pytest.raises(DataError, match="race"):
        encode(TABLE.assign(race="x"), encoder)


@pytest.mark.parametrize("group", [[], ["race", "race"]])
def test_groups_that_are_no_names_are_refused(group):
    with pytest.raises(DataError, match="expected the name of a column, or a list of different names"):
        encoder_of(TABLE, target="label", group=group)
