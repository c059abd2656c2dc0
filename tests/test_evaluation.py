import math
import sys
from functools import partial
from types import ModuleType

import numpy as np
import pytest
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError
from corrigible.evaluation import difference, evaluate, measure, observations_for
from corrigible.metrics import METRICS, accuracy, expected_calibration_error, gaps_of
from corrigible.observations import OBSERVATIONS, Observations, gather
from corrigible.tasks import task_named
from corrigible.types import Feedback, Pixels
from of_tasks import CHOICES, SAID, data_of, model_of

RNG = torch.Generator().manual_seed(0)
X = torch.randn(40, 3, generator=RNG)
Y, GROUP = torch.randint(2, (2, 40), generator=RNG)
DATA = TensorData(X, Y, GROUP, class_names=("ill", "well"), group_names=("north", "south"))
SITE = Pixels(np.array([False, True, False]))
RELEVANT = Pixels(np.array([True, False, True]))
FEEDBACK = [Feedback(SITE, row=row) for row in (3, 5, 8)]
FEEDBACK += [Feedback(RELEVANT, "relevant", row=row) for row in (5, 9)]


NEEDING = {
    "ordered_classes": ("quadratic_kappa",),
    "several_labels": ("label_accuracy", "exact_match", "macro_f1", "macro_auc"),
    "amounts": ("mean_absolute_error", "root_mean_squared_error", "r2", "spearman"),
    "normal": ("interval_coverage",),
    "quantiles": ("mean_pinball_loss", "quantile_calibration_error"),
    "counts": (
        "mean_poisson_deviance",
        "deviance_explained",
        "gini",
        "mean_tweedie_deviance",
        "group_mean_gap",
        "group_balance_gap",
    ),
    "positive_amounts": ("mean_gamma_deviance",),
    "ranking": ("pair_accuracy",),
}
"""Metrics that only some labels have."""


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def of_labels(predicted, y, **more):
    """Observations of a model that is certain."""
    probs = torch.eye(2, dtype=torch.float64)[predicted]
    return Observations({"probs": probs, "predicted": predicted, "y": y, **more}, torch.empty(0, dtype=torch.long), {})


def right(num_right, num_rows):
    """Observations of a model that is right on the first rows."""
    y = torch.ones(num_rows, dtype=torch.long)
    return of_labels((torch.arange(num_rows) < num_right).long(), y)


def suited(name):
    """Labels that the metric is about."""
    return next((choice for choice, names in NEEDING.items() if name in names), "classes")


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_can_be_evaluated(name):
    data = data_of(suited(name))
    found = evaluate(model_of(data), data, metrics=[name], feedback=SAID, num_resamples=20)
    assert all(m.metric == name and math.isfinite(m.value) and m.low <= m.high and m.count > 0 for m in found)


@pytest.mark.parametrize("name", METRICS)
def test_the_value_is_the_metrics_on_all_rows_it_is_about(name):
    data = data_of(suited(name))
    observations = gather(model_of(data), data, feedback=SAID)
    needs = observations_for([name])
    parts = {"class_accuracy": [{"label": 0}, {"label": 1}], "group_accuracy": [{"group_value": 0}, {"group_value": 1}]}
    expected = [METRICS[name](**observations.of(needs), **part).item() for part in parts.get(name, [{}])]
    assert [m.value for m in measure(observations, [name], num_resamples=0)] == expected


def test_a_metric_of_parts_is_measured_once_for_each(model):
    found = evaluate(model, DATA, metrics=["class_accuracy", "group_accuracy"], num_resamples=0)
    assert [m.part for m in found] == ["class ill", "class well", "group north", "group south"]
    assert [m.count for m in found] == [*Y.bincount().tolist(), *GROUP.bincount().tolist()]
    unnamed = evaluate(model, (X, Y), metrics=["class_accuracy"], num_resamples=0)
    assert [m.part for m in unnamed] == ["class 0", "class 1"]


def test_what_the_data_lacks_is_said(model):
    group, feedback = evaluate(model, (X, Y), metrics=["worst_group_accuracy", "flip_rate"])
    assert (group.value, group.count, group.note) == (None, 0, "not measured: needs group")
    assert (feedback.value, feedback.note) == (None, "not measured: needs feedback that marks irrelevant inputs")


def test_rows_without_irrelevant_inputs_are_left_out(model):
    found = evaluate(model, DATA, metrics=["accuracy", "flip_rate", "flip_effect"], feedback=FEEDBACK, num_resamples=0)
    assert [m.count for m in found] == [40, 3, 3]
    note = "left out, without irrelevant inputs: 37 rows"
    assert [m.note for m in found] == ["", note, note]


def test_rows_without_any_attribution_are_counted_apart():
    only_class_1 = nn.Linear(3, 2)
    only_class_1.weight.data = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 1.0]])
    everywhere = [Feedback(SITE, scope="dataset")]
    (found,) = evaluate(only_class_1, DATA, metrics=["attribution_overlap"], feedback=everywhere, num_resamples=0)
    assert (found.value, found.count) == (0.5, int((Y == 1).sum()))
    assert found.note == f"left out, without any attribution: {int((Y == 0).sum())} rows"


def test_rows_that_a_quality_says_nothing_about_are_counted_apart(model):
    marks = [Feedback(RELEVANT, "relevant", row=row) for row in (5, 9)]
    found = evaluate(model, DATA, metrics=["pointing_game_accuracy", "mean_relevance_mass"], feedback=marks)
    assert [m.count for m in found] == [2, 2]
    notes = [f"left out, without relevant inputs{more}: 38 rows" for more in ("", " or any attribution")]
    assert [m.note for m in found] == notes
    (missing,) = evaluate(model, DATA, metrics=["mean_relevance_rank"])
    assert (missing.value, missing.note) == (None, "not measured: needs feedback that marks relevant inputs")
    (not_gathered,) = measure(gather(model, DATA, names=["y"]), ["mean_sparseness"])
    assert not_gathered.note == "not measured: needs sparseness"


def test_what_is_undefined_on_these_rows_is_said():
    (found,) = measure(right(3, 8), ["auc"])
    assert (found.value, found.low, found.high, found.count) == (None, None, None, 8)
    assert found.note == "not defined on these rows; every row has the same label"


def test_the_interval_of_a_share_is_about_the_normal_one():
    (found,) = measure(right(300, 400), ["accuracy"])
    half = 1.96 * (0.75 * 0.25 / 400) ** 0.5
    assert found.low == pytest.approx(0.75 - half, abs=half / 8)
    assert found.high == pytest.approx(0.75 + half, abs=half / 8)


def test_every_metric_sees_the_same_resamples():
    def error_rate(predicted: Int[Tensor, " n"], y: Int[Tensor, " n"]) -> Float[Tensor, ""]:
        return 1 - accuracy(predicted, y)

    observations = right(30, 40)
    (share,) = measure(observations, ["accuracy"])
    error, _, together = measure(observations, [error_rate, "f1", "accuracy"])
    assert together == share
    assert (error.low, error.high) == (pytest.approx(1 - share.high), pytest.approx(1 - share.low))


def test_the_same_seed_gives_the_same_measurements(model):
    run = partial(evaluate, model, DATA, feedback=FEEDBACK, num_resamples=50)
    assert run(seed=1) == run(seed=1) != run(seed=2)


def test_no_resamples_no_interval():
    (found,) = measure(right(3, 8), ["accuracy"], num_resamples=0)
    assert (found.value, found.low, found.high) == (3 / 8, None, None)


def test_a_resample_where_the_metric_is_undefined_does_not_count():
    # Half of all resamples of two rows hold one class alone.
    (found,) = measure(of_labels(torch.tensor([0, 1]), torch.tensor([0, 1])), ["auc"])
    assert (found.value, found.low, found.high) == (1, 1, 1)


def test_own_metrics_are_functions_or_named(model, monkeypatch):
    def share_of_class_1(predicted: Int[Tensor, " n"], *, scale: float = 1.0) -> Float[Tensor, ""]:
        return (predicted == 1).double().mean() * scale

    module = ModuleType("my_metrics")
    module.share_of_class_1 = share_of_class_1
    monkeypatch.setitem(sys.modules, "my_metrics", module)
    metrics = [share_of_class_1, partial(share_of_class_1, scale=2.0), "my_metrics:share_of_class_1"]
    plain, doubled, named = evaluate(model, DATA, metrics=metrics, num_resamples=0)
    assert plain.metric == doubled.metric == "share_of_class_1"
    assert named.metric == "my_metrics:share_of_class_1"
    assert doubled.value == 2 * plain.value == 2 * named.value > 0


def test_a_metric_with_other_settings(model):
    observations = gather(model, DATA)
    (found,) = measure(observations, [partial(expected_calibration_error, num_bins=3)], num_resamples=0)
    assert found.metric == "expected_calibration_error"
    assert found.value == expected_calibration_error(**observations.of(["probs", "y"]), num_bins=3)


def test_an_unknown_metric_is_refused_with_the_right_name(model):
    with pytest.raises(RecipeError, match="did you mean 'flip_rate'"):
        evaluate(model, DATA, metrics=["fliprate"])


def test_unknown_observation_is_refused_with_the_right_name(model):
    with pytest.raises(RecipeError, match="unknown observation 'prob': did you mean 'probs'"):
        evaluate(model, DATA, metrics=[lambda prob: prob.mean()])


def test_a_metric_must_ask_for_observations(model):
    with pytest.raises(RecipeError, match="asks for no observations"):
        evaluate(model, DATA, metrics=[lambda *, a=1: a])


def test_a_metric_must_give_one_number(model):
    with pytest.raises(RecipeError, match=r"shape \(40,\); expected one number"):
        evaluate(model, DATA, metrics=[lambda predicted: predicted])


def test_a_setting_that_nobody_gives_is_refused(model):
    def at_threshold(probs, *, threshold):
        return (probs[:, 1] > threshold).double().mean()

    with pytest.raises(RecipeError, match="needs threshold"):
        evaluate(model, DATA, metrics=[at_threshold])


def test_evaluating_leaves_no_trace():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2))
    state, weights = torch.get_rng_state(), {n: v.clone() for n, v in model.state_dict().items()}
    evaluate(model, DATA, feedback=FEEDBACK, num_resamples=10)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_the_change_is_after_less_before():
    (found,) = difference(right(20, 40), right(30, 40), ["accuracy"])
    assert found.value == 0.25
    assert found.low < 0.25 < found.high
    assert found.count == 40


def test_a_model_does_not_differ_from_itself():
    for found in difference(right(20, 40), right(20, 40), ["accuracy", "f1", "class_accuracy"]):
        assert (found.value, found.low, found.high) == (0, 0, 0)


def test_the_interval_of_a_change_is_that_of_the_rows_that_changed():
    # Ten of forty rows changed, all for the better: the change in accuracy is the share of those rows.
    (change,) = difference(right(20, 40), right(30, 40), ["accuracy"])
    (share,) = measure(right(10, 40), ["accuracy"])
    assert change.low == pytest.approx(share.low, abs=0.03)
    assert change.high == pytest.approx(share.high, abs=0.03)
    before, after = (measure(right(n, 40), ["accuracy"])[0] for n in (20, 30))
    assert change.high - change.low < after.high - before.low


def test_a_change_needs_the_same_rows_and_observations(model):
    before = gather(model, DATA, feedback=FEEDBACK)
    for after in (
        gather(model, (X[:39], Y[:39], GROUP[:39]), feedback=FEEDBACK),
        gather(model, DATA, feedback=FEEDBACK[:2]),
        gather(model, DATA, feedback=FEEDBACK, names=["flipped"]),
        gather(model, DATA, feedback=FEEDBACK, names=OBSERVATIONS.keys() - {"sparseness"}),
    ):
        with pytest.raises(DataError, match="different rows"):
            difference(before, after)


def test_a_change_says_whose_rows_were_left_out():
    marked, names = torch.tensor([0, 1]), {"y": Y[:2], "predicted": Y[:2]}
    before, after = (
        Observations(names, marked, {"attribution_share": torch.tensor(share)})
        for share in ([0.5, 1.0], [0.25, torch.nan])
    )
    (found,) = difference(before, after, ["attribution_overlap"], num_resamples=0)
    assert (found.value, found.count) == (-0.5, 1)
    assert found.note == "before: all rows; after: left out, without any attribution: 1 row"


@pytest.mark.slow
def test_the_interval_holds_the_true_accuracy_about_95_times_in_100():
    generator = torch.Generator().manual_seed(0)
    held = 0
    for seed in range(250):
        predicted = (torch.rand(200, generator=generator) < 0.8).long()
        observations = of_labels(predicted, torch.ones_like(predicted))
        (found,) = measure(observations, ["accuracy"], num_resamples=200, seed=seed)
        held += found.low <= 0.8 <= found.high
    assert 0.91 <= held / 250 <= 0.98


@pytest.mark.slow
def test_the_paired_interval_holds_the_true_change_about_95_times_in_100():
    generator = torch.Generator().manual_seed(0)
    held = 0
    for seed in range(250):
        before = (torch.rand(200, generator=generator) < 0.6).long()
        # Each wrong row is put right with probability 1/2: accuracy goes from 0.6 to 0.8.
        after = torch.maximum(before, (torch.rand(200, generator=generator) < 0.5).long())
        y = torch.ones_like(before)
        (found,) = difference(of_labels(before, y), of_labels(after, y), ["accuracy"], num_resamples=200, seed=seed)
        held += found.low <= 0.2 <= found.high
    assert 0.91 <= held / 250 <= 0.98


every_task = pytest.mark.parametrize("choice", CHOICES)


@every_task
@pytest.mark.every(3)
def test_every_task_has_metrics_that_are_measured_by_default(choice):
    data = data_of(choice)
    model = model_of(data)
    found = evaluate(model, data, feedback=SAID, num_resamples=30)
    names = tuple(m.metric for m in found)
    assert names[: len(data.task.metrics)] == data.task.metrics
    assert set(names[len(data.task.metrics) :]) <= set(gaps_of(data.task))
    assert all(math.isfinite(m.value) and m.low <= m.high and m.count > 0 for m in found), found
    assert measure(gather(model, data, feedback=SAID), num_resamples=30) == found
    after = gather(model, data, feedback=SAID)
    assert {m.value for m in difference(after, after, num_resamples=5)} == {0.0}


@every_task
def test_what_a_metric_needs_and_the_task_lacks_is_said(choice):
    data = data_of(choice)
    found = {m.metric: m for m in evaluate(model_of(data), data, metrics=list(METRICS), feedback=SAID, num_resamples=3)}
    for name, needs in (
        ("accuracy", {"classes", "ordered_classes"}),
        ("auc", {"classes", "ordered_classes"}),
        ("expected_calibration_error", {"classes"}),
        ("aurc", {"classes"}),
        ("brier_score", {"classes", "ordered_classes"}),
        ("flip_rate", {"classes", "ordered_classes"}),
        ("quadratic_kappa", {"ordered_classes"}),
        ("label_accuracy", {"several_labels"}),
        ("mean_pinball_loss", {"quantiles"}),
        ("interval_coverage", {"normal"}),
        ("spearman", CHOICES.keys() - {"classes", "several_labels"}),
        ("mean_absolute_error", CHOICES.keys() - {"classes", "several_labels", "ranking"}),
        ("mean_shift", CHOICES.keys()),
        ("mean_loss", CHOICES.keys()),
    ):
        assert (found[name].value is not None) is (choice in needs), name
    unmeasured = [m for m in found.values() if m.value is None]
    assert unmeasured
    assert all(m.note.startswith(("not measured: needs ", "not defined on these rows")) for m in unmeasured)


@pytest.mark.parametrize(
    ("choice", "metric", "note"),
    [
        ("amounts", "accuracy", "predicted classes"),
        ("counts", "auc", "predicted classes"),
        ("several_labels", "f1", "predicted classes"),
        ("amounts", "flip_effect", "predicted classes"),
        ("classes", "r2", "predicted numbers"),
        ("ranking", "mean_absolute_error", "predicted numbers"),
        ("ordered_classes", "mean_poisson_deviance", "predicted amounts"),
        ("ordered_classes", "gini", "labels that are amounts"),
        ("classes", "spearman", "labels that have an order"),
        ("classes", "quadratic_kappa", "classes that have an order"),
        ("amounts", "macro_f1", "several labels per row"),
        ("amounts", "interval_coverage", "predicted standard deviations"),
        ("amounts", "mean_pinball_loss", "predicted quantiles"),
    ],
)
def test_no_number_is_made_of_other_labels_than_a_metric_is_about(choice, metric, note):
    data = data_of(choice)
    (found,) = evaluate(model_of(data), data, metrics=[metric], feedback=SAID)
    assert (found.value, found.low, found.count, found.note) == (None, None, 0, f"not measured: needs {note}")


def test_settings_do_not_change_which_labels_a_metric_is_about():
    data = data_of("several_labels")
    (found,) = evaluate(model_of(data), data, metrics=[partial(expected_calibration_error, num_bins=3)])
    assert found.note == "not measured: needs predicted classes that have no order"


def test_a_function_of_ones_own_may_be_about_any_labels():
    def mean_predicted(predicted):
        return predicted.double().mean()

    def mean_probability(probs):
        return probs.double().mean()

    data = data_of("amounts")
    mean, lacking = evaluate(model_of(data), data, metrics=[mean_predicted, mean_probability])
    assert mean.low < mean.value < mean.high
    assert lacking.note == "not measured: needs predicted probabilities"


def test_amounts_that_a_deviance_does_not_have_are_said():
    data = data_of("amounts")
    (found,) = evaluate(model_of(data), data, metrics=["mean_poisson_deviance"], num_resamples=3)
    assert found.value is None
    assert found.note.startswith("not defined on these rows; a prediction is not above 0")


@pytest.mark.parametrize("metrics", ["accuracy", {"accuracy": 1}, 3, [3]])
def test_metrics_that_are_no_list_of_names_are_refused(metrics):
    with pytest.raises(RecipeError, match="list"):
        measure(right(3, 8), metrics)


def test_a_generator_of_metrics_is_a_list(model):
    assert [m.metric for m in measure(right(3, 8), (name for name in ["accuracy"]))] == ["accuracy"]
    assert [m.metric for m in evaluate(model, DATA, metrics=iter(["accuracy"]), num_resamples=0)] == ["accuracy"]


def test_what_is_measured_by_default_asks_for_groups_only_where_there_are_some():
    x, y = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2
    model, group = torch.nn.Linear(3, 2), torch.arange(20) // 10
    without = [found.metric for found in evaluate(model, (x, y), num_resamples=0)]
    with_groups = [found.metric for found in evaluate(model, (x, y, group), num_resamples=0)]
    assert not any("group" in name for name in without)
    assert [name for name in with_groups if "group" not in name and not name.endswith("difference")] == without
    assert {"macro_group_accuracy", "worst_group_accuracy", *gaps_of(task_named("classes", y))} <= set(with_groups)


def test_of_two_classes_the_positive_one_is_named():
    model, rows = torch.nn.Linear(2, 2), TensorData(torch.randn(20, 2), torch.arange(20) % 2, class_names=("no", "yes"))
    told = {m.metric: m.note for m in evaluate(model, rows, metrics=["recall", "accuracy"], num_resamples=0)}
    assert told == {"recall": "the positive class is yes", "accuracy": ""}


@pytest.mark.parametrize(
    ("choice", "gaps"),
    [
        ("ordered_classes", {"group_accuracy_gap", "group_loss_gap"}),
        ("several_labels", {"group_loss_gap"}),
        ("counts", {"group_mean_gap", "group_balance_gap", "group_loss_gap"}),
        ("ranking", set()),
    ],
)
def test_of_groups_all_differences_that_mean_something_are_measured(choice, gaps):
    data = data_of(choice)
    found = {m.metric: m for m in evaluate(model_of(data), data, num_resamples=20)}
    assert {name for name in found if name.endswith(("_gap", "_difference"))} == gaps
    assert all(found[name].low is not None for name in gaps)
