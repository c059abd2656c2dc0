"""Reading tables: test rows are encoded as the training rows say."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch

import corrigible
from corrigible.data import csv_layout
from corrigible.data.kept_reading import READING_FILE
from corrigible.data.table import encode
from corrigible.data.table_outline import table_outline
from corrigible.data.table_roles import roles_of
from corrigible.data.tablefile import folder_encoder, load_table
from corrigible.errors import DataError, RecipeError

TRAIN = "age,site,sick\n1,a,no\n3,b,yes\n"


def test_the_test_split_is_encoded_by_the_training_split(tmp_path):
    (tmp_path / "train.csv").write_text(TRAIN)
    (tmp_path / "test.csv").write_text("sick,site,age\nyes,c,4\n")
    data = load_table(tmp_path, "test", target="sick")
    assert data.x.tolist() == [[2.0, 0.0, 0.0]] and data.y.tolist() == [1]
    encoder = folder_encoder(tmp_path, target="sick")
    assert torch.equal(encode(pd.read_csv(tmp_path / "test.csv"), encoder).x, data.x)


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


def table(tmp_path, **columns):
    rows = list(zip(*columns.values(), strict=True))
    for split, some in (("train", rows), ("test", rows[:1])):
        lines = [",".join(columns), *(",".join(map(str, row)) for row in some)]
        (tmp_path / f"{split}.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_amounts_counts_and_several_labels_are_numbers(tmp_path):
    folder = table(tmp_path, size=[1, 2, 3], price=[10.5, 20, 33], years=[0.5, 1, 0.25], loud=[0, 1, 1], late=[1, 1, 0])
    amounts = load_table(folder, "test", target="price", task={"name": "amounts", "unit": "€"})
    assert amounts.y.tolist() == [10.5] and amounts.columns.names == ("size", "years", "loud", "late")
    assert amounts.task.start == load_table(folder, "train", target="price", task="amounts").task.start
    assert amounts.task.written(2.0) == "2 €"
    counts = load_table(folder, "train", target="loud", exposure="years", drop=["price"], task="counts")
    assert counts.extra["exposure"].tolist() == [0.5, 1.0, 0.25] and counts.columns.names == ("size", "late")
    several = load_table(folder, "train", target=["loud", "late"], task="several_labels")
    assert several.y.tolist() == [[0, 1], [1, 1], [1, 0]] and several.class_names == ("loud", "late")
    assert several.columns.names == ("size", "price", "years")


def test_rows_of_a_query_share_its_number(tmp_path):
    folder = table(tmp_path, size=[1, 2, 3], clicks=[3, 1, 2], search=["b", "a", "b"])
    found = load_table(folder, "train", target="clicks", query="search", task="ranking")
    assert found.extra["query"].tolist() == [0, 1, 0] and found.columns.names == ("size",)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"target": "hole", "task": "amounts"},
            "column 'hole' holds no value in row 1 .*expected a number in every row",
        ),
        ({"target": "name", "task": "amounts"}, "column 'name' holds 'x' in row 0 .*expected a number"),
        ({"target": "hole"}, "expected a class in every row"),
        ({"target": ["size", "zero"], "task": "amounts"}, "names 2 columns; the task 'amounts' expects one"),
        ({"target": ["size", "zero"], "task": "several_labels"}, "y holds 2; the task 'several_labels'"),
        ({"target": [], "task": "several_labels"}, r"target is \[\]; expected the name of a column"),
        ({"target": "size", "exposure": "zero", "task": "counts"}, "column 'zero' holds '0' in row 0 .*above 0"),
        ({"target": "half", "task": "counts"}, "y holds 0.5; the task 'counts'"),
        ({"target": "name", "task": "ordered_classes"}, "order does not follow from their names"),
    ],
)
def test_labels_that_do_not_fit_the_task_are_refused_in_one_line(tmp_path, settings, said):
    columns = {"half": [0.5, 1, 2], "zero": [0, 1, 0], "hole": [1, "", 2], "name": ["x", "y", "x"]}
    folder = table(tmp_path, size=[1, 2, 3], **columns)
    with pytest.raises(DataError, match=said) as caught:
        load_table(folder, "train", **settings)
    assert "\n" not in str(caught.value)


def test_a_column_that_the_task_has_no_use_for_is_refused(tmp_path):
    folder = table(tmp_path, size=[1, 2, 3], price=[10.5, 20, 33], years=[0.5, 1, 0.25])
    for name in ("exposure", "query"):
        with pytest.raises(RecipeError, match=f"{name} is 'years'; the task 'amounts' has no use for it"):
            load_table(folder, "train", target="price", task="amounts", **{name: "years"})


def written(tmp_path, train, test=None):
    (tmp_path / "train.csv").write_text(train, encoding="utf-8")
    (tmp_path / "test.csv").write_text(train if test is None else test, encoding="utf-8")
    return tmp_path


def of_feature(data, name):
    places = [place for place, feature in enumerate(data.columns.feature) if feature == name]
    return data.x[:, places]


def test_codes_stay_codes_in_every_split(tmp_path):
    folder = written(tmp_path, "ward,y\n07,0\n08,1\n10,0\n", "ward,y\n08,1\n07,0\n")
    assert load_table(folder, "train", target="y").columns.names == ("ward=07", "ward=08", "ward=10")
    assert load_table(folder, "test", target="y").x.tolist() == [[0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize("block", [24, 1 << 18])
def test_a_code_or_a_text_far_down_makes_all_of_the_column_texts(tmp_path, monkeypatch, block):
    monkeypatch.setattr(csv_layout, "FIRST", block)
    monkeypatch.setattr(csv_layout, "BLOCK", block)
    folder = written(tmp_path, "a,b,y\n" + "1,7,0\n2,8,1\n" * 8 + "03,x,0\n")
    found = load_table(folder, "train", target="y")
    assert found.columns.names == ("a=1", "a=2", "a=03", "b=7", "b=8", "b=x")
    assert found.x.sum(dim=1).tolist() == [2.0] * 17 and found.x[-1].tolist() == [0, 0, 1, 0, 0, 1]


def test_words_for_unknown_numbers_are_gaps_and_are_noted(tmp_path, caplog):
    folder = written(tmp_path, "w,y\n?,0\n1.5,1\n2.5,0\nn/a,1\n,0\n", "w,y\nNaN,1\n2.5,0\n")
    data = load_table(folder, "train", target="y")
    assert data.columns.names == ("w", "w=missing") and data.x[:, 1].tolist() == [1, 0, 0, 1, 1]
    assert "column 'w': numbers; 3 of 5 cells unknown, also those with '?', 'n/a'" in caplog.text
    assert load_table(folder, "test", target="y").x.tolist() == [[0, 1], [1, 0]]


def test_words_among_categories_are_categories(tmp_path):
    data = load_table(written(tmp_path, "i,y\nNone,no\nfull,None\n,yes\n"), "train", target="y")
    assert data.columns.names == ("i=None", "i=full", "i=missing") and data.class_names == ("None", "no", "yes")


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        (("no", "yes"), ("Yes", "NO"), [[0, 1], [1, 0]]),
        (("False", "True"), ("1", "0"), [[0, 1], [1, 0]]),
        (("no", "yes"), ("maybe", "yes"), [[0, 0], [0, 1]]),
    ],
)
def test_other_spellings_are_read_as_in_training_and_said(tmp_path, caplog, train, test, expected):
    lines = ["s,y\n" + "".join(f"{value},{place}\n" for place, value in enumerate(pair)) for pair in (train, test)]
    with caplog.at_level(logging.WARNING):
        assert load_table(written(tmp_path, *lines), "test", target="y").x.tolist() == expected
    assert f"column 's' holds '{test[0]}'" in caplog.text


def test_numbers_in_other_forms_are_read_as_in_training(tmp_path):
    folder = written(tmp_path, "p;y\n1.234,5;0\n0,5;1\n", "p;y\n1.000,0;1\n")
    mean, sd = np.mean([1234.5, 0.5]), np.std([1234.5, 0.5])
    assert load_table(folder, "test", target="y").x[0, 0] == pytest.approx((1000 - mean) / sd)
    assert folder_encoder(folder, target="y").notes[0] == "values are separated by semicolons"


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ("a,b,y\n,1,0\n,2,1\n", "train.csv: column 'a' holds no value in any row"),
        ("a,b,y\n?,1,0\n?,2,1\n", "column 'a' holds nothing but '\\?'"),
        ("a,y\n2020-01-05,0\n2021-02-03,1\n", "column 'a' holds dates or times"),
        (
            "a,y\n" + "".join(f"{k}.5,0\n" for k in range(30)) + "low,1\n",
            "column 'a' holds 30 different numbers and also 'low'",
        ),
        (
            "a,y\n" + "".join(f"p{k},{k % 2}\n" for k in range(60)),
            "different text in each of 60 rows, as identifiers do",
        ),
        ("a,y\n1e300,0\n2,1\n", "column 'a' holds '1e\\+300' in row 0"),
        (",a,y\n5,1,0\n5,2,1\n", "a column has no name"),
        ("a;b;y\n1.234;0,5;0\n2.345;1,5;1\n", "column 'a' holds '1.234', which may be"),
    ],
)
def test_columns_that_cannot_be_read_rightly_are_refused_by_name(tmp_path, train, said):
    with pytest.raises(DataError, match=said) as caught:
        load_table(written(tmp_path, train), "train", target="y")
    assert "\n" not in str(caught.value)


def test_columns_without_a_name_that_number_the_rows_or_hold_nothing_are_dropped(tmp_path):
    folder = written(tmp_path, ",a,y,\n4,1,0,\n2,2,1,\n")
    assert load_table(folder, "train", target="y").columns.names == ("a",)
    assert [note for note in folder_encoder(folder, target="y").notes if "dropped" in note] == [
        "column 'Unnamed: 0', which has no name and numbers the rows, was dropped",
        "column 'Unnamed: 3', which has no name and holds nothing, was dropped",
    ]


def test_too_many_categories_are_refused_before_all_is_read(tmp_path):
    text = "".join(f"p{k % 3000},{k % 2}\n" for k in range(6000))
    with pytest.raises(DataError, match="column 'a' holds 3,000 different texts; expected at most 1,000"):
        load_table(written(tmp_path, "a,y\n" + text), "train", target="y")


def test_the_reading_is_kept_and_a_changed_table_is_read_anew(tmp_path, caplog):
    folder = written(tmp_path, "a,y\n1,0\n3,1\n")
    first = load_table(folder, "test", target="y")
    kept = (folder / READING_FILE).read_bytes()
    assert torch.equal(load_table(folder, "train", target="y").x, first.x)
    assert (folder / READING_FILE).read_bytes() == kept
    (folder / "train.csv").write_text("a,y\n1,0\n5,1\n")
    assert load_table(folder, "test", target="y").x.tolist() == [[-1.0], [0.0]]
    assert "has changed since its reading was kept" in caplog.text
    (folder / READING_FILE).write_bytes(kept.replace(b"learned", b"lerned"))
    assert load_table(folder, "test", target="y").x.tolist() == [[-1.0], [0.0]]


def test_an_outline_needs_no_rows(tmp_path):
    folder = written(tmp_path, "a,s,y\n1,x,0\n3,z,1\n")
    assert table_outline(folder, roles_of("y")).num_columns == {"a": 1, "s": 1}
    load_table(folder, "train", target="y")
    (folder / "train.csv").unlink()
    outline = table_outline(folder, roles_of("y"))
    assert outline.num_columns == {"a": 1, "s": 2} and outline.class_names == ("0", "1")


def test_frames_of_other_libraries_are_read_alike(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {"a": [1, 2, 3], "b": [0.5, None, 1.5], "c": ["x", None, "y"], "d": [True, False, True], "y": [0, 1, 0]}
    )
    table = pyarrow.table({name: pyarrow.array(frame[name], from_pandas=True) for name in frame})
    encoder = corrigible.encoder_of(table, target="y")
    assert encoder == corrigible.encoder_of(frame, target="y")
    assert torch.equal(corrigible.encode(table, encoder).x, corrigible.encode(frame, encoder).x)
    with pytest.raises(DataError, match="expected a data frame"):
        corrigible.encoder_of([1, 2], target="y")
