"""A recipe that names code runs where its study was made, or once its code is trusted; reading runs nothing."""

import shutil
from pathlib import Path

import pytest

import own_code
from corrigible.errors import RecipeError, StudyError, UntrustedError
from corrigible.trusted_code import ORIGIN, code_named, is_origin_damaged, own, require_trusted, trust_code
from studies import corrigible, edit, refused, table_study

CODE = """format = 1
title = "a: title"
[data]
kind = "table"
source = "own_code:rows"
[model]
name = "table_mlp"
[train]
epochs = 1
[[penalty]]
name = "own_penalties:marked"
weight = 1.0
"""
PLAIN = 'format = 1\nnotes = ["a:b"]\n[data]\nkind = "table"\ntarget = "time:end"\n[model]\nname = "table_mlp"\n'


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    own_code.CALLED.clear()


def is_trusted(folder: Path, text: str) -> bool:
    try:
        require_trusted(folder, text)
    except UntrustedError as error:
        return "corrigible trust" not in str(error)
    return True


def test_only_code_needs_trust(tmp_path):
    assert code_named(PLAIN) == ()
    assert code_named(CODE) == ("own_code:rows", "own_penalties:marked")
    assert is_trusted(tmp_path, PLAIN)
    assert not is_trusted(tmp_path, CODE)


def test_code_is_trusted_with_its_settings_wherever_the_recipe_lies(tmp_path):
    trust_code(CODE)
    assert is_trusted(tmp_path / "elsewhere", CODE)
    assert is_trusted(tmp_path, CODE.replace("epochs = 1", "epochs = 2"))
    for other in (("weight = 1.0", "weight = 2.0"), ("own_code:rows", "own_code:broken"), ("source", "x = 1\nsource")):
        assert not is_trusted(tmp_path, CODE.replace(*other))


def test_a_study_made_here_is_trusted_where_it_was_made_and_a_copy_is_not(tmp_path):
    made, copied = tmp_path / "made", tmp_path / "copied"
    made.mkdir()
    own(made)
    assert is_trusted(made, CODE)
    shutil.copytree(made, copied)
    assert not is_trusted(copied, CODE)
    shutil.rmtree(made)
    made.mkdir()  # Unpacked from elsewhere, under the old name.
    assert not is_trusted(made, CODE)


def test_nothing_is_remembered_in_the_study_itself(tmp_path, monkeypatch):
    own(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    assert not is_trusted(tmp_path, CODE)


def test_where_nothing_can_be_remembered_a_study_is_made_and_trust_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    own(tmp_path)
    with pytest.raises(StudyError, match="XDG_STATE_HOME"):
        trust_code(CODE)


def test_a_recipe_that_cannot_be_read_names_nothing():
    with pytest.raises(RecipeError, match="TOML"):
        code_named("a = ")


def test_somebody_elses_recipe_runs_nothing_until_it_is_trusted(tmp_path):
    study = table_study(tmp_path / "study")
    edit(study, 'target = "label"\ngroup = "sex"', 'source = "own_code:rows"')
    (study / ".origin").unlink()
    assert "own_code:rows" in refused("train", study)
    assert corrigible("feedback", "list", study).code == corrigible("verify", study).code == 0
    assert own_code.CALLED == []
    answer = corrigible("trust", study)
    assert (answer.code, own_code.CALLED) == (0, [])
    assert "recipe.toml runs own_code:rows" in answer.stdout
    refused("suspect", study)  # For want of a model: the code may run now.
    assert "nothing to trust" in corrigible("trust", table_study(tmp_path / "plain")).stdout


def test_every_flipped_bit_of_the_origin_is_noticed(tmp_path):
    assert not is_origin_damaged(tmp_path)
    own(tmp_path)
    whole = (tmp_path / ORIGIN).read_bytes()
    assert not is_origin_damaged(tmp_path)
    for place in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        (tmp_path / ORIGIN).write_bytes(changed)
        assert is_origin_damaged(tmp_path)


def test_verify_names_a_damaged_origin(tmp_path):
    study = table_study(tmp_path)
    own(study)
    assert corrigible("verify", study).code == 0
    (study / ORIGIN).write_text("another", encoding="utf-8")
    found = corrigible("verify", study)
    assert found.code == 1 and f"{ORIGIN} is damaged" in found.stdout
