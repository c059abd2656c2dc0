"""A network for tables with numeric embeddings and members that share their weights."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from corrigible.data.dataset import TensorData
from corrigible.data.network_facts import model_facts
from corrigible.errors import RecipeError
from corrigible.losses import member_task_loss
from corrigible.models import tabm
from corrigible.models.building import built, facts_wanted
from corrigible.models.ensemble import disagreement
from corrigible.models.forward import Forward
from corrigible.models.numeric_embeddings import PiecewiseLinear
from corrigible.models.predictive import predictive
from corrigible.types import Batch, Columns

KNOTS = [[-1.0, 0.0, 2.0], [0.0, 1.0]]


def network(**settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        one_hot = [False, True, True, False]
        model = tabm(one_hot, 2, knots=KNOTS, members=3, hidden=(8,), embedding=4, dropout=0.0, **settings)
        return model.double()


X = torch.tensor([[-0.5, 1, 0, 0.25], [3.0, 0, 1, -1.0], [0.0, 0, 1, 1.0]], dtype=torch.float64)
BATCH = Batch(torch.arange(3), X, torch.tensor([0, 1, 1]))


def test_places_of_numbers_among_knots_by_hand():
    found = PiecewiseLinear(KNOTS, 4).places(torch.tensor([[-0.5, 0.25], [3.0, -1.0], [-2.0, 1.0]]))
    first = [[0.5, 0.0], [1.0, 1.5], [-1.0, 0.0]]
    second = [[0.25, 0.0], [-1.0, 0.0], [1.0, 0.0]]
    torch.testing.assert_close(found, torch.stack([torch.tensor(first), torch.tensor(second)], dim=1))


def test_the_embedding_is_continuous_and_bends_only_at_inner_knots():
    torch.manual_seed(0)
    embedding = PiecewiseLinear([[-1.0, 0.0, 1.0, 2.0]], 3).double()
    torch.nn.init.normal_(embedding.weight)
    x = torch.linspace(-3, 4, 701, dtype=torch.float64)[:, None]
    bend = embedding(x).detach()[:, 0].diff(n=2, dim=0).abs().amax(dim=1)
    bent = x[1:-1, 0][bend > 1e-9]
    torch.testing.assert_close(bent, torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert bend.max() < 1


def test_members_by_their_definition_and_their_mean():
    model = network()
    embedded = model.embedding(X[:, [0, 3]]).flatten(1)
    inputs, layer, heads = torch.cat([embedded, X[:, 1:3]], 1), model.body[0], model.members[0]
    for place, found in enumerate(model.member_outputs(X)):
        scaled = (inputs * layer.input_scale[place]) @ layer.shared.weight.T
        hidden = (scaled * layer.output_scale[place] + layer.bias[place]).relu()
        torch.testing.assert_close(found, hidden @ heads.weight[place] + heads.bias[place])
    torch.testing.assert_close(model(X), model.member_outputs(X).mean(0))
    assert torch.equal(predictive(model, X).passes, model.member_outputs(X))
    assert (disagreement(model, X) > 0).all()


def test_each_member_learns_the_labels_by_itself():
    model = network()
    own = [cross_entropy(outputs, BATCH.y, reduction="none") for outputs in model.member_outputs(X)]
    torch.testing.assert_close(member_task_loss(Forward(model, BATCH), BATCH), torch.stack(own).mean(0))


def test_gradients_reach_every_column_and_agree_with_differences():
    assert torch.autograd.gradcheck(network(), (X + 0.013).requires_grad_())


def test_is_built_from_facts_about_a_table():
    torch.manual_seed(0)
    x = torch.cat([torch.randn(100, 1), torch.eye(2)[torch.arange(100) % 2], torch.ones(100, 1)], dim=1)
    columns = Columns(("age", "a=1", "a=2", "b"), ("age", "a", "a", "b"), (False, True, True, False))
    data = TensorData(x, torch.arange(100) % 2, columns=columns)
    facts = model_facts(data, facts_wanted("tabm"))
    assert facts["one_hot"] == [False, True, True, False] and facts["knots"][1] == [1.0, 2.0]
    assert set(x[:, 0].tolist()) <= set(facts["knots"][0]) and len(facts["knots"][0]) <= 100 + 129
    assert "knots" not in model_facts(data, facts_wanted("table_mlp"))
    model = built("tabm", {"members": 2, "hidden": [8]}, facts, 0)
    assert model.member_outputs(x).shape == (2, 100, 2)
    with pytest.raises(RecipeError, match="expected at least 1 each"):
        built("tabm", {"members": 0}, facts, 0)


def test_without_numbers_or_without_categories():
    torch.manual_seed(0)
    assert tabm([True, True], 2, knots=[])(torch.eye(2)).shape == (2, 2)
    assert tabm([False, False], 1, 3.0, 2.0, knots=KNOTS)(torch.eye(2)).shape == (2, 1)
