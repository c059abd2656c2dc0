"""A gap between groups is reached on rows that were not learned from, without the attribute."""

import copy
import logging
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import corrigible
from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError, SealError
from corrigible.group_gaps import GroupSettings
from corrigible.models.predictive import all_outputs
from corrigible.protocols.fairness import enforced
from corrigible.protocols.fairness.enforced import _measurements, _with_interval, compared_groups
from corrigible.protocols.fairness.enforcing import gap_term, reach
from corrigible.protocols.fairness.judged_groups import KINDS, gap_by_chance, judged_groups
from corrigible.protocols.fairness.lesson import usual
from corrigible.protocols.fairness.ruined import quality_of_guess
from corrigible.protocols.schedule import Schedule

NUM_RESAMPLES = enforced.NUM_RESAMPLES
EPOCHS = {"epochs": 4, "batch_size": 64, "learning_rate": 0.01, "progress": False}


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enforced, "NUM_RESAMPLES", 10)


def rows_of(num_rows: int, seed: int = 0, *, task: str = "classes") -> TensorData:
    """The label depends on two inputs, of which the first also tells the group."""
    generator = torch.Generator().manual_seed(seed)
    group = torch.arange(num_rows) % 2
    x = torch.randn(num_rows, 3, generator=generator)
    x[:, 0] += 1.2 * group
    score = x[:, 0] + x[:, 1]
    if task == "classes":
        y = (score + torch.randn(num_rows, generator=generator) > 0.5).long()
        return TensorData(x, y, group, group_names=("a", "b"))
    extra = {"exposure": torch.rand(num_rows, generator=generator) * 0.5 + 0.5, "age": 50 + 10 * x[:, 0]}
    y = torch.poisson(extra["exposure"] * (0.4 * score - 0.5).exp(), generator=generator)
    return TensorData(x, y, group, extra=extra, task=task)


def network(num_outputs: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, num_outputs))


def fitted(data: TensorData, num_outputs: int) -> nn.Module:
    settings = {"epochs": 10, "learning_rate": 0.01, "seed": 0, "progress": False}
    return corrigible.train(network(num_outputs), data, **settings)


@pytest.fixture(scope="module")
def classes() -> tuple[nn.Module, TensorData]:
    data = rows_of(1000)
    return fitted(data, 2), data


def gap_of(model: nn.Module, data: TensorData, group: torch.Tensor | None = None) -> float:
    group = data.group if group is None else group
    decided = all_outputs(model, data.x).argmax(dim=1).double()
    means = [decided[group == value].mean() for value in group.unique()]
    return float(max(means) - min(means))


@pytest.mark.slow
def test_the_gap_is_reached_on_validation_and_on_other_rows(classes):
    model, data = classes
    validation, test = rows_of(1000, 1), rows_of(4000, 2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = corrigible.enforce(model, data, gap=0.1, validation=validation, **{**EPOCHS, "epochs": 10})
    assert gap_of(model, test) > 0.3
    assert gap_of(found, validation) == pytest.approx(found.enforced.reached, abs=1e-9)
    assert found.enforced.has_reached
    assert gap_of(found, validation) <= 0.1 and gap_of(found, test) < 0.15
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.slow
def test_without_validation_rows_each_half_judges_the_other(classes):
    model, data = classes
    found = corrigible.enforce(model, data, "equal_opportunity", gap=0.08, **EPOCHS)
    assert found.enforced.has_reached
    said = str(found.enforced)
    assert said.startswith("equal_opportunity: asked for a gap of 0.080, reached ")
    assert "on rows that the trials did not learn from" in said
    assert "accuracy: " in said and "equalized odds gap: " in said
    assert "<b>equal_opportunity" in found.enforced._repr_html_()


@pytest.mark.slow
def test_a_gap_that_another_opens_is_said(classes):
    model, data = classes
    found = corrigible.enforce(model, data, gap=0.05, **EPOCHS)
    calibration = next(change for change in found.enforced.change if change.metric == "group_calibration gap")
    assert calibration.low > 0
    assert "other gaps rose: " in found.enforced.line and "group calibration gap" in found.enforced.line


@pytest.mark.slow
def test_prices_are_equal_on_average_and_an_age_says_little():
    data = rows_of(1000, task="counts")
    model = fitted(data, 1)
    for settings in ({"gap": 0.2}, {"gap": 0.15, "sensitive": "age"}):
        found = corrigible.enforce(model, data, **settings, **EPOCHS)
        parity = [measured[2] for measured in (found.enforced.before, found.enforced.after)]
        assert parity[0].metric == "demographic_parity gap" and parity[0].value > 0.3 > parity[1].value
        assert found.enforced.has_reached


def test_a_gap_that_is_there_already_changes_nothing(classes):
    model, data = classes
    found = corrigible.enforce(model, data, gap=0.9, **EPOCHS)
    assert found.enforced.weight == 0
    assert found.enforced.line.endswith("it is there already, nothing was trained for it")
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), model.parameters(), strict=True))


def test_what_no_weight_reaches_is_said_in_one_line(classes, caplog):
    model, data = classes
    with caplog.at_level(logging.WARNING, "corrigible"):
        found = corrigible.enforce(model, data, gap=0.01, epochs=1, learning_rate=1e-6, progress=False)
    assert not found.enforced.has_reached
    assert any("no weight of" in record.message and "reaches it" in record.message for record in caplog.records)


def test_intervals_hold_their_gaps_and_start_at_0_where_groups_are_alike_but_for_chance(classes, monkeypatch):
    model, data = classes
    monkeypatch.setattr(enforced, "NUM_RESAMPLES", NUM_RESAMPLES)
    many = TensorData(data.x, data.y, torch.randperm(len(data), generator=torch.Generator().manual_seed(0)) % 25)
    judged = judged_groups(model, many, GroupSettings())
    was, now, by = compared_groups(judged, judged, seed=0)
    for measured in [one for one in (*was, *now) if one.value is not None]:
        assert measured.low <= measured.value <= measured.high
    parity = next(measured for measured in now if measured.metric == "demographic_parity gap")
    assert parity.value > 0.2 and parity.low < parity.value - 0.1
    assert all(change.value is None or change.low == change.value == change.high == 0 for change in by)


def test_rows_of_weight_0_are_no_rows_to_judge_by(classes):
    model, data = classes
    weight = (data.group == 0).float()
    weight[1:40:2] = 1.0
    with pytest.raises(DataError, match="fewer than two groups have 30 rows to judge by"):
        corrigible.enforce(model, replace(data, weight=weight), gap=0.1, **EPOCHS)


def test_what_hardly_any_resample_has_gets_no_interval():
    draws = torch.tensor([[0.1, 0.2], [0.3, math.nan], [0.2, 0.4]], dtype=torch.float64)
    first, second = _measurements(["a gap", "b gap"], [0.2, 0.3], draws, 40)
    assert first.low < 0.2 < first.high and second.low is second.high is None
    assert _with_interval(second) == "0.300 (interval not measured)"


def test_how_often_each_group_is_decided_for_is_told_by_name_before_and_after(classes):
    model, data = classes
    named = replace(data, group_names=("f", "m"), class_names=("refused", "granted"))
    found = corrigible.enforce(model, named, gap=0.1, **EPOCHS).enforced
    rates = [all_outputs(model, data.x).argmax(dim=1)[data.group == group].double().mean().item() for group in (0, 1)]
    assert [group.before for group in found.groups] == pytest.approx(rates)
    after = next(measured for measured in found.after if measured.metric == "demographic_parity gap")
    assert abs(found.groups[1].after - found.groups[0].after) == pytest.approx(after.value)
    assert "  decided for granted: f " in str(found) and "(500 rows); m " in str(found)
    assert "<th>decided for granted</th>" in found._repr_html_()


def test_values_of_one_of_several_attributes_keep_their_names(classes):
    model, data = classes
    age = (torch.arange(len(data)) // 2 % 3).long()
    names = ("f, 18-30", "f, 30-60", "f, 60+", "m, 18-30", "m, 30-60", "m, 60+")
    both = replace(data, group=data.group * 3 + age, group_names=names, extra={"sex": data.group, "age": age})
    for sensitive, expected in (("sex", ["f", "m"]), ("age", ["18-30", "30-60", "60+"]), (None, list(names))):
        asked = {"gap": 0.99, "sensitive": sensitive}
        found = corrigible.enforce(model, both, **asked, **EPOCHS).enforced.groups
        assert [group.name for group in found] == expected
    found = corrigible.enforce(model, replace(both, group_names=()), gap=0.99, sensitive="sex", **EPOCHS).enforced
    assert [group.name for group in found.groups] == ["sex 0", "sex 1"]
    # Groups that these attributes do not form: of another attribute, and of names with commas.
    other = replace(data, group_names=("old", "young"), extra={"region": 1 - data.group})
    pairs = replace(other, group_names=("Bern, CH", "Rom, IT"), extra={"sex": data.group, "job": age})
    for rows, sensitive in ((other, "region"), (pairs, "sex")):
        found = corrigible.enforce(model, rows, gap=0.99, sensitive=sensitive, **EPOCHS).enforced
        assert [group.name for group in found.groups] == [f"{sensitive} 0", f"{sensitive} 1"]


def test_what_chance_brings_among_small_groups_is_said(classes):
    """A gap that is asked for below it is one that equal groups would not have."""
    model, data = classes
    many = TensorData(data.x, data.y, torch.arange(len(data)) % 25, class_names=("refused", "granted"))
    judged = judged_groups(model, many, GroupSettings())
    gaps = []
    for seed in range(200):
        group = many.group.clone()
        for label in (0, 1):
            rows = (many.y == label).nonzero().flatten()
            group[rows] = group[rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))]]
        gaps.append(gap_of(model, data, group))
    found = gap_by_chance(judged, KINDS["demographic_parity"], 0)
    assert found == pytest.approx(float(torch.tensor(gaps).quantile(0.95)), rel=0.1)
    line = corrigible.enforce(model, many, gap=0.05, **{**EPOCHS, "epochs": 1}).enforced.line
    assert line.startswith("demographic_parity (positive: granted): asked for a gap of 0.050")
    assert "among so few rows of each group chance alone brings up to 0." in line


def test_small_groups_are_named_and_too_few_refused(classes):
    model, data = classes
    group = data.group.clone()
    group[:7] = 2
    named = TensorData(data.x, data.y, group, group_names=("a", "b", "c"))
    found = corrigible.enforce(model, named, gap=0.9, **EPOCHS)
    assert found.enforced.note == "not judged, of fewer than 30 rows: c (7 rows)"
    alone = TensorData(data.x, data.y, torch.zeros_like(group))
    with pytest.raises(DataError, match="fewer than two groups have 30 rows to judge by .1 group in 1,000 rows.; exp"):
        corrigible.enforce(model, alone, gap=0.1, **EPOCHS)


@pytest.mark.parametrize(
    ("penalty", "settings", "words"),
    [
        ("gradient_size", {}, "penalty 'gradient_size' closes no gap between groups"),
        ("demographic_parity", {"gap": 0.0}, r'has weight "auto" and gap 0.0; expected a gap above 0'),
        (
            "demographic_parity",
            {"gap": 10.0},
            r"gap 10, and rates differ by at most 1; expected .* write gap = 0.1",
        ),
        ("demographic_parity", {"sharp": 1.0}, "sharp"),
        ("parity", {}, "parity"),
    ],
)
def test_what_cannot_be_enforced_is_refused(classes, penalty, settings, words):
    model, data = classes
    with pytest.raises(RecipeError, match=words):
        corrigible.enforce(model, data, penalty, **settings, **EPOCHS)


def test_a_last_run_that_decides_alike_about_all_is_not_kept(classes):
    model, data = classes
    term = gap_term({"demographic_parity": {"weight": "auto", "gap": 0.05}})
    blind, alike = copy.deepcopy(model), copy.deepcopy(model)
    with torch.no_grad():
        blind[0].weight[:, 0] = 0.0
        for parameter in alike.parameters():
            parameter.zero_()
        alike[-1].bias[0] = 3.0

    def teach(weight, rows):
        return alike if rows is None else blind

    found, search, _ = reach(model, data, replace(term, gap=gap_of(blind, data) + 0.01), teach, validation=None, seed=0)
    assert search.has_reached and found is blind


def test_a_copy_that_decides_alike_about_all_is_no_success(classes, caplog, tmp_path):
    model, data = classes

    def decide_alike(taught):
        with torch.no_grad():
            taught[-1].weight.zero_()
            taught[-1].bias.copy_(torch.tensor([0.0, 1.0]))

    with caplog.at_level(logging.WARNING, "corrigible"):
        found = corrigible.enforce(model, data, gap=0.1, finish=decide_alike, **{**EPOCHS, "epochs": 1})
    assert found.enforced.has_reached
    assert "the copy predicts no better than a constant guess (accuracy 0." in found.enforced.line
    assert found.enforced.line in [record.message for record in caplog.records]
    with pytest.raises(SealError, match="cannot seal it: the copy predicts no better"):
        corrigible.seal(found, tmp_path / "sealed")
    assert corrigible.seal(found, tmp_path / "sealed", anyway=True)


def test_a_constant_guess_is_the_commonest_class_or_the_mean():
    data = rows_of(200)
    judged = judged_groups(network(2), data, GroupSettings())
    assert quality_of_guess(judged) == pytest.approx(max(data.y.double().mean(), 1 - data.y.double().mean()))
    counts = rows_of(200, task="counts")
    judged = judged_groups(network(1), counts, GroupSettings())
    others = [replace(judged, outputs=torch.full((200, 1), at, dtype=torch.float64)).quality for at in (-1.0, 0.0)]
    assert quality_of_guess(judged) == pytest.approx(0.0, abs=1e-3) and quality_of_guess(judged) > max(others)


def test_few_rows_are_not_passed_until_they_are_known_by_heart():
    assert [usual(Schedule(), rows, epochs=None).epochs for rows in (300, 4000, 10**5)] == [20, 10, 8]
