"""The losses of tasks against the distributions of scipy and the deviances of scikit-learn."""

import importlib

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics

from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.tasks import task_named

GENERATOR = np.random.default_rng(0)
Y = GENERATOR.normal(100, 20, 50)
COUNTS = GENERATOR.poisson(1.3, 50).astype(float)
COSTS = GENERATOR.gamma(2.0, 150.0, 50)


def tensor(values) -> torch.Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float64)


def test_amounts_are_normal_up_to_a_constant() -> None:
    task, mean = task_named("amounts", tensor(Y)), Y + GENERATOR.normal(0, 5, 50)
    found = task.loss(tensor(mean)[:, None], tensor(Y), {}).numpy()
    expected = -stats.norm(mean, Y.std()).logpdf(Y) - np.log(Y.std()) - np.log(2 * np.pi) / 2
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert task.quality(tensor(mean)[:, None], tensor(Y), {}).mean().item() == pytest.approx(metrics.r2_score(Y, mean))


def test_amounts_with_a_variance_of_each_row_are_normal_up_to_a_constant() -> None:
    task = task_named({"name": "amounts", "heteroscedastic": True}, tensor(Y))
    mean, log_variance = Y + 3, GENERATOR.normal(0, 1, 50)
    outputs = tensor(np.stack([mean, log_variance], axis=1))
    sd = Y.std() * np.exp(log_variance / 2)
    expected = -stats.norm(mean, sd).logpdf(Y) - np.log(Y.std()) - np.log(2 * np.pi) / 2
    np.testing.assert_allclose(task.loss(outputs, tensor(Y), {}).numpy(), expected, atol=1e-9)
    np.testing.assert_allclose(task.observed(outputs)["sd"].numpy(), sd)


def test_two_normal_passes_combine_to_their_mixture() -> None:
    task = task_named({"name": "amounts", "heteroscedastic": True}, tensor(Y))
    passes = tensor([[[90.0, 0.1]], [[120.0, -1.0]]])
    found = task.observed(task.combined(passes))
    variances = Y.var() * np.exp([0.1, -1.0])
    assert found["predicted"].item() == pytest.approx(105.0)
    assert found["sd"].item() == pytest.approx(np.sqrt(variances.mean() + 15.0**2))


def test_counts_are_poisson_with_their_exposure() -> None:
    task, log_rate, exposure = (
        task_named("counts", tensor(COUNTS)),
        GENERATOR.normal(0, 1, 50),
        GENERATOR.uniform(0.1, 2, 50),
    )
    extra = {"exposure": tensor(exposure)}
    found = task.loss(tensor(log_rate)[:, None], tensor(COUNTS), extra).numpy()
    np.testing.assert_allclose(found, -stats.poisson(np.exp(log_rate) * exposure).logpmf(COUNTS), atol=1e-9)
    explained = task.quality(tensor(log_rate)[:, None], tensor(COUNTS), {}).mean().item()
    assert explained == pytest.approx(metrics.d2_tweedie_score(COUNTS, np.exp(log_rate), power=1))


@pytest.mark.parametrize("power", [2.0, 1.5, 1.2])
def test_positive_amounts_have_the_deviance_of_scikit_learn(power: float) -> None:
    task = task_named({"name": "positive_amounts", "power": power}, tensor(COSTS))
    log_mean = np.log(COSTS.mean()) + GENERATOR.normal(0, 0.5, 50)
    explained = task.quality(tensor(log_mean)[:, None], tensor(COSTS), {}).mean().item()
    assert explained == pytest.approx(metrics.d2_tweedie_score(COSTS, np.exp(log_mean), power=power))
    # The loss and half the deviance differ by what does not depend on the prediction, in units of the mean label.
    other = tensor(log_mean + 0.3)[:, None]
    change = task.loss(other, tensor(COSTS), {}) - task.loss(tensor(log_mean)[:, None], tensor(COSTS), {})
    deviance = [
        metrics.mean_tweedie_deviance(COSTS / COSTS.mean(), np.exp(of) / COSTS.mean(), power=power)
        for of in (log_mean + 0.3, log_mean)
    ]
    assert change.mean().item() == pytest.approx((deviance[0] - deviance[1]) / 2)


@pytest.mark.parametrize("choice", ["counts", "positive_amounts", {"name": "positive_amounts", "power": 1.5}])
def test_a_mean_that_is_tiny_or_large_gives_a_finite_loss(choice) -> None:
    y = torch.tensor([1.0, 2.0, 5.0])
    task, outputs = task_named(choice, y), torch.tensor([[-80.0], [80.0], [0.0]], requires_grad=True)
    task.loss(outputs, y, {}).sum().backward()
    assert bool(outputs.grad.isfinite().all())


def test_a_gamma_loss_is_the_likelihood_of_shape_1() -> None:
    task, log_mean = task_named("positive_amounts", tensor(COSTS)), np.log(COSTS.mean()) + GENERATOR.normal(0, 0.5, 50)
    expected = -stats.expon(scale=np.exp(log_mean)).logpdf(COSTS) - np.log(COSTS.mean())
    np.testing.assert_allclose(task.loss(tensor(log_mean)[:, None], tensor(COSTS), {}).numpy(), expected, atol=1e-9)


def test_quantiles_have_the_pinball_loss_of_scikit_learn() -> None:
    levels = [0.05, 0.5, 0.8]
    task = task_named({"name": "quantiles", "levels": levels}, tensor(Y))
    predicted = np.sort(GENERATOR.normal(100, 20, (50, 3)), axis=1)
    expected = np.mean([metrics.mean_pinball_loss(Y, predicted[:, k], alpha=level) for k, level in enumerate(levels)])
    crossed = tensor(predicted[:, [2, 0, 1]])
    assert task.loss(crossed, tensor(Y), {}).mean().item() == pytest.approx(expected / Y.std())
    np.testing.assert_allclose(task.values(crossed).numpy(), predicted)
    assert task.observed(crossed)["predicted"].tolist() == predicted[:, 1].tolist()


def test_each_quantile_begins_in_a_unit_of_its_own() -> None:
    generator = torch.Generator().manual_seed(0)
    normal = 5 + 3 * torch.randn(20_000, generator=generator)
    assert task_named("quantiles", normal).start[1] == pytest.approx((3, 3, 3), rel=0.05)
    skewed = (2 * torch.randn(20_000, generator=generator)).exp()
    low, middle, high = task_named("quantiles", skewed).start[1]
    assert 2 * low < middle < high / 3 and high < skewed.std()
    assert min(task_named("quantiles", torch.tensor([0.0] * 99 + [1.0])).start[1]) > 0
    assert min(task_named("quantiles", torch.ones(9)).start[1]) > 0


def test_several_labels_have_the_log_loss_of_each() -> None:
    y, logits = GENERATOR.integers(0, 2, (50, 3)), GENERATOR.normal(0, 2, (50, 3))
    task, probs = task_named("several_labels", torch.tensor(y)), 1 / (1 + np.exp(-logits))
    found = task.loss(tensor(logits), task.check(torch.tensor(y)), {}).mean().item()
    assert found == pytest.approx(np.mean([metrics.log_loss(y[:, k], probs[:, k]) for k in range(3)]))
    assert task.strata(torch.tensor([[0, 0, 0], [1, 1, 1]])).tolist() == [0, int(y.sum(axis=0).argmin()) + 1]


def test_a_ranking_compares_the_pairs_of_a_query() -> None:
    y, query = torch.tensor([1.0, 2.0, 2.0, 0.0]), torch.tensor([0, 0, 0, 1])
    task, s = task_named("ranking", y), torch.tensor([0.5, -0.2, 1.0, 3.0]).double()
    pair = [float(torch.nn.functional.softplus(s[0] - s[k])) for k in (1, 2)]
    found = task.loss(s[:, None], y, {"query": query})
    assert found.tolist() == pytest.approx([sum(pair) / 2, pair[0], pair[1], 0.0])
    assert task.quality(s[:, None], y, {"query": query}).tolist()[:3] == [0.5, 0.0, 1.0]
    assert task.quality(s[:, None], y, {"query": query})[3].isnan()
    everywhere = task.quality(s[:, None], y, {})
    assert everywhere[3].item() == 0.0


@pytest.mark.parametrize(
    ("choice", "y", "message"),
    [
        ("amount", [1.0], "did you mean 'amounts'"),
        ({"name": "amounts", "units": "€"}, [1.0, 2.0], "did you mean 'unit'"),
        ({"name": "quantiles", "levels": [0.9, 0.1]}, [1.0, 2.0], "ascending"),
        ({"name": "quantiles", "levels": [0.0, 0.5]}, [1.0, 2.0], "between 0 and 1"),
        ({"name": "positive_amounts", "power": 1.0}, [1.0, 2.0], "above 1 and at most 2"),
    ],
)
def test_an_unknown_task_or_setting_is_refused(choice, y: list[float], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        task_named(choice, torch.tensor(y))


@pytest.mark.parametrize(
    ("choice", "y", "message"),
    [
        ("amounts", [1.0, float("nan")], "row 1 is nan"),
        ("amounts", [[1.0, 2.0]], "one number per row"),
        ("counts", [1.5, 2.0], "whole numbers"),
        ("counts", [-1.0, 2.0], "at least 0"),
        ("positive_amounts", [0.0, 2.0], "above 0"),
        ({"name": "positive_amounts", "power": 1.5}, [-1.0, 2.0], "at least 0"),
        ("several_labels", [0, 1], "expects \\(row, label\\)"),
        ("several_labels", [[0, 2]], "y holds 2"),
        ("ordered_classes", [0.5, 1.0], "whole numbers"),
        ("classes", [1.7, 2.0], "regression"),
        ("classes", [[0, 1]], "several_labels"),
        ("classes", [-1, 2], "from 0 up"),
    ],
)
def test_labels_that_do_not_fit_are_refused(choice, y: list, message: str) -> None:
    with pytest.raises(DataError, match=message):
        task_named(choice, torch.tensor(y))


def test_outputs_of_another_shape_are_refused() -> None:
    task = task_named("quantiles", tensor(Y))
    with pytest.raises(UnsupportedModelError, match="expects \\(batch, 3\\)"):
        task.outputs(torch.zeros(4, 2))
    with pytest.raises(UnsupportedModelError, match="with places"):
        task.outputs(torch.zeros(4, 3, 8, 8))
    assert task_named("amounts", tensor(Y)).outputs(torch.zeros(4)).shape == (4, 1)


def test_the_facts_about_counts_are_those_of_rates() -> None:
    exposure = tensor(GENERATOR.uniform(0.1, 3, 400))
    y = torch.poisson(2 * exposure, generator=torch.Generator().manual_seed(0))
    for unit in (1.0, 365.0):
        task = task_named("counts", y, {"exposure": exposure * unit})
        rate = float((y.sum() / (exposure * unit).sum()).log())
        assert task.start[0][0] == pytest.approx(rate)
        outputs = torch.full((400, 1), rate, dtype=torch.float64)
        assert task.quality(outputs, y, {"exposure": exposure * unit}).mean().item() == pytest.approx(0.0, abs=1e-9)


def test_a_ranking_without_anything_to_compare_is_refused() -> None:
    with pytest.raises(DataError, match="no two rows of the same query"):
        task_named("ranking", torch.arange(4.0), {"query": torch.arange(4)})


def test_many_pairs_are_compared_a_part_at_a_time(monkeypatch) -> None:
    y, outputs = tensor(Y), tensor(Y + GENERATOR.normal(0, 10, 50))[:, None]
    task = task_named("ranking", y)
    whole = task.quality(outputs, y, {})
    monkeypatch.setattr(importlib.import_module("corrigible.tasks.ranking"), "MOST_PAIRS", 120)
    assert torch.equal(task.quality(outputs, y, {}), whole)


@pytest.mark.parametrize("num_classes", [-3, 1, 2])
def test_fewer_classes_than_labels_are_refused(num_classes: int) -> None:
    with pytest.raises(RecipeError, match="expected at least 3"):
        task_named({"name": "ordered_classes", "num_classes": num_classes}, torch.tensor([0, 1, 2]))


def test_whole_numbers_beyond_32_bits_are_kept() -> None:
    assert task_named("amounts", torch.tensor([20_000_001, 5])).check(torch.tensor([20_000_001]))[0] == 20_000_001
