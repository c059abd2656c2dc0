"""Labels from which a second network cannot tell that they were predicted."""

import math

import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData, as_dataset, task_of
from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.models import mlp
from corrigible.models.forward import Forward
from corrigible.protocols.baselines.adversarial_labels import SoundnessLoss, adversarial_labels, drawn_labels
from corrigible.protocols.schedule import Schedule, result_of
from corrigible.types import Batch

SCHEDULE = Schedule(epochs=10, batch_size=64, learning_rate=0.01)


def exclusive(num_rows: int = 512) -> TensorData:
    """Either both labels are there or neither, by the toss of a coin that no column shows well."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(num_rows, 2, generator=generator)
    both = (x[:, 0] + 3 * torch.randn(num_rows, generator=generator) > 0).float()
    return TensorData(x, torch.stack([both, 1 - both], dim=1), task="several_labels")


def trained(weight: float) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = mlp(2, 2, hidden=(16,))
    before = [parameter.clone() for parameter in model.parameters()]
    found = result_of(adversarial_labels(model, exclusive(), schedule=SCHEDULE, weight=weight))
    assert all(map(torch.equal, before, model.parameters()))
    return found


@pytest.mark.slow
def test_labels_that_never_occur_together_are_predicted_together_less_often():
    data = exclusive()
    unsound = {}
    for weight in (0.0, 6.0):
        probs = trained(weight)(data.x).detach().sigmoid()
        unsound[weight] = (probs.prod(dim=1) + (1 - probs).prod(dim=1)).mean()
    assert unsound[0.0] > 0.4
    assert unsound[6.0] < 0.7 * unsound[0.0]


@pytest.mark.parametrize("of", ["classes", "one logit", "several_labels"])
@pytest.mark.every(3)
def test_the_loss_is_that_of_the_task_plus_the_nats_that_are_told(of):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(32, 3, generator=generator)
    y = torch.arange(32) % 3 if of == "classes" else torch.arange(32) % 2
    given, num_outputs = nn.functional.one_hot(y).float(), {"classes": 3, "one logit": 1, "several_labels": 2}[of]
    if of == "several_labels":
        y, given = given, given
    data = TensorData(x, y, task="several_labels" if of == "several_labels" else "classes")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Linear(3, num_outputs)
    loss = SoundnessLoss(3, given.shape[1], weight=3.0, seed=0)
    batch = Batch(torch.arange(32), x, data.y, task=task_of(data))
    for _ in range(200):  # The discriminator learns; the model stays as it is.
        forward = Forward(model, batch)
        found = loss(forward, batch)
    labels = drawn_labels(forward).detach()
    true, false = (loss.discriminator(torch.cat([x, each], dim=1)).sigmoid() for each in (given, labels))
    told = math.log(2) + (true.log().mean() + (1 - false).log().mean()) / 2
    assert told > 0
    own = forward.task.loss(forward.outputs, data.y, {})
    torch.testing.assert_close(found, own + 3 * told)


def test_labels_are_drawn_as_often_as_their_probabilities_say_with_the_gradient_of_these():
    outputs = nn.Parameter(torch.tensor([[0.0, 1.0, -1.0]]))
    x = torch.zeros(20_000, 1)

    class Constant(nn.Module):
        def forward(self, x):
            return outputs + 0 * x

    batch = Batch(torch.arange(len(x)), x, torch.arange(len(x)) % 3)
    drawn = drawn_labels(Forward(Constant(), batch))
    assert set(drawn.detach().unique().tolist()) == {0.0, 1.0} and bool((drawn.detach().sum(dim=1) == 1).all())
    torch.testing.assert_close(drawn.detach().mean(dim=0), outputs[0].detach().softmax(0), atol=0.015, rtol=0)
    (of_drawn,) = torch.autograd.grad(drawn[:, 1].mean(), outputs, retain_graph=True)
    (of_probs,) = torch.autograd.grad(outputs.softmax(1)[0, 1], outputs)
    torch.testing.assert_close(of_drawn, of_probs)


def test_what_does_not_fit_is_refused():
    model, x = mlp(2, 2), torch.randn(20, 2)
    amounts = TensorData(x, torch.arange(20.0), task="amounts")
    for given, network, settings, error, message in (
        (amounts, mlp(2, 1), {}, UnsupportedModelError, "'amounts' has no probabilities .* expected classes"),
        (as_dataset((x, torch.arange(20) % 2)), model, {"weight": -1.0}, RecipeError, "weight is -1.0"),
        (as_dataset((x, torch.zeros(20, dtype=torch.long))), model, {}, DataError, "class"),
    ):
        with pytest.raises(error, match=message):
            result_of(adversarial_labels(network, given, schedule=SCHEDULE, **settings))
