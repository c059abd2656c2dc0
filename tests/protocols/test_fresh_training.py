"""Plain training from Python: as the training loop does it, on a copy, for networks by name and for one's own."""

import pytest
import torch

import corrigible
from corrigible.models.building import built
from corrigible.protocols.schedule import Schedule, run

Y = torch.arange(48) % 2
X = torch.randn(48, 3, generator=torch.Generator().manual_seed(0)) + Y[:, None]


def test_it_is_the_training_loop_on_a_copy():
    torch.manual_seed(0)
    own = torch.nn.Linear(3, 2)
    before = own.weight.clone()
    trained = corrigible.train(own, (X, Y), epochs=3, seed=5)
    assert torch.equal(own.weight, before)
    for _ in run(own, corrigible.TensorData(X, Y), Schedule(epochs=3), seed=5):
        pass
    assert torch.equal(trained.weight, own.weight)


def test_a_network_by_its_name_fits_the_data_and_learns():
    images = torch.zeros(48, 1, 8, 8)
    images[Y == 1, :, 2:6, 2:6] = 1.0
    texts = corrigible.text_data([("good film", "bad film")[label] for label in Y.tolist()], Y)
    amounts = corrigible.TensorData(X, X.sum(dim=1) * 50 + 100, task="amounts")
    for name, data in (("table_mlp", (X, Y)), ("small_cnn", (images, Y)), ("text_bag", texts), ("table_mlp", amounts)):
        trained = corrigible.train(name, data, epochs=8, learning_rate=1e-2)
        quality = corrigible.evaluate(trained, data, num_resamples=0)
        assert next(found.value for found in quality if found.metric in ("accuracy", "r2")) > 0.7, name


def test_what_cannot_be_built_is_refused_by_name():
    with pytest.raises(corrigible.CorrigibleError, match="did you mean 'text_bag'"):
        corrigible.train("text_bags", (X, Y))
    with pytest.raises(corrigible.CorrigibleError, match="every label is 0"):
        corrigible.train("table_mlp", (X, Y * 0))
    with pytest.raises(corrigible.CorrigibleError, match="at most 100,000,000"):
        built("table_mlp", {"hidden": (10**6, 10**6)}, {"columns": 3, "num_classes": 2}, 0)
