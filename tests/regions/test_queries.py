"""Every strategy gives each row a finite number, the same again; what was answered is passed over."""

import numpy as np
import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.data.text import text_data
from corrigible.data.vocabulary import vocabulary_of
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.models import table_mlp
from corrigible.models.bayes import bayesian
from corrigible.models.ensemble import Ensemble
from corrigible.models.predictive import predictive
from corrigible.regions.looked import Looked, looked_at
from corrigible.regions.queries import QUERIES, next_queries
from corrigible.types import Columns, Features, Feedback, Phrase

DRAWS = torch.Generator().manual_seed(0)
Y = torch.arange(60) % 2
CORNER = np.zeros((8, 8), dtype=bool)
CORNER[:2, :2] = True
HOLDS = torch.arange(60) % 5 == 0


def images() -> tuple[nn.Module, TensorData]:
    """Every fifth row has a bright corner; a linear model looks there, and elsewhere at noise."""
    x = torch.rand(60, 1, 8, 8, generator=DRAWS)
    x[HOLDS, :, :2, :2] += 30
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), TensorData(x, Y)


def table() -> tuple[nn.Module, TensorData]:
    columns = Columns(("age", "site=1", "site=2"), ("age", "site", "site"), (False, True, True))
    site = torch.nn.functional.one_hot(torch.arange(60) % 2, 2).float()
    return table_mlp(3, 2), TensorData(torch.cat([torch.randn(60, 1, generator=DRAWS), site], 1), Y, columns=columns)


def texts() -> tuple[nn.Module, TensorData]:
    written = [
        f"{'good' if label else 'bad'} film {'zeb' if row % 3 else 'meal'}" for row, label in enumerate(Y.tolist())
    ]
    data = text_data(written, Y, vocabulary_of(written, dimension=6), max_tokens=4)
    return nn.Sequential(nn.Flatten(), nn.Linear(24, 2)), data


@pytest.fixture(params=[images, table, texts], ids=["images", "table", "texts"])
def looked(request: pytest.FixtureRequest) -> Looked:
    torch.manual_seed(0)
    model, data = request.param()
    return looked_at(Ensemble([model, model]), data)


def test_shares_are_those_of_parts_and_sum_to_one_at_most(looked: Looked) -> None:
    assert (looked.shares >= 0).all()
    assert torch.all(looked.shares.sum(dim=1) <= 1 + 1e-5)
    assert looked.shares.sum(dim=1).median() > 0.9


@pytest.mark.parametrize("strategy", QUERIES)
def test_a_strategy_orders_all_rows_the_same_again_and_says_why(looked: Looked, strategy: str) -> None:
    wishes, again = QUERIES[strategy](looked), QUERIES[strategy](looked)
    assert wishes.score.shape == (60,)
    assert wishes.score.isfinite().all()
    assert torch.equal(wishes.score, again.score)
    found = next_queries(looked, strategy=strategy, count=60)
    assert sorted(query.row for query in found) == list(range(60))
    assert all(query.reason and "{" not in query.reason for query in found)
    left = next_queries(looked, strategy=strategy, count=60, answered=[3, 7])
    assert sorted(query.row for query in left) == [row for row in range(60) if row not in (3, 7)]


def test_after_a_rejection_rows_like_it_come_next_and_every_tenth_by_chance() -> None:
    torch.manual_seed(0)
    looked = looked_at(*images())
    found = next_queries(looked, feedback=[Feedback(CORNER, row=5)], answered=[1, 2, 3], count=20)
    holders = {row for row in range(60) if HOLDS[row]} - {5}
    assert {query.row for query in found[:5]} <= holders
    assert [place for place, query in enumerate(found, start=1) if "at random" in query.reason] == [6, 16]
    assert {query.row for query in found if "where another row was marked" in query.reason} <= holders
    assert 5 not in {query.row for query in found}


def test_places_that_were_marked_take_turns() -> None:
    torch.manual_seed(0)
    other = CORNER[::-1, ::-1].copy()
    x = torch.rand(60, 1, 8, 8, generator=DRAWS)
    x[:20, :, :2, :2] += 30
    x[20:40, :, 6:, 6:] += 30
    looked = looked_at(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), TensorData(x, Y))
    said = [Feedback(CORNER, row=0), Feedback(CORNER, row=1), Feedback(other, row=20)]
    found = next_queries(looked, feedback=said, answered=[50], count=4)
    assert [query.row < 20 for query in found] == [False, True, False, True]


def test_what_a_rule_says_already_is_not_looked_at_any_more() -> None:
    torch.manual_seed(0)
    looked = looked_at(*images()).after([Feedback(CORNER, scope="dataset")])
    assert looked.shares.view(60, 8, 8)[:, :2, :2].sum() == 0
    assert looked.rejected is None
    of_table = looked_at(*table()).after([Feedback(Features(("site",)), scope="class", label=1)])
    assert (of_table.shares[of_table.target == 1, 1] == 0).all()


def test_a_word_is_the_same_wherever_it_stands() -> None:
    torch.manual_seed(0)
    looked = looked_at(*texts())
    by_word = looked.after([Feedback(Phrase(("zeb",)), row=1)])
    by_place = looked.after([Feedback(np.array([False, False, True, False]), row=1)])
    assert by_word.rejected is not None and by_place.rejected is not None
    assert torch.equal(by_word.rejected, by_place.rejected)
    assert by_word.rejected.sum() == 1


def test_what_a_strategy_lacks_is_said() -> None:
    torch.manual_seed(0)
    with pytest.raises(UnsupportedModelError, match="in a single pass"):
        next_queries(looked_at(*images()), strategy="disagreement")
    amounts = TensorData(torch.randn(20, 3, generator=DRAWS), torch.randn(20, generator=DRAWS), task="amounts")
    looked = looked_at(nn.Linear(3, 1), amounts)
    with pytest.raises(UnsupportedModelError, match="has no "):
        next_queries(looked, strategy="prediction_entropy")
    assert len(next_queries(looked, count=3)) == 3
    with pytest.raises(RecipeError, match="unknown strategy"):
        next_queries(looked, strategy="nonsense")


def test_samples_of_a_bayesian_network_disagree_and_draw_the_same_for_each_part(monkeypatch) -> None:
    torch.manual_seed(0)
    model, data = images()
    model = bayesian(model, prior_std=1.0, start="prior")
    looked = looked_at(model, data, samples=6, seed=2)
    passes = predictive(model, data.x, samples=6, seed=2)
    assert looked.log_probs is not None
    torch.testing.assert_close(looked.log_probs, passes.passes.log_softmax(-1).detach())
    unsure = QUERIES["disagreement"](looked).score
    torch.testing.assert_close(unsure, passes.mutual_information.double().detach(), atol=1e-5, rtol=0)
    assert next_queries(looked, strategy="disagreement", count=1)[0].row == int(unsure.argmax())
    monkeypatch.setattr("corrigible.regions.looked.ROWS_AT_ONCE", 7)
    torch.testing.assert_close(looked_at(model, data, samples=6, seed=2).log_probs, looked.log_probs)
    with pytest.raises(UnsupportedModelError, match="draws nothing"):
        looked_at(*images(), samples=2)
