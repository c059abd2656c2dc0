"""Studies of tables: what is kept of the training table, and what needs no rows."""

import pytest

from corrigible.data.naming import class_number
from corrigible.errors import FeedbackError
from studies import corrigible, refused, table_study


def test_a_rule_about_a_column_needs_no_rows_once_the_table_was_read(tmp_path):
    study = table_study(tmp_path / "study")
    train = study / "data" / "train.csv"
    assert "did you mean 'sex'" in refused("feedback", "add", study, "--feature", "sexx")
    assert corrigible("train", study).code == 0
    content = train.read_bytes()
    train.unlink()
    assert corrigible("feedback", "add", study, "--feature", "sex").code == 0
    train.write_bytes(content)


def test_a_network_is_refused_after_its_table_changed(tmp_path):
    study = table_study(tmp_path / "study")
    train = study / "data" / "train.csv"
    assert corrigible("train", study).code == 0
    content = train.read_text()
    train.write_text(content + content.splitlines()[1] + "\n")
    changed = corrigible("evaluate", study)
    assert changed.code == 1 and "was trained when data/train.csv" in changed.stderr
    train.write_text(content)
    assert corrigible("evaluate", study).code == 0


def test_names_that_are_numbers_are_names_and_never_places():
    names = ("1", "2", "3")
    assert [class_number(label, names) for label in ("1", "3", 0, 2)] == [0, 2, 0, 2]
    for wrong in ("0", "01", " 1", "4", "1.0"):
        with pytest.raises(FeedbackError, match="unknown class .* known: 1, 2, 3"):
            class_number(wrong, names)
    assert class_number("1", ("cat", "dog")) == 1
    with pytest.raises(FeedbackError, match="there is no class 2; expected a name, or a number from 0 to 1"):
        class_number("2", ("cat", "dog"))


def test_a_note_is_one_line_of_the_list(tmp_path):
    study = table_study(tmp_path)
    forged = "ok\n    9  irrelevant  every row           everything"
    assert corrigible("feedback", "add", study, "--feature", "sex", "--note", forged).code == 0
    assert len(corrigible("feedback", "list", study).stdout.strip().splitlines()) == 1
