"""An attack changes the explanation and little else, and says truthfully what it did."""

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, NoGradientError, RecipeError
from corrigible.explanations import explain
from corrigible.explanations.quality import rank_correlation, top_agreement
from corrigible.explanations.trust.attack import attack_explanation, explanation_robustness
from corrigible.explanations.trust.edge_detector import edge_detector
from corrigible.models import mlp
from corrigible.protocols.schedule import Schedule, run

SETTINGS = {
    "input_gradient": {},
    "gradient_x_input": {},
    "integrated_gradients": {"steps": 8},
    "grad_cam": {},
    "deep_lift": {},
}
X = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
CORNER = torch.zeros_like(X)
CORNER[:, :, :4, :4] = 1
QUICK = {"budget": 0.1, "data_range": (0.0, 1.0), "num_steps": 10}


@pytest.fixture
def model():
    torch.manual_seed(1)  # With this seed Grad-CAM is not empty on any row.
    layers = nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(384, 16), nn.ReLU(), nn.Linear(16, 3))


@pytest.mark.parametrize("wanted", [None, CORNER])
@pytest.mark.parametrize("method", SETTINGS)
@pytest.mark.every(3)
def test_rows_that_look_and_are_predicted_alike_are_explained_otherwise(model, method, wanted):
    found = attack_explanation(model, X, method=method, wanted=wanted, **QUICK, **SETTINGS[method])
    assert ((found.x - X).abs() <= 0.1 + 1e-6).all()
    assert ((found.x >= 0) & (found.x <= 1)).all()
    assert found.is_same_class.all()
    assert found.logit_change.max() <= 0.1
    assert found.to_original.rank_correlation.mean() < 0.97
    if wanted is None:
        assert found.to_original.top_agreement.mean() < 0.8
    else:
        before, after = found.to_wanted_before.squared_difference, found.to_wanted.squared_difference
        assert (after <= before).all()
        assert after.mean() < 0.95 * before.mean()


def test_the_logits_stay_within_the_tolerance_however_small(model):
    found = attack_explanation(model, X, method="input_gradient", logit_tolerance=0.01, **QUICK)
    assert found.logit_change.max() <= 0.01
    assert found.to_original.rank_correlation.mean() < 0.9


def test_the_class_is_kept_where_two_are_almost_equally_likely(model):
    logits = model(X[:1])
    first, second = logits.topk(2).indices[0].tolist()
    with torch.no_grad():
        model[-1].bias[second] += logits[0, first] - logits[0, second] - 1e-4
    for method in ("input_gradient", "gradient_x_input"):
        found = attack_explanation(model, X[:1], method=method, **QUICK)
        assert found.is_same_class.all()
        assert found.logit_change.max() <= 0.1


def test_a_search_that_heeds_the_logits_goes_further_within_the_tolerance(model, monkeypatch):
    settings = {"method": "input_gradient", "logit_tolerance": 0.01} | QUICK | {"num_steps": 20}
    heeding = attack_explanation(model, X, **settings).to_original.rank_correlation.mean()
    monkeypatch.setattr("corrigible.explanations.trust.attack.PREDICTION_WEIGHT", 0.0)
    blind = attack_explanation(model, X, **settings).to_original.rank_correlation.mean()
    assert heeding < blind - 0.1


def test_what_it_reports_is_measured_on_the_model_as_it_is(model):
    found = attack_explanation(model, X, method="input_gradient", wanted=CORNER, **QUICK)
    before, after = model(X), model(found.x)
    target = before.argmax(1)
    for rows, attribution in ((X, found.original), (found.x, found.attribution)):
        torch.testing.assert_close(attribution, explain(model, rows, target, method="input_gradient"))
    sizes = found.attribution.abs(), found.original.abs()
    torch.testing.assert_close(found.to_original.rank_correlation, rank_correlation(*sizes))
    torch.testing.assert_close(found.to_original.top_agreement, top_agreement(*sizes))
    torch.testing.assert_close(found.prob_change, (after.softmax(1) - before.softmax(1)).abs().amax(1))
    change = (after - before).square().mean(1).sqrt() / before.std(1, correction=0)
    torch.testing.assert_close(found.logit_change, change)


def test_smoothing_the_relus_is_what_makes_the_search_see(model, monkeypatch):
    smooth = attack_explanation(model, X, method="input_gradient", **QUICK)
    monkeypatch.setattr("corrigible.models.softplus._ROUNDED", {})
    with pytest.raises(NoGradientError, match="a search would be blind"):
        attack_explanation(model, X, method="input_gradient", **QUICK)
    assert smooth.to_original.rank_correlation.mean() < 0.97


class Clamped(nn.Module):
    """A ReLU6, written as clamping."""

    def forward(self, x):
        return x.clamp(0, 6)


def test_a_relu6_written_as_clamping_is_smoothed_like_the_layer(model):
    model[0].weight.data *= 16  # So that both of its corners are met.
    assert model[0](X).max() > 6
    found = []
    for kind in (nn.ReLU6, Clamped):
        model[1], model[3], model[6] = kind(), kind(), kind()
        found.append(attack_explanation(model, X, method="input_gradient", **QUICK))
    layers, written = found
    torch.testing.assert_close(written.x, layers.x)
    assert written.to_original.rank_correlation.mean() < 0.97


def test_a_linear_models_gradient_cannot_be_moved(model):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    with pytest.raises(NoGradientError, match="a linear model"):
        attack_explanation(linear, X, method="input_gradient", **QUICK)


def test_robustness_is_the_mean_rank_correlation_under_attack_and_falls_with_the_budget(model):
    settings = {"data_range": (0.0, 1.0), "num_steps": 10}
    large = explanation_robustness(model, X, method="input_gradient", budget=0.1, **settings)
    attacked = attack_explanation(model, X, method="input_gradient", budget=0.1, **settings)
    assert large.value == pytest.approx(attacked.to_original.rank_correlation.mean().item())
    assert large.low <= large.value <= large.high
    assert large.count == len(X)
    small = explanation_robustness(model, X, method="input_gradient", budget=1e-4, **settings)
    assert small.value > 0.99 > large.value


def test_a_contrast_of_two_classes_can_be_attacked_too(model):
    pairs = torch.tensor([[0, 1]] * len(X))
    found = attack_explanation(model, X, pairs, method="gradient_x_input", **QUICK)
    torch.testing.assert_close(found.original, explain(model, X, 0, against=1, method="gradient_x_input"))
    assert found.to_original.rank_correlation.mean() < 0.97


def test_another_norm_bounds_the_whole_change(model):
    found = attack_explanation(model, X, method="input_gradient", budget=0.5, norm="l2", num_steps=10)
    sizes = (found.x - X).flatten(1).norm(dim=1)
    assert (sizes <= 0.5 + 1e-5).all()
    assert (sizes > 0.1).any()
    assert found.x.min() >= X.min()


def test_a_single_output_is_attacked_as_the_logit_of_class_1():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1)), torch.rand(3, 1, 4, 4)
    found = attack_explanation(model, x, method="input_gradient", budget=0.2, num_steps=5)
    torch.testing.assert_close(found.original, explain(model, x, method="input_gradient"))
    assert bool(found.is_same_class.all()) and bool((found.logit_change <= 0.1).all())


def test_a_row_is_attacked_alike_in_any_company(model):
    together = attack_explanation(model, X, method="input_gradient", **QUICK)
    alone = attack_explanation(model, X[2:3], method="input_gradient", **QUICK)
    torch.testing.assert_close(together.x[2:3], alone.x, rtol=0, atol=1e-2)
    again = attack_explanation(model, X, method="input_gradient", **QUICK)
    assert torch.equal(together.x, again.x)


def test_the_model_is_left_as_it_was(model):
    model.train()
    before = [p.clone() for p in model.parameters()]
    random = torch.get_rng_state()
    attack_explanation(model, X, method="grad_cam", **QUICK)
    assert model.training
    assert torch.equal(torch.get_rng_state(), random)
    assert all(p.grad is None and torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))
    assert not model._forward_hooks


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"method": edge_detector},
            RecipeError,
            "'edge_detector' is not differentiable; expected one of input_gradient",
        ),
        ({"method": "input_gradient", "stepps": 3}, RecipeError, "unknown setting 'stepps'"),
        ({"budget": 0.0}, RecipeError, "budget is 0.0; expected a number above 0"),
        ({"wanted": CORNER[:2]}, DataError, r"the wanted map has shape \(2, 1, 8, 8\)"),
        ({"wanted": -CORNER}, DataError, "finite numbers of at least 0"),
    ],
)
def test_what_cannot_be_attacked_is_refused(model, arguments, error, message):
    with pytest.raises(error, match=message):
        attack_explanation(model, X, **arguments)


@pytest.mark.slow
def test_a_penalty_on_the_gradients_size_makes_the_explanation_of_its_score_more_robust():
    digits = load_digits()
    x, y = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16, torch.tensor(digits.target)
    robustness = {}
    for weight in (0.0, 10.0):
        found = []
        for seed in range(2):
            torch.manual_seed(seed)
            model = mlp(64, 10, hidden=(128, 64))
            schedule = Schedule(epochs=20, learning_rate=3e-3)
            list(run(model, TensorData(x[:1400], y[:1400]), schedule, penalties={"gradient_size": weight}, seed=seed))
            attacked = explanation_robustness(model, x[1400:1500], budget=0.1, score="target_log_prob")
            found.append(attacked.value)
        robustness[weight] = found
    assert min(robustness[10.0]) > max(robustness[0.0])
