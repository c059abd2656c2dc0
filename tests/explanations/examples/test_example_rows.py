"""Training rows that explain a prediction, each method against its definition."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy

from corrigible import TensorData
from corrigible.errors import DataError, RecipeError, TrainingDivergedError, UnsupportedModelError
from corrigible.explanations.examples import gradient_similarity, nearest_examples, representer_points
from corrigible.explanations.examples.row_gradients import row_gradients
from corrigible.models.flat_weights import flat_weights
from corrigible.types import Batch
from fitted import rows

X, Y = rows(20)
QUERY = rows(4, seed=1)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).double()


def pairs(x, y):
    return zip(x, y, strict=True)


def gradient(model, x, y):
    return torch.cat(
        [p.flatten() for p in torch.autograd.grad(cross_entropy(model(x[None]), y[None]), model.parameters())]
    )


def test_the_nearest_rows_are_those_of_the_smallest_distance(model):
    known, asked = model[:2](X), model[:2](QUERY[0])
    for layer, apart in ((None, torch.cdist(asked, known)), ("0", torch.cdist(model[0](QUERY[0]), model[0](X)))):
        index, distance = nearest_examples(model, (X, Y), QUERY, n=3, layer=layer)
        assert torch.equal(index, apart.argsort(dim=1)[:, :3])
        assert torch.allclose(distance, apart.sort(dim=1).values[:, :3].detach())
    itself, nothing = nearest_examples(model, (X, Y), (X, Y), n=1)
    assert itself[:, 0].tolist() == list(range(20)) and not nothing.any()
    assert nearest_examples(model, (X, Y), QUERY, n=99)[0].shape == (4, 20)
    with pytest.raises(UnsupportedModelError, match="no layer 'hidden'"):
        nearest_examples(model, (X, Y), QUERY, layer="hidden")


def test_representer_points_sum_to_the_outputs_of_a_layer_at_its_minimum(model):
    found = representer_points(model, (X, Y), QUERY, l2=1e-2)
    assert torch.allclose(found.values.sum(dim=1), found.outputs, atol=1e-6)
    latent = torch.cat([model[:2](X), torch.ones(20, 1)], dim=1).detach()
    asked = torch.cat([model[:2](QUERY[0]), torch.ones(4, 1)], dim=1).detach()
    # The definition: the gradient of mean loss + l2 |W|² is 0 at the layer that gives these outputs.
    weight = torch.linalg.lstsq(
        torch.cat([latent, asked]), torch.cat([_of_training(model, latent), found.outputs])
    ).solution
    weight = weight.T.clone().requires_grad_()
    (cross_entropy(latent @ weight.T, Y) + 1e-2 * weight.square().sum()).backward()
    assert weight.grad.abs().max() < 1e-5
    own = model(QUERY[0]).detach()
    assert found.distance == pytest.approx(float((found.outputs - own).abs().max()))


def _of_training(model, latent):
    return representer_points(model, (X, Y), (X, Y), l2=1e-2).outputs


def test_a_row_pulls_towards_its_own_label(model):
    values = representer_points(model, (X, Y), (X, Y)).values
    own = values[torch.arange(20), torch.arange(20)]
    assert bool((own.gather(1, Y[:, None]) > 0).all())


def test_amounts_have_representer_points_too():
    torch.manual_seed(0)
    data = TensorData(X, X[:, 0] * 2 + 1, task="amounts")
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    found = representer_points(model, data, data, l2=1e-3)
    assert torch.allclose(found.values.sum(dim=1), found.outputs, atol=1e-6)


@pytest.mark.parametrize("l2", [0.0, -1.0, float("nan")])
def test_a_penalty_that_is_not_above_0_is_refused(model, l2):
    with pytest.raises(RecipeError, match="l2 is"):
        representer_points(model, (X, Y), QUERY, l2=l2)


def test_a_last_layer_that_has_no_minimum_is_refused(model):
    with pytest.raises(TrainingDivergedError, match="choose a larger l2"):
        representer_points(model, (X, Y), QUERY, l2=1e-30)


def test_gradient_similarity_is_the_cosine_of_two_gradients(model):
    found = gradient_similarity(model, (X, Y), QUERY)
    expected = [
        [cosine_similarity(gradient(model, *q), gradient(model, *r), dim=0) for r in pairs(X, Y)] for q in pairs(*QUERY)
    ]
    assert torch.allclose(found, torch.tensor(expected).double())
    assert torch.allclose(gradient_similarity(model, (X, Y), (X, Y)).diagonal(), torch.ones(20).double())


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.read, self.out = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        return self.out(self.read(x[:, None])[0][:, -1])


@pytest.mark.parametrize("kind", ["convolution", "recurrent", "frozen"])
def test_each_row_has_its_own_gradient(model, kind):
    torch.manual_seed(0)
    x, y = X, Y
    if kind == "convolution":
        model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)).double()
        x = torch.randn(20, 1, 4, 4).double()
    elif kind == "recurrent":
        model = Recurrent().double()
    else:
        model[0].requires_grad_(False)
    model.eval()
    found = row_gradients(model, flat_weights(model), Batch(torch.arange(20), x, y))
    wanted = [p for p in model.parameters() if p.requires_grad]
    for row in range(0, 20, 7):
        parts = torch.autograd.grad(cross_entropy(model(x[row : row + 1]), y[row : row + 1]), wanted)
        assert torch.allclose(found[row], torch.cat([part.flatten() for part in parts]), atol=1e-8)


def test_a_loss_of_more_than_each_rows_outputs_is_refused(model):
    def loss(forward, batch):
        return cross_entropy(forward.outputs, batch.y, reduction="none") + forward.activation("0").square().sum(dim=1)

    def mixing(forward, batch):
        return cross_entropy(forward.outputs, batch.y, reduction="none") * forward.outputs.mean()

    batch = Batch(torch.arange(20), X, Y)
    with pytest.raises(UnsupportedModelError, match="do not sum to that of the batch"):
        row_gradients(model, flat_weights(model), batch, loss=loss)


@pytest.mark.parametrize("method", [nearest_examples, gradient_similarity, representer_points])
def test_rows_that_the_model_cannot_take_are_refused(model, method):
    with pytest.raises(DataError, match=r"x has shape \(4, 7\), which the model cannot take"):
        method(model, (X, Y), (torch.zeros(4, 7).double(), QUERY[1]))


def test_an_infinite_l2_is_refused(model):
    with pytest.raises(RecipeError, match="l2 is inf"):
        representer_points(model, (X, Y), QUERY, l2=torch.inf)


def test_representer_points_are_of_the_weighted_mean(model):
    weight = torch.ones(len(X)).double()
    weight[3], weight[5] = 0, 2
    found = representer_points(model, TensorData(X, Y, weight=weight), QUERY, l2=0.01)
    assert bool((found.values[:, 3] == 0).all())
    assert torch.allclose(found.values.sum(dim=1), found.outputs, atol=1e-6)
    twice = [row for row in range(len(X)) if row != 3] + [5]
    assert torch.allclose(
        found.outputs, representer_points(model, (X[twice], Y[twice]), QUERY, l2=0.01).outputs, atol=1e-6
    )
