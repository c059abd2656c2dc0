"""Reading tables: test rows are encoded as the training rows say."""

import pandas as pd
import pytest
import torch

from corrigible.data.table import encode
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
