"""Table files: names, separators, lines, and what is refused."""

import hashlib

import pytest

from corrigible.data import csv_layout
from corrigible.data.csv_cells import table_text, texts_as_written
from corrigible.errors import DataError


def read(tmp_path, content):
    path = tmp_path / "train.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with table_text(path) as source:
        columns = texts_as_written(source, source.layout.names)
    return source, columns


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path, separator):
    source, columns = read(
        tmp_path, f"a{separator}b\n1,5{separator}x\n2,5{separator}y\n" if separator != "," else "a,b\n1,x"
    )
    assert source.layout.separator == separator and set(columns) == {"a", "b"} and columns["b"][0] == "x"


@pytest.mark.parametrize(
    "content",
    [
        "a,b\r\n1,2\r\n",
        "\ufeffa,b\n1,2",
        "\n\na , b\n1,2\n\n",
        "a,b\n\n1,2\n",
        '"a","b"\n"1","2"\n',
        "a,b\n1,2\r\n\r\n",
    ],
)
def test_marks_line_ends_and_empty_lines_change_nothing(tmp_path, content):
    assert read(tmp_path, content)[1] == {"a": ["1"], "b": ["2"]}


def test_quoted_values_may_hold_separators_lines_and_quotation_marks(tmp_path):
    _, columns = read(tmp_path, 'a,"b\n2"\n"x, ""y""\nz",07\n')
    assert columns == {"a": ['x, "y"\nz'], "b\n2": ["07"]}


@pytest.mark.parametrize("block", [7, 11, 64])
def test_blocks_end_where_lines_end(tmp_path, monkeypatch, block):
    monkeypatch.setattr(csv_layout, "BLOCK", block)
    monkeypatch.setattr(csv_layout, "FIRST", block)
    content = "a,b\n" + "".join(f'{k},"{k}\n{k}"\n' for k in range(30))
    source, columns = read(tmp_path, content)
    assert columns == {"a": [f"{k}" for k in range(30)], "b": [f"{k}\n{k}" for k in range(30)]}
    assert source.sha256 == hashlib.sha256(content.encode()).hexdigest()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "it is empty"),
        ("a,b\n1,2\n3\n", "row 1 has 1 values and the line of names 2, separated by commas"),
        ("a,b\n1,2\n3,4,5\n", "row 1 has 3 values"),
        ('a,b\n1,"2\n', "never closed"),
        ("a,b\n1,2\r3,4\n", "carriage return"),
        (b"a,b\n\xff,1\n", "not in UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "not in UTF-8"),
        (b"a,b\n1,\x00\n", "zero byte|UTF-8"),
        ("a,b,a\n1,2,3\n", "'a' occurs more than once"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(tmp_path, content, said):
    with pytest.raises(DataError, match=said) as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_table(tmp_path):
    (tmp_path / "train.csv").mkdir()
    with pytest.raises(DataError, match="expected a table"), table_text(tmp_path / "train.csv"):
        pass
