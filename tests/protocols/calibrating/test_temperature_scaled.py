"""A temperature is the most likely one, on rows in which marked content is exchanged, and scales all there is."""

import copy
import math
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from torch import nn

import corrigible
from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.models import mlp
from corrigible.models.bayes import bayesian
from corrigible.models.bayes.gaussian_weights import GaussianWeights
from corrigible.models.ensemble import Ensemble
from corrigible.models.packed import packed
from corrigible.models.predictive import predictive
from corrigible.models.temperature import TemperatureScaled
from corrigible.models.weights import load_weights, save_weights
from corrigible.protocols.calibrating.exchanged_rows import calibration_rows, exchanged_logits
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
    assert corrigible.seal(scaled, tmp_path / "sealed").root


SAID = [corrigible.Feedback(torch.tensor([False, True, False, False]).numpy(), row=row) for row in (0, 1)]


def test_what_is_still_true_stays_with_it():
    corrected = corrigible.correct(trained(), (X, Y), SAID, epochs=1)
    corrected.enforced = "the gap of a network that is as sure as before"
    scaled = temperature_scaled(corrected, (X, Y))
    assert scaled.verdict == corrected.verdict
    assert not hasattr(scaled, "enforced")
    limited = corrigible.limit_influence(trained(), (X, Y), inputs=SAID[0].region)
    assert str(temperature_scaled(limited, (X, Y)).limited) == str(limited.limited)


def test_a_calibrated_network_is_not_trained_on():
    scaled = temperature_scaled(trained(), (X, Y))
    for trains in (
        lambda: corrigible.correct(scaled, (X, Y), SAID, epochs=1),
        lambda: corrigible.train(scaled, (X, Y), epochs=1),
        lambda: corrigible.enforce(scaled, (X, Y, torch.arange(60) % 2), epochs=1),
    ):
        with pytest.raises(UnsupportedModelError, match="give the network inside, model.network, and calibrate"):
            trains()
    with pytest.raises(UnsupportedModelError, match="layer 'members.0' .* inside, model.members.0.network"):
        corrigible.train(Ensemble([scaled]), (X, Y), epochs=1)


def test_layers_keep_their_modes():
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 2)).double()
    model[1].eval()
    scaled = temperature_scaled(model.requires_grad_(False), (X, Y))
    assert [module.training for module in scaled.network.modules()] == [module.training for module in model.modules()]


@pytest.mark.parametrize("seed", [25, 33, 102, 135])
def test_of_several_minima_the_least_is_found(seed):
    """The likelihood of a mean over networks may have several maxima."""
    generator = torch.Generator().manual_seed(seed)
    mean = 2 * torch.randn(1, 10, 3, generator=generator).double()
    passes = mean + 3 * torch.randn(5, 10, 3, generator=generator).double()
    passes *= 10 ** float(2 * torch.rand(1, generator=generator))
    y = torch.multinomial(mean[0].softmax(dim=1), 1, generator=generator)[:, 0]
    least = negative_log_likelihood(passes, y, best_temperature(passes, y))
    tried = [1.0, *torch.logspace(-2, 2, 60).tolist()]
    assert least <= min(negative_log_likelihood(passes, y, value) for value in tried)


def test_rows_whose_probabilities_are_nan_are_refused():
    class Broken(nn.Linear):
        def forward(self, x):
            return super().forward(x) + torch.where(x[:, :1] == X[37, 0], math.inf, 0.0)

    with pytest.raises(DataError, match=r"NaN on row 37 \(1 such row"):
        temperature_scaled(Broken(4, 2).double(), (X, Y))


def test_columns_in_another_order_are_refused():
    rows = pd.DataFrame(X.numpy(), columns=list("abcd"))
    other, model = rows[list("dcba")], trained().float()
    scaled = temperature_scaled(model, (rows, Y))
    for asked in (
        lambda: temperature_scaled(model, (rows, Y), validation=(other, Y)),
        lambda: temperature_scaled(scaled, (other, Y)),
    ):
        with pytest.raises(DataError, match="columns in another order than .*: 'd' in place of 'a'"):
            asked()


@pytest.mark.parametrize(
    ("factor", "right", "words"),
    [
        (1e6, 0.8, r"logits are so large \(50 rows\) that a temperature above 100"),
        (1e-5, 0.8, r"logits are so small \(50 rows\) that a temperature below 0.01"),
        (1e6, 1.0, r"predicts every row right \(50 rows\)"),
        (1e6, 0.2, r"no better than by chance \(50 rows\)"),
        (0.0, 0.8, r"no better than by chance \(50 rows\)"),
    ],
)
def test_a_refusal_says_what_was_found(factor, right, words):
    y = torch.arange(50) % 3
    predicted = torch.where(torch.arange(50) < 50 * right, y, (y + 1) % 3)
    logits = factor * nn.functional.one_hot(predicted, 3).double()
    with pytest.raises(DataError, match=words):
        best_temperature(logits.repeat(4, 1)[None], y.repeat(4), num_exchanges=4)


def test_outputs_with_named_parts_are_read_as_elsewhere():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = trained()

        def forward(self, x):
            return {"loss": None, "logits": self.inside(x)}

    scaled = temperature_scaled(Named(), (X, Y))
    assert torch.allclose(scaled(X), trained()(X) / scaled.calibration.temperature)


def test_wrappers_are_taken_off():
    members = Ensemble([trained(0), trained(1)])
    assert torch.equal(TemperatureScaled(nn.DataParallel(members), 3.0)(X), TemperatureScaled(members, 3.0)(X))


def test_the_temperature_is_where_the_network_is():
    model = trained()
    with torch.device("meta"):
        assert TemperatureScaled(model, 2.0).temperature.device.type == "cpu"


def test_it_is_made_like_any_other_inside_inference_mode():
    model = trained()
    with torch.inference_mode():
        scaled = temperature_scaled(model, (X, Y))
    assert scaled(X).requires_grad
    assert not any(value.is_inference() for value in scaled.state_dict().values())


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


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan, "2", None, True])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(RecipeError, match="expected a number above 0"):
        TemperatureScaled(nn.Linear(2, 2), temperature)


@pytest.mark.parametrize("samples", [0, "8", 2.5])
def test_samples_that_are_no_number_are_refused(samples):
    with pytest.raises(RecipeError, match="samples is"):
        temperature_scaled(trained(), (X, Y), samples=samples)


def test_any_seed_settles_the_exchanges():
    assert temperature_scaled(trained(), (X, Y), SAID, seed=10**15).calibration.num_exchanges == 4


def test_other_tasks_are_refused():
    amounts = TensorData(X, X[:, 0], task="amounts")
    with pytest.raises(DataError, match="of classes"):
        temperature_scaled(nn.Linear(4, 1).double(), amounts)
    ordered = TensorData(X, Y, task="ordered_classes")
    with pytest.raises(UnsupportedModelError, match="'ordered_classes'; a temperature divides logits"):
        temperature_scaled(nn.Linear(4, 1).double(), ordered)
    with pytest.raises(UnsupportedModelError, match="a temperature divides logits of classes; the task is 'amounts'"):
        predictive(TemperatureScaled(nn.Linear(4, 1).double()), X, task=amounts.task)


@pytest.mark.parametrize(("outcome", "count"), [("failed", 1), ("corrected", 0)])
def test_calibrating_what_failed_is_warned_of(outcome, count, caplog):
    model = nn.Linear(2, 2)
    model.verdict = SimpleNamespace(outcome=outcome)
    rows = calibration_rows((torch.randn(12, 2), torch.arange(12) % 2), None, None)
    exchanged_logits(model, rows, num_exchanges=1, samples=None, seed=0)
    assert len([said for said in caplog.messages if "correction of this network failed" in said]) == count
