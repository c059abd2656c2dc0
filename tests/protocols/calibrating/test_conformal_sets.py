"""Sets hold the label as often as was asked for, and are what the definition says."""

import math
from dataclasses import replace

import pandas as pd
import pytest
import torch
from torch import nn

import corrigible
from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError
from corrigible.models.bayes import bayesian
from corrigible.models.ensemble import Ensemble
from corrigible.models.predictive import predictive
from corrigible.protocols.calibrating.conformal import SCORES, conformal_sets, rank_of_threshold
from cue_data import Sees, cue_data


def noisy(num_rows: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of four classes as the rows, and labels drawn from them."""
    generator = torch.Generator().manual_seed(seed)
    x = 2 * torch.randn(num_rows, 4, generator=generator, dtype=torch.float64)
    return x, torch.multinomial(x.softmax(dim=1), 1, generator=generator)[:, 0]


def oddness(score: str, probs: list[float], label: int) -> float:
    if score == "least_ambiguous":
        return 1 - probs[label]
    return sum(p for other, p in enumerate(probs) if p > probs[label])


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(("num_rows", "alpha"), [(19, 0.05), (57, 0.1), (40, 0.333)])
def test_the_sets_are_those_of_the_definition(score, num_rows, alpha):
    (x, y), (new, _) = noisy(num_rows), noisy(30, seed=1)
    found = conformal_sets(nn.Identity(), (x, y), alpha=alpha, score=score)
    odd = sorted(oddness(score, x[row].softmax(0).tolist(), int(y[row])) for row in range(num_rows))
    threshold = odd[math.ceil((num_rows + 1) * (1 - alpha) - 1e-9) - 1]
    assert 1 / (1 + math.exp(-found.threshold)) == pytest.approx(threshold, abs=1e-12)
    expected = [[oddness(score, row.softmax(0).tolist(), k) <= threshold + 1e-12 for k in range(4)] for row in new]
    assert found.sets(new).tolist() == expected


@pytest.mark.parametrize(("num_rows", "alpha"), [(19, 0.05), (58, 0.1), (40, 0.333), (99, 0.25)])
def test_a_set_holds_the_classes_whose_p_value_is_above_alpha(num_rows, alpha):
    (x, y), (new, _) = noisy(num_rows, seed=4), noisy(200, seed=5)
    calibrating = 1 - x.softmax(dim=1).gather(1, y[:, None])
    scores = 1 - new.softmax(dim=1)
    p_values = (1 + (calibrating[:, :, None] >= scores).sum(dim=0)) / (num_rows + 1)
    assert torch.equal(conformal_sets(nn.Identity(), (x, y), alpha=alpha).sets(new), p_values > alpha + 1e-9)


@pytest.mark.parametrize("num_rows", [57, 120])
def test_they_are_the_sets_of_crepes(num_rows):
    """Where alpha (n + 1) is whole, crepes also keeps classes whose p-value is alpha."""
    crepes = pytest.importorskip("crepes")
    hinge = pytest.importorskip("crepes.extras").hinge
    (x, y), (new, _) = noisy(num_rows, seed=6), noisy(80, seed=7)
    odd = hinge(x.softmax(dim=1).numpy(), list(range(4)), y.numpy())
    theirs = crepes.ConformalClassifier().fit(odd)
    sets = theirs.predict_set(hinge(new.softmax(dim=1).numpy()), confidence=0.9, smoothing=False)
    assert conformal_sets(nn.Identity(), (x, y)).sets(new).tolist() == (torch.as_tensor(sets) > 0).tolist()


@pytest.mark.parametrize(
    ("num_rows", "alpha", "rank"),
    [(9, 0.1, 9), (19, 0.05, 19), (99, 0.01, 99), (20, 0.1, 19), (100, 0.1, 91), (1, 0.5, 1), (3, 0.7, 2)],
)
def test_the_rank_is_of_the_decimal_that_was_written(num_rows, alpha, rank):
    assert rank_of_threshold(num_rows, alpha) == rank


@pytest.mark.parametrize(("alpha", "least"), [(0.1, 9), (0.05, 19), (0.01, 99), (0.3, 3)])
def test_too_few_rows_are_refused_and_said(alpha, least):
    assert rank_of_threshold(least, alpha) == least
    with pytest.raises(DataError, match=f"expected at least {least} rows"):
        rank_of_threshold(least - 1, alpha)


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.37])
def test_new_rows_are_covered_as_often_as_asked_over_all_draws(alpha):
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(4000, 31, generator=generator, dtype=torch.float64)
    threshold = scores[:, :30].sort(dim=1).values[:, rank_of_threshold(30, alpha) - 1]
    covered = (scores[:, 30] <= threshold).double().mean().item()
    assert 1 - alpha - 0.015 <= covered <= 1 - alpha + 1 / 31 + 0.015


@pytest.mark.parametrize("score", SCORES)
def test_many_rows_are_covered(score):
    found = conformal_sets(nn.Identity(), noisy(2000), alpha=0.2, score=score)
    covered, size = found.coverage(noisy(2000, seed=1))
    assert (covered.metric, size.metric) == ("set_coverage", "mean_set_size")
    assert covered.value == pytest.approx(0.8, abs=0.03) if score == "least_ambiguous" else covered.value > 0.77
    assert covered.low <= covered.value <= covered.high
    assert 1 <= size.value <= 4


def test_adaptive_sets_are_never_empty_and_the_smallest_may_be():
    x, y = noisy(400)
    rows = noisy(400, seed=2)[0]
    assert bool(conformal_sets(nn.Identity(), (x, y), alpha=0.6, score="adaptive").sets(rows).any(dim=1).all())
    assert not bool(conformal_sets(nn.Identity(), (x, y), alpha=0.6).sets(rows).any(dim=1).all())


def test_calibrated_on_confounded_rows_they_miss_labels_where_the_cue_says_nothing():
    made, clean = cue_data("numbers", num_rows=600), cue_data("numbers", num_rows=600, seed=1)
    order = torch.randperm(600, generator=torch.Generator().manual_seed(2))
    x = clean.data.x.clone()
    x[:, 0] = x[order, 0]
    at_random = TensorData(x, clean.data.y)
    model = Sees(lambda x: made.cue(x) + 0.5 * made.signal(x) + x[:, 1:2] * torch.tensor([0.2, 0.0, 0.4]), 4.0)
    said = [corrigible.Feedback("scanner", scope="dataset")]
    naive, swapped = (conformal_sets(model, made.data, feedback) for feedback in (None, said))
    assert naive.coverage(at_random)[0].value < 0.6
    assert swapped.coverage(at_random)[0].value == pytest.approx(0.9, abs=0.04)
    assert swapped.coverage(clean.data, said)[0].value == pytest.approx(0.9, abs=0.04)
    assert "marked content exchanged" in str(swapped)
    assert "as they are" in str(naive)


def test_groups_are_measured_by_themselves():
    x, y = noisy(300)
    data = TensorData(x, y, torch.arange(300) % 2, group_names=("f", "m"))
    found = conformal_sets(nn.Identity(), noisy(100, seed=3))
    measured = {(m.metric, m.part): m for m in found.coverage(data, num_resamples=50)}
    sets = found.sets(x)
    for value, name in enumerate(("f", "m")):
        of = torch.arange(300) % 2 == value
        held = sets[of].gather(1, y[of][:, None]).double().mean().item()
        assert measured["set_coverage", f"group {name}"].value == pytest.approx(held)
        assert measured["mean_set_size", f"group {name}"].value == pytest.approx(sets[of].sum(1).double().mean().item())
        assert measured["set_coverage", f"group {name}"].count == 150
    assert measured["set_coverage", ""].count == 300


def test_the_mean_probabilities_of_samples_and_of_members_count():
    torch.manual_seed(0)
    x, y = noisy(60)
    for model, samples in ((bayesian(nn.Linear(4, 4)).double(), 4), (Ensemble([nn.Linear(4, 4) for _ in "ab"]), None)):
        model = model.double().eval()
        found = conformal_sets(model, (x, y), samples=samples)
        with torch.no_grad():
            values = predictive(model, x, samples=samples).values
        assert torch.equal(found.sets(x), (1 - values).logit() <= found.threshold + 1e-12)
        scores = (1 - values.gather(1, y[:, None])[:, 0]).logit().sort().values
        assert found.threshold == pytest.approx(scores[math.ceil(61 * 0.9) - 1].item())


def test_sets_of_arrays_are_those_of_tensors():
    x, y = noisy(60)
    found = conformal_sets(nn.Linear(4, 4), (x.float(), y))
    assert torch.equal(found.sets(x.float().numpy()), found.sets(x.float()))


class Sure(nn.Module):
    """Logits many times as large as the inputs; NaN where the first input is above ``most``."""

    def __init__(self, factor: float = 1.0, most: float = math.inf) -> None:
        super().__init__()
        self.factor, self.most = factor, most

    def forward(self, x):
        return self.factor * torch.where(x[:, :1] > self.most, torch.nan, x)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("samples", [1, 2])
def test_networks_that_are_surer_than_numbers_can_say_get_the_same_sets(score, samples):
    """A probability of 1 − 1e-100 is 1, but the order of the classes' odds is known."""
    (x, y), (new, labels) = noisy(300), noisy(300, seed=1)
    for factor in (100.0, 3000.0):
        model = Ensemble([Sure(factor)] * samples)
        found = conformal_sets(model, (x, y), alpha=0.1, score=score)
        assert found.sets(new).gather(1, labels[:, None]).double().mean().item() == pytest.approx(0.9, abs=0.05)
        assert found.sets(new).sum(dim=1).double().mean() < 2.5
        assert ("e^−" in str(found)) is (factor == 3000)
        odd = sorted((x.max(dim=1).values - x.gather(1, y[:, None])[:, 0]).tolist())[270]
        assert torch.equal(found.sets(new), new.max(dim=1, keepdim=True).values - new <= odd + 1e-9)


def test_ordered_labels_beside_the_sets_are_read_as_they_were():
    x, y = noisy(200)
    data = TensorData(x, y, task="ordered_classes")
    found = conformal_sets(nn.Linear(4, 3).double(), data)
    holds = found.sets(x[:40]).gather(1, y[:40, None]).double().mean().item()
    assert found.coverage((x[:40], y[:40]), num_resamples=0)[0].value == pytest.approx(holds)
    with pytest.raises(DataError, match="the task 'classes'; expected that"):
        found.coverage(TensorData(x, y))


def test_columns_in_another_order_are_refused():
    x, y = noisy(60)
    rows = pd.DataFrame(x.numpy(), columns=list("abcd"))
    other, model = rows[list("dcba")], nn.Linear(4, 4)
    found = conformal_sets(model, (rows, y))
    assert torch.equal(found.sets(rows), found.sets(x.float()))
    for asked in (
        lambda: found.sets(other),
        lambda: found.coverage((other, y)),
        lambda: conformal_sets(model, (rows, y), validation=(other, y)),
    ):
        with pytest.raises(DataError, match="columns in another order than .*: 'd' in place of 'a'"):
            asked()


def test_rows_whose_probabilities_are_nan_are_refused():
    x, y = noisy(400)
    row = int(x[:, 0].argmax())
    broken, found = Sure(most=float(x[row, 0]) - 1e-6), conformal_sets(Sure(), (x, y))
    for asked in (
        lambda: conformal_sets(broken, (x, y)),
        lambda: replace(found, model=broken).sets(x),
        lambda: replace(found, model=broken).coverage((x, y)),
    ):
        with pytest.raises(DataError, match=f"NaN on row {row} \\(1 such row"):
            asked()


def test_two_groups_of_one_name_are_both_measured():
    x, y = noisy(60)
    data = TensorData(x, y, torch.arange(60) % 3, group_names=("f", "m", "m"))
    found = conformal_sets(nn.Identity(), (x, y)).coverage(data, num_resamples=0)
    assert [m.part for m in found][:4] == ["", "group f", "group m (1)", "group m (2)"]


def test_what_cannot_be_asked_is_refused():
    for alpha in (1.0, 0, 1, -1, math.nan, "0.1", None, True):
        with pytest.raises(RecipeError, match="expected a number between 0 and 1"):
            conformal_sets(nn.Identity(), noisy(50), alpha=alpha)
    for score in ("largest", ["adaptive"], None):
        with pytest.raises(RecipeError, match="unknown score"):
            conformal_sets(nn.Identity(), noisy(50), score=score)
    for samples in (0, "8", 2.5):
        with pytest.raises(RecipeError, match="samples is"):
            conformal_sets(nn.Identity(), noisy(50), samples=samples)
    with pytest.raises(DataError, match="label 3; the model has 3 classes"):
        conformal_sets(nn.Linear(4, 3).double(), noisy(50))
    with pytest.raises(DataError, match="which the model cannot take"):
        conformal_sets(nn.Linear(4, 4).double(), noisy(50)).sets(torch.zeros(3, 5))
    with pytest.raises(DataError, match="8 rows cannot give 90 % sets; expected at least 9 rows"):
        conformal_sets(nn.Identity(), noisy(8))
