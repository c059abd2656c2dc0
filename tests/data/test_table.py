"""Encoding tables: hand-worked columns, what is refused, and that train and test agree."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from corrigible.data.table import MISSING, encode, encoder_of, from_json, to_json
from corrigible.errors import DataError


def small() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": [1, 3, 5, 7],
            "income": [2.0, np.nan, 4.0, 6.0],
            "site": ["b", "a", None, "b"],
            "smoker": [True, False, False, True],
            "unit": ["kg"] * 4,
            "zero": [0.1] * 4,
            "sick": ["no", "yes", "no", "yes"],
        }
    )


def test_columns_are_as_worked_out_by_hand():
    data = encode(small(), encoder_of(small(), target="sick"))
    age_sd, income_sd = 5**0.5, (8 / 3) ** 0.5
    expected = {
        "age": [-3 / age_sd, -1 / age_sd, 1 / age_sd, 3 / age_sd],
        "income": [-2 / income_sd, 0, 0, 2 / income_sd],
        "income=missing": [0, 1, 0, 0],
        "site=a": [0, 1, 0, 0],
        "site=b": [1, 0, 0, 1],
        "site=missing": [0, 0, 1, 0],
        "smoker=False": [0, 1, 1, 0],
        "smoker=True": [1, 0, 0, 1],
    }
    assert data.columns is not None and data.columns.names == tuple(expected)
    torch.testing.assert_close(data.x, torch.tensor(list(expected.values())).T)
    assert data.columns.feature == ("age", "income", "income", "site", "site", "site", "smoker", "smoker")
    assert data.columns.one_hot == (False, False, False, True, True, True, True, True)
    assert data.y.tolist() == [0, 1, 0, 1] and data.class_names == ("no", "yes")


def test_constant_columns_are_dropped_with_a_note():
    encoder = encoder_of(small(), target="sick")
    assert [note for note in encoder.notes if "dropped" in note] == [
        "column 'unit' holds one value only and was dropped",
        "column 'zero' holds one value only and was dropped",
    ]


def test_a_number_known_to_be_constant_leaves_only_where_it_is_missing():
    frame = pd.DataFrame({"a": [5.0, np.nan, 5.0], "y": [0, 1, 0]})
    encoder = encoder_of(frame, target="y")
    assert encoder.columns.names == ("a=missing",)
    assert encode(frame, encoder).x.tolist() == [[0.0], [1.0], [0.0]]


@pytest.mark.parametrize("dtype", [object, "str", "string", "category", "string[pyarrow]", "arrow"])
def test_text_of_every_dtype_is_a_category(dtype):
    if "arrow" in str(dtype):
        pyarrow = pytest.importorskip("pyarrow")
        dtype = pd.ArrowDtype(pyarrow.string()) if dtype == "arrow" else dtype
    frame = small().astype({"site": dtype})
    expected = encode(small(), encoder_of(small(), target="sick"))
    found = encode(frame, encoder_of(frame, target="sick"))
    assert found.columns == expected.columns and torch.equal(found.x, expected.x)


def test_nullable_numbers_are_numbers():
    frame = small().astype({"age": "Int64", "income": "Float64", "smoker": "boolean"})
    assert torch.equal(
        encode(frame, encoder_of(frame, target="sick")).x, encode(small(), encoder_of(small(), target="sick")).x
    )


def test_rows_are_encoded_alone_as_in_company():
    encoder = encoder_of(small(), target="sick")
    alone = torch.cat([encode(small().iloc[[row]], encoder).x for row in range(4)])
    assert torch.equal(alone, encode(small(), encoder).x)


def test_the_order_of_columns_and_further_columns_do_not_matter():
    encoder = encoder_of(small(), target="sick")
    shuffled = small()[small().columns[::-1]].assign(more="?")
    assert torch.equal(encode(shuffled, encoder).x, encode(small(), encoder).x)


def test_an_unseen_category_is_zero_everywhere_and_an_unseen_gap_is_the_mean():
    encoder = encoder_of(small(), target="sick")
    row = encode(small().iloc[[0]].assign(site="new", age=np.nan), encoder).x[0]
    names = encoder.columns.names
    assert [float(row[i]) for i, name in enumerate(names) if name == "age" or name.startswith("site=")] == [0.0] * 4


def test_a_missing_category_is_none_of_them_where_training_had_no_gap():
    frame = small().assign(site=["a", "b", "a", "b"])
    row = encode(small(), encoder_of(frame, target="sick")).x[2]
    assert MISSING not in str(encoder_of(frame, target="sick").columns.names[3:])
    assert row[3:5].tolist() == [0.0, 0.0]


def test_whole_numbers_are_categories_however_they_are_stored():
    frame = pd.DataFrame({"site": ["10", "2", "1"], "y": [0, 1, 0]})
    encoder = encoder_of(frame, target="y")
    assert encoder.columns.names == ("site=1", "site=2", "site=10")
    as_floats = frame.assign(site=[10.0, 2.0, np.nan])
    assert encode(as_floats, encoder).x.tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("labels", "names", "codes"),
    [
        ([10, 9, 10], ("9", "10"), [1, 0, 1]),
        ([1.0, 0.0, 1.0], ("0", "1"), [1, 0, 1]),
        ([True, False, True], ("False", "True"), [1, 0, 1]),
        (["b", "a", "c"], ("a", "b", "c"), [1, 0, 2]),
    ],
)
def test_classes_are_numbered_in_order(labels, names, codes):
    frame = pd.DataFrame({"a": [1, 2, 3], "y": labels})
    data = encode(frame, encoder_of(frame, target="y"))
    assert (data.class_names, data.y.tolist()) == (names, codes)


def test_the_group_is_a_feature_unless_dropped():
    frame = small().assign(sex=["m", "f", "f", None])
    kept = encode(frame, encoder_of(frame, target="sick", group="sex"))
    assert kept.group is not None and kept.group.tolist() == [1, 0, 0, 2]
    assert kept.group_names == ("f", "m", "missing")
    dropped = encode(frame, encoder_of(frame, target="sick", group="sex", drop=["sex"]))
    assert dropped.group is not None and torch.equal(dropped.group, kept.group)
    assert kept.columns is not None and dropped.columns is not None
    assert set(kept.columns.features) - set(dropped.columns.features) == {"sex"}


def test_json_gives_the_same_encoder_back():
    frame = small().assign(sex=["m", "f", "f", "f"], third=[1 / 3, 0.1, 1e-30, 7])
    encoder = encoder_of(frame, target="sick", group="sex")
    assert from_json(to_json(encoder)) == encoder


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", '{"features": [{"nme": 1}]}'])
def test_other_text_is_no_encoder(text):
    with pytest.raises(DataError, match="to_json"):
        from_json(text)


@pytest.mark.parametrize(
    ("change", "settings", "words"),
    [
        ({"age": [1, 2, np.inf, 4]}, {}, "'age' holds 'inf' in row 2"),
        ({"sick": ["no", None, "no", "yes"]}, {}, "'sick' holds no value in row 1"),
        ({"sick": [0.5, 1, 0, 1]}, {}, "'sick' holds .*0.5.* in row 0.*whole numbers"),
        ({"when": pd.to_datetime(["2020-01-01"] * 4)}, {}, "'when' holds datetime64"),
        ({}, {"target": "sik"}, "no column 'sik'"),
        ({}, {"group": "sex"}, "no column 'sex'"),
        ({}, {"drop": ["sex"]}, "no column 'sex'"),
        ({"income": [0.5, 1, 2, 3]}, {"group": "income"}, "'income' holds .*0.5.* in row 0.*whole numbers"),
        ({}, {"drop": ["age", "income", "site", "smoker"]}, "no feature left"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(change, settings, words):
    frame = small().assign(**change)
    with pytest.raises(DataError, match=words):
        encoder_of(frame, **{"target": "sick", **settings})


def test_no_rows_and_repeated_names_are_refused():
    with pytest.raises(DataError, match="no rows"):
        encoder_of(small().iloc[:0], target="sick")
    with pytest.raises(DataError, match="'age' occurs more than once"):
        encoder_of(pd.concat([small(), small()[["age"]]], axis=1), target="sick")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"age": [1, 2, 3, -np.inf]}, "'age' holds '-inf' in row 3"),
        ({"age": ["1", "2", "old", "4"]}, "'age' holds 'old' in row 2"),
        ({"sick": ["no", "yes", "perhaps", "no"]}, "'perhaps', which the training table lacks; it has no, yes"),
        ({"sick": ["no", "yes", np.nan, "no"]}, "'sick' holds no value in row 2"),
    ],
)
def test_what_does_not_fit_the_encoder_is_refused(change, words):
    with pytest.raises(DataError, match=words):
        encode(small().assign(**change), encoder_of(small(), target="sick"))


@pytest.mark.parametrize("name", ["age", "site", "sick"])
def test_a_column_that_is_missing_is_named(name):
    with pytest.raises(DataError, match=f"no column '{name}'"):
        encode(small().drop(columns=name), encoder_of(small(), target="sick"))


def test_an_empty_table_cannot_be_encoded():
    with pytest.raises(DataError, match="no rows"):
        encode(small().iloc[:0], encoder_of(small(), target="sick"))


def test_numbers_written_as_text_are_read():
    encoder = encoder_of(small(), target="sick")
    assert torch.equal(encode(small().assign(age=["1", "3", "5", "7"]), encoder).x, encode(small(), encoder).x)


def test_an_encoder_written_before_there_were_tasks_can_be_read():
    facts = json.loads(to_json(encoder_of(small(), target="sick")))
    older = {name: facts[name] for name in facts if name not in ("task", "exposure", "query")}
    assert from_json(json.dumps(older)) == encoder_of(small(), target="sick")


def test_the_encoder_of_several_labels_comes_back_as_it_was():
    frame = small().assign(loud=[0, 1, 0, 1], late=[1, 1, 0, 0])
    encoder = encoder_of(frame, target=["loud", "late"], exposure="age", task="several_labels")
    assert from_json(to_json(encoder)) == encoder and encoder.targets == ("loud", "late")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([None] * 4, "column 'a' holds no value in any row"),
        ([1, "x", 2.5, True], "column 'a' holds values of the types bool, float, int, str"),
        ([1e39, 1, 2, 3], "column 'a' holds '1e\\+39' in row 0"),
        ([1 + 1j] * 4, "column 'a' holds complex128 values"),
    ],
)
def test_columns_that_would_be_read_wrongly_are_refused(values, said):
    with pytest.raises(DataError, match=said):
        encoder_of(small().assign(a=values), target="sick")


def test_objects_that_are_all_numbers_are_numbers():
    frame = pd.DataFrame({"a": pd.Series([1, None, 2.5], dtype=object), "y": [0, 1, 0]})
    assert encoder_of(frame, target="y").columns.names == ("a", "a=missing")


def test_memory_grows_with_rows_and_not_with_their_square():
    frame = pd.DataFrame({"name": [f"p{k % 900}" for k in range(1800)], "y": [0, 1] * 900})
    data = encode(frame, encoder_of(frame, target="y"))
    assert data.x.shape == (1800, 900) and data.x.sum(dim=1).eq(1).all()
    for number, said in ((1100, "1,100 different texts"), (1800, "a different text in each of 1,800 rows")):
        with pytest.raises(DataError, match=f"column 'name' holds {said}"):
            encoder_of(frame.assign(name=[f"p{k % number}" for k in range(1800)]), target="y")


def test_what_looks_wrong_is_said(caplog):
    frame = pd.DataFrame({"id": range(60), "s": ["Yes", "yes", "no"] * 20, "y": [0, 1] * 30})
    encoder_of(frame, target="y")
    assert "'id': numbers; no cell unknown; another whole number in every row" in caplog.text
    assert "'Yes', 'yes' are different categories" in caplog.text


def test_rows_without_labels_are_refused_with_what_to_add():
    frame = pd.DataFrame({"age": [31, 45, 60, 20], "ill": ["no", "yes"] * 2})
    with pytest.raises(DataError, match="no column 'ill', which held the labels in training.*inputs_of"):
        encode(frame[["age"]], encoder_of(frame, target="ill"))


@pytest.mark.parametrize("group", [None, "ward"])
def test_empty_cells_beside_the_word_that_names_them_are_refused(group):
    frame = pd.DataFrame({"ward": ["a", None, "missing"], "age": [1.0, 2.0, 3.0], "ill": ["yes", "no", "no"]})
    with pytest.raises(DataError, match="column 'ward' has empty cells and cells with the text 'missing'"):
        encoder_of(frame, target="ill", group=group)
