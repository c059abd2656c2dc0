"""A temperature is the most likely one, on rows in which marked content is exchanged, and scales all there is."""

import copy
import math

import pytest
import torch
from torch import nn

import corrigible
from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, UnsupportedModelError
from corrigible.models import mlp
from corrigible.models.bayes import bayesian
from corrigible.models.bayes.gaussian_weights import GaussianWeights
from corrigible.models.ensemble import Ensemble
from corrigible.models.packed import packed
from corrigible.models.predictive import predictive
from corrigible.models.temperature import TemperatureScaled
from corrigible.models.weights import load_weights, save_weights
from corrigible.protocols.calibrating.temperature import (
    best_temperature,
    negative_log_likelihood,
    temperature_scaled,
)
from cue_data import Sees, cue_data

RNG = torch.Generator().manual_seed(0)
X = torch.randn(60, 4, generator=RNG, dtype=torch.float64)
Y = ((X[:, 0] + 0.8 * torch.randn(60, generator=RNG, dtype=torch.float64)) > 0).long()


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)).double()


def trained(seed: int = 0) -> nn.Module:
    """Learned far enough to be right more often than not, and not on all rows."""
    model = network(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(15):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(X), Y).backward()
        optimizer.step()
    return model


def deviating(model: nn.Module) -> GaussianWeights:
    return GaussianWeights(model, {name: torch.full_like(p, 0.3) for name, p in model.named_parameters()})


def in_two(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return packed(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)), members=2).double()


MODELS = {
    "plain": (trained, None),
    "Bayesian": (lambda: bayesian(trained(), prior_std=0.5), 5),
    "posterior": (lambda: deviating(trained()), 5),
    "ensemble": (lambda: Ensemble([trained(0), trained(1)]), None),
    "ensemble of samples": (lambda: Ensemble([deviating(trained(0)), deviating(trained(1))]), 3),
}
every_model = pytest.mark.parametrize("name", MODELS)


def slow_nll(passes, y, temperature):
    total = 0.0
    for row in range(len(y)):
        chance = 0.0
        for outputs in passes:
            powers = [math.exp(value / temperature) for value in outputs[row].tolist()]
            chance += powers[int(y[row])] / sum(powers) / len(passes)
        total -= math.log(chance) / len(y)
    return total


def test_the_likelihood_is_that_of_the_mean_probabilities():
    passes = torch.randn(3, 10, 4, generator=RNG, dtype=torch.float64)
    y = torch.arange(10) % 4
    assert negative_log_likelihood(passes, y, 1.7) == pytest.approx(slow_nll(passes, y, 1.7))


def test_no_other_temperature_is_likelier():
    logits = 3 * torch.randn(1, 200, 3, generator=RNG, dtype=torch.float64)
    y = torch.distributions.Categorical(logits=logits[0] / 2.5).sample()
    found = best_temperature(logits, y)
    least = negative_log_likelihood(logits, y, found)
    assert all(least <= negative_log_likelihood(logits, y, t) + 1e-12 for t in torch.logspace(-2, 2, 300).tolist())


def test_it_undoes_a_factor_of_the_logits():
    generator = torch.Generator().manual_seed(3)
    logits = 2 * torch.randn(20_000, 3, generator=generator, dtype=torch.float64)
    y = torch.multinomial(logits.softmax(dim=1), 1, generator=generator)[:, 0]
    for factor in (0.5, 1.0, 4.0):
        assert best_temperature(factor * logits[None], y) == pytest.approx(factor, rel=0.03)


@pytest.mark.parametrize(("y", "words"), [([0, 1], "predicts every row right"), ([1, 0], "no better than by chance")])
def test_where_no_temperature_is_best_none_is_given(y, words):
    with pytest.raises(DataError, match=words):
        best_temperature(torch.tensor([[[2.0, 0.0], [0.0, 1.0]]], dtype=torch.float64), torch.tensor(y))


@every_model
def test_each_pass_is_divided_and_the_likelihood_is_as_it_says(name):
    make, samples = MODELS[name]
    model = make().eval()
    before = copy.deepcopy(model.state_dict())
    scaled = temperature_scaled(model, (X, Y), samples=samples)
    found = scaled.calibration
    with torch.no_grad():
        inside = predictive(model, X, samples=samples)
        outside = predictive(scaled, X, samples=samples)
    assert torch.allclose(outside.passes, inside.passes / found.temperature)
    assert found.nll_after == pytest.approx(slow_nll(outside.passes, Y, 1.0))
    assert found.nll_before == pytest.approx(slow_nll(inside.passes, Y, 1.0))
    assert found.nll_after <= found.nll_before
    assert nn.functional.nll_loss(outside.outputs.log_softmax(1), Y).item() == pytest.approx(found.nll_after)
    assert (found.num_rows, found.num_exchanges) == (60, 0)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize("make", [lambda: Ensemble([trained(0), trained(1)]), in_two])
def test_an_ensemble_gives_the_mean_of_its_scaled_members(make):
    scaled = TemperatureScaled(make(), 2.0).eval()
    with torch.no_grad():
        found = predictive(scaled, X)
        assert len(found.passes) == 2
        assert torch.allclose(scaled(X).softmax(1), found.values)
        assert torch.allclose(found.values, found.passes.softmax(dim=2).mean(dim=0))


def test_marked_content_is_exchanged():
    """A network that goes by the cue first is sure and right on rows as they are, and too sure elsewhere."""
    made = cue_data("numbers")
    noise = torch.rand(240, 3, generator=torch.Generator().manual_seed(1)) > 0.9

    def evidence(x):
        return made.cue(x) + 0.3 * made.signal(x) + 0.5 * noise[: len(x)]

    model = Sees(evidence, 6.0)
    said = [corrigible.Feedback("scanner", scope="dataset")]
    hers = temperature_scaled(model, made.data, said).calibration
    assert hers.temperature > 1.5
    assert (hers.num_rows, hers.num_exchanges) == (240, 4)
    with pytest.raises(DataError, match="predicts every row right"):
        temperature_scaled(model, made.data)


def test_one_logit_per_row_is_divided_like_two():
    torch.manual_seed(0)
    one = nn.Linear(4, 1).double()
    one.weight.data = torch.tensor([[2.0, 0.5, -0.5, 0.0]], dtype=torch.float64)
    two = nn.Linear(4, 2).double()
    two.weight.data = torch.cat([torch.zeros_like(one.weight), one.weight])
    two.bias.data = torch.cat([torch.zeros_like(one.bias), one.bias])
    found = [temperature_scaled(model, (X, Y)) for model in (one, two)]
    assert found[0](X).shape == (60, 1)
    assert found[0].calibration.temperature == pytest.approx(found[1].calibration.temperature)


def test_texts_exchange_their_marked_words():
    """A reader that goes by the word "sunny", which stands in one class, and a little by "good"."""
    words = ["sunny good day", "rainy bad day", "sunny good walk", "rainy bad walk", "sunny bad day"] * 8
    texts = corrigible.text_data(words, [int("sunny" in text) for text in words], max_tokens=4)
    sunny, good = (texts.tokens.vectors[texts.tokens.words.index(word)] for word in ("sunny", "good"))

    def evidence(x):
        has = [(x == word).all(dim=2).any(dim=1) for word in (sunny, good)]
        score = 4.0 * has[0] + 1.0 * has[1] - 2.0
        return torch.stack([torch.zeros_like(score), score], dim=1)

    said = [corrigible.Feedback(("sunny",), scope="dataset"), corrigible.Feedback(("rainy",), scope="dataset")]
    found = temperature_scaled(Sees(evidence, 2.0), texts, said, validation=texts).calibration
    assert (found.num_rows, found.num_exchanges) == (40, 4)
    assert found.temperature > 3
    with pytest.raises(DataError, match="predicts every row right"):
        temperature_scaled(Sees(evidence, 2.0), texts)


def test_it_goes_where_networks_go(tmp_path):
    model = trained()
    scaled = temperature_scaled(model, (X, Y))
    factor = scaled.calibration.temperature
    how = {"method": "input_gradient", "score": "target_logit"}
    assert torch.allclose(corrigible.explain(scaled, X, 1, **how), corrigible.explain(model, X, 1, **how) / factor)
    (loss,) = corrigible.evaluate(scaled, (X, Y), metrics=["mean_loss"], num_resamples=0)
    assert loss.value == pytest.approx(scaled.calibration.nll_after)
    assert torch.equal(scaled(X).argmax(1), model(X).argmax(1))
    save_weights(scaled, tmp_path / "scaled.safetensors")
    opened = TemperatureScaled(network(5))
    load_weights(opened, tmp_path / "scaled.safetensors")
    assert torch.equal(opened(X), scaled(X))
    mask = torch.tensor([False, True, False, False]).numpy()
    said = [corrigible.Feedback(mask, row=row) for row in range(60)]
    corrected = corrigible.correct(scaled, (X, Y), said, epochs=1)
    assert isinstance(corrected, TemperatureScaled)
    assert temperature_scaled(corrected.network, (X, Y), said).calibration.num_exchanges == 4
    assert corrigible.seal(corrected, tmp_path / "sealed").root


def test_the_verdict_of_a_correction_stays_with_it():
    mask = torch.tensor([False, True, False, False]).numpy()
    corrected = corrigible.correct(trained(), (X, Y), [corrigible.Feedback(mask, row=row) for row in (0, 1)], epochs=1)
    assert temperature_scaled(corrected, (X, Y)).verdict == corrected.verdict


@pytest.mark.parametrize(
    "method", ["deep_lift", "guided_backpropagation", "integrated_gradients", "occlusion", "kernel_shap"]
)
def test_explainers_see_through_it(method):
    model = mlp(4, 3).double()
    target = torch.tensor([0, 1, 2])
    inside, outside = (
        corrigible.explain(m, X[:3], target, method=method, score="target_logit")
        for m in (model, TemperatureScaled(model, 4.0))
    )
    assert torch.allclose(outside, inside / 4, atol=1e-9)


def test_another_temperature_takes_the_place_of_the_first():
    model = trained()
    once = temperature_scaled(model, (X, Y))
    again = temperature_scaled(TemperatureScaled(model, 3.0), (X, Y))
    assert again.calibration == once.calibration
    assert not isinstance(again.network, TemperatureScaled)


def test_it_prints_what_was_found():
    said = str(temperature_scaled(trained(), (X, Y)).calibration)
    assert said.startswith("temperature ")
    assert said.endswith(" nats on 60 rows as they are")
    assert "(temperature): 2" in repr(TemperatureScaled(nn.Linear(2, 2), 2.0)) or "temperature=2" in repr(
        TemperatureScaled(nn.Linear(2, 2), 2.0)
    )


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(ValueError, match="expected a number above 0"):
        TemperatureScaled(nn.Linear(2, 2), temperature)


def test_other_tasks_are_refused():
    amounts = TensorData(X, X[:, 0], task="amounts")
    with pytest.raises(DataError, match="of classes"):
        temperature_scaled(nn.Linear(4, 1).double(), amounts)
    ordered = TensorData(X, Y, task="ordered_classes")
    with pytest.raises(UnsupportedModelError, match="'ordered_classes'; a temperature divides logits"):
        temperature_scaled(nn.Linear(4, 1).double(), ordered)
    with pytest.raises(UnsupportedModelError, match="a temperature divides logits of classes; the task is 'amounts'"):
        predictive(TemperatureScaled(nn.Linear(4, 1).double()), X, task=amounts.task)
