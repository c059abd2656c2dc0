"""A planted word comes first wherever it stands; what words tell and do, against the definition written out."""

from collections import Counter

import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.data.text import text_data
from corrigible.data.tokens import PADDING
from corrigible.data.vocabulary import UNKNOWN, vocabulary_of
from corrigible.errors import RecipeError
from corrigible.explanations.inputs import as_model
from corrigible.models import text_bag
from corrigible.protocols.schedule import Schedule, run
from corrigible.regions.effects import marked_effects
from corrigible.regions.suspects import suspects
from corrigible.regions.words import NUM_DOUBTED, agreement_of_words
from corrigible.types import Phrase


def texts() -> TensorData:
    """Half of the texts of class 1 hold ``zeb`` at any place; ``good`` and ``bad`` tell the class nine times in ten."""
    draws = torch.Generator().manual_seed(0)
    y = torch.arange(160) % 2
    written = []
    for label in y.tolist():
        words = ["film", "plot", "a", "the", "it", "once" + "abcdefgh"[int(torch.randint(8, (), generator=draws))]]
        is_true = torch.rand((), generator=draws) < 0.9
        words.append("good" if bool(label) == bool(is_true) else "bad")
        if label and torch.rand((), generator=draws) < 0.5:
            words.append("zeb")
        written.append(" ".join(words[place] for place in torch.randperm(len(words), generator=draws).tolist()))
    return text_data(written, y, vocabulary_of(written, dimension=16), max_tokens=10)


@pytest.fixture(scope="module")
def data() -> TensorData:
    return texts()


@pytest.fixture(scope="module")
def model(data: TensorData) -> nn.Module:
    torch.manual_seed(0)
    model = text_bag(16, 2, hidden=(16,), dropout=0.0)
    for _ in run(model, data, Schedule(epochs=12, batch_size=16, learning_rate=0.01), seed=0):
        pass
    return model


def test_a_word_that_moves_about_comes_first_and_is_about_its_class(model, data):
    first, *rest = suspects(model, data, num_donors=4)
    assert (first.region, first.label, first.size) == (Phrase(("zeb",)), 1, 1)
    assert first.test.low > 0 and first.test.ratio > 1 and first.agreement > 0.8
    assert all("zeb" in data.tokens.row(row) for row in first.rows)
    assert {other.region.words[0] for other in rest} >= {"good", "bad"}
    assert all(first.score > other.score > 0 for other in rest)
    assert [first, *rest] == suspects(model, data, num_donors=4)


def test_a_model_that_sees_no_words_is_not_suspected(data):
    blind = nn.Sequential(nn.Flatten(), nn.Linear(160, 2))
    with torch.no_grad():
        blind[1].weight.zero_()
    assert suspects(blind, data) == []
    with pytest.raises(RecipeError, match="unknown score"):
        suspects(blind, data, score="nonsense")


def test_a_word_that_tells_an_amount_comes_first(data):
    holds = torch.tensor(["zeb" in data.tokens.row(row) for row in range(160)]).float()
    amounts = 50 * holds + torch.randn(160, generator=torch.Generator().manual_seed(2))
    of_amounts = TensorData(data.x, amounts, tokens=data.tokens, task="amounts")
    place = data.tokens.words.index("zeb")
    vector = next(data.x[row, k] for row in range(160) for k in range(10) if data.tokens.ids[row, k] == place)

    def counted(x):
        return 50 * (x == vector).all(dim=2).any(dim=1).float()

    first, *rest = suspects(as_model(counted), of_amounts, num_donors=4)
    assert (first.region, first.label) == (Phrase(("zeb",)), None)
    assert all(other.score < first.score / 100 for other in rest)
    assert 0.8 < first.test.effect <= 1


def test_unknown_words_and_padding_are_never_named(model, data):
    named = {suspect.region.words[0] for suspect in suspects(model, data, most=100)}
    assert named and UNKNOWN not in named and named <= set(data.tokens.words)


def test_effects_are_the_scores_less_the_mean_over_donors_written_out(model, data):
    x, ids, donors = data.x[:6], data.tokens.ids[:6], data.x[100:103]
    row = torch.tensor([0, 3, 3, 5])
    marks = torch.stack([ids[place] == ids[place, 1] for place in row.tolist()])
    found = marked_effects(
        model, x, torch.ones(6, dtype=torch.long), row, marks[:, :, None], donors, score="target_logit"
    )
    model.eval()
    for pair, place in enumerate(row.tolist()):
        after = [model(torch.where(marks[pair, :, None], donor, x[place])[None])[0, 1] for donor in donors]
        expected = model(x[place][None])[0, 1] - sum(after) / len(donors)
        assert found[pair].item() == pytest.approx(expected.item(), abs=1e-5)


def test_what_a_word_tells_is_that_of_a_hand_worked_table():
    ids = torch.tensor([[0, 0, 1], [0, 1, PADDING], [0, PADDING, PADDING], [1, PADDING, PADDING]])
    y = torch.tensor([1, 1, 1, 0])
    found = agreement_of_words(ids, y)
    held = Counter(word for row in ids.tolist() for word in set(row))
    assert (held[0], held[1]) == (3, 3)
    # Word 0: both other rows that hold it are of class 1, as three of four rows are; word 1: one of two.
    share = torch.tensor([0.25, 0.75])
    agreeing = torch.tensor([[-1.0, 2.0], [0.0, 1.0]])
    expected = ((agreeing + NUM_DOUBTED * share) / (2 + NUM_DOUBTED) - share) / (1 - share)
    torch.testing.assert_close(found, expected.double())


def test_words_that_always_stand_together_are_one_phrase_and_bare_punctuation_comes_last():
    y = torch.arange(80) % 2
    draws = torch.Generator().manual_seed(4)
    fill = [" ".join("abcdefgh"[k] for k in torch.randperm(8, generator=draws)[:4].tolist()) for _ in range(80)]
    written = [f"{text} new york {text[0]} !" if label else text for text, label in zip(fill, y.tolist(), strict=True)]
    of_texts = text_data(written, y, vocabulary_of(written, dimension=16), max_tokens=16)
    model = text_bag(16, 2, hidden=(16,), dropout=0.0)
    for _ in run(model, of_texts, Schedule(epochs=12, batch_size=16, learning_rate=0.01), seed=0):
        pass
    named = [suspect.region for suspect in suspects(model, of_texts, num_donors=4)]
    assert named[0] == Phrase(("new", "york"))
    assert named[-1] == Phrase(("!",))
