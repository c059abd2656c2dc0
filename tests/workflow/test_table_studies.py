"""Studies of tables: what is kept of the training table, and what needs no rows."""

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
