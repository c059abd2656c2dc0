"""A study of texts, from the first verb to the last."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from corrigible.data.tokens import PADDING, Tokens
from corrigible.workflow.explained_words import word_shares
from studies import corrigible, edit, refused, text_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = text_study(tmp_path_factory.mktemp("texts") / "study")
    assert corrigible("train", folder).code == 0
    return folder


def test_every_verb_works_on_texts(study):
    for words in ("zeb0", "ZEB1", "was good"):
        assert corrigible("feedback", "add", study, "--phrase", words).code == 0
    assert corrigible("feedback", "add", study, "--token", 0, "--token", 6, "--row", 3).code == 0
    for verb in ("correct", "explain", "evaluate", "report", "seal", "verify"):
        assert corrigible(verb, study).code == 0, verb
    run = next(path for path in sorted((study / "runs").iterdir()) if path.name.endswith("explain"))
    attribution, words = (
        load_file(run / "attributions.safetensors")["attribution"],
        json.loads((run / "words.json").read_text()),
    )
    assert attribution.shape == (24, 8) and len(words) == 24
    assert words[0][0] == "the" and words[0][-1] == "."
    assert not attribution[0, len(words[0]) :].any()
    (vocabulary,) = (study / "sealed").glob("*/vocabulary.safetensors")
    assert vocabulary.read_bytes() == (study / "data" / "vocabulary.safetensors").read_bytes()
    assert corrigible("verify", vocabulary.parent).code == 0
    vocabulary.write_bytes(b"other")
    assert corrigible("verify", vocabulary.parent).code == 1
    report = (study / "report.html").read_text()
    for part in ("What each word does", "zeb0", "was good", "texts"):
        assert part in report


def test_a_baseline_that_hides_places_is_refused_before_anything_is_trained(study):
    text = (study / "recipe.toml").read_text()
    try:
        edit(study, 'name = "fine_tuned"', 'name = "masked_inputs"')
        assert "words stand elsewhere in each text; leave it out" in refused("correct", study)
    finally:
        (study / "recipe.toml").write_text(text)


def test_feedback_survives_export_and_import(study, tmp_path):
    corrigible("feedback", "add", study, "--phrase", "film was", "--label", 1)
    corrigible("feedback", "export", study, tmp_path / "said.json")
    assert '{"phrase": ["film", "was"]}' in (tmp_path / "said.json").read_text()
    assert corrigible("feedback", "import", study, tmp_path / "said.json").code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--phrase", "flim"), "no word 'flim' in the vocabulary: did you mean 'film'"),
        (("--phrase", "good film"), "'good film' stands in no row of split 'train'"),
        (("--phrase", "zeb0", "--label", 1), "stands in no row of class praise"),
        (("--phrase", "zeb0", "--row", 1), "row 1 does not hold 'zeb0'; it reads: the"),
        (("--phrase", "_"), "holds no words"),
        (("--phrase", "film", "--token", 1), "give exactly one region"),
        (("--token", 8, "--row", 0), "place 8; a text has places 0 to 7"),
        (("--token", -1, "--row", 0), "place -1"),
    ],
)
def test_words_that_are_not_there_are_refused_in_one_line(options, message, study):
    assert message in refused("feedback", "add", study, *options)


def test_a_word_counts_with_its_absolute_values_and_padding_does_not():
    tokens = Tokens(torch.tensor([[0, 1], [1, PADDING]]), ("a", "b"))
    parts = [torch.tensor([[1.0, -2.0]]), torch.tensor([[1.0, 9.0]])]
    assert word_shares(parts, tokens) == [("b", 0.75), ("a", 0.25)]


def test_the_recipe_that_init_writes_can_be_read(tmp_path):
    assert corrigible("init", tmp_path / "new", "--kind", "text").code == 0
    assert "there is no file" in refused("train", tmp_path / "new")
