import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from corrigible.data.dataset import TensorData
from corrigible.data.swapping import draw_donors, lent
from corrigible.errors import DataError, FeedbackError, UnsupportedModelError
from corrigible.explanations import explain
from corrigible.explanations.quality import (
    deletion_auc,
    insertion_auc,
    pointing_game,
    relevance_mass,
    relevance_rank,
    sparseness,
)
from corrigible.observations import OBSERVATIONS, gather
from corrigible.types import Columns, Features, Feedback, Pixels
from of_tasks import CHOICES, EXPOSURE, GROUP, SAID, SITE, data_of, model_of

RNG = torch.Generator().manual_seed(0)
OF_OTHER_TASKS = {"sd", "quantiles", "levels"}
NAMES = ("age", "site", "dose")
X = torch.randn(30, 3, generator=RNG)
X[:, 1] = torch.randint(2, (30,), generator=RNG)
Y = torch.randint(2, (30,), generator=RNG)
DATA = TensorData(X, Y, Y.roll(1), Columns(NAMES, NAMES, (False,) * 3), ("ill", "well"), ("north", "south"))
EVERY_ROW = [Feedback(Features(("site",)), scope="dataset")]
TWO_ROWS = [Feedback(Features(("site",)), row=4), Feedback(Features(("age", "dose")), row=7)]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))


def linear_model():
    layer = nn.Linear(3, 2)
    layer.weight.data = torch.tensor([[0.0, 0.0, 0.0], [1.0, -3.0, 4.0]])
    return layer


def test_probs_and_predicted_are_the_models_in_eval_mode():
    noisy = nn.Sequential(linear_model(), nn.Dropout(0.9), nn.BatchNorm1d(2, affine=False))
    observations = gather(noisy, DATA, names=["probs"], batch_size=7)
    expected = (noisy[0](X) / (1 + 1e-5) ** 0.5).softmax(dim=1)
    assert torch.allclose(observations.everywhere["probs"].float(), expected)
    assert torch.equal(observations.everywhere["predicted"], expected.argmax(dim=1))


def test_labels_groups_and_names_are_the_data_sets(model):
    observations = gather(model, DATA)
    assert torch.equal(observations.everywhere["y"], Y)
    assert torch.equal(observations.everywhere["group"], Y.roll(1))
    assert observations.class_names == ("ill", "well")
    assert observations.group_names == ("north", "south")


def test_flipped_matches_the_definition(model):
    observations = gather(model, DATA, names=["flipped", "swapped_hits"], feedback=TWO_ROWS, num_donors=6, seed=3)
    expected, expected_hits = [], []
    for row, columns in ((4, [1]), (7, [0, 2])):
        num_flips = num_hits = 0
        for donor in draw_donors(30, 6, seed=3).tolist():
            x = X[row].clone()
            x[columns] = X[donor, columns]
            num_flips += int(model(x[None]).argmax() != model(X[row][None]).argmax())
            num_hits += int(model(x[None]).argmax() == Y[row])
        expected.append(num_flips / 6)
        expected_hits.append(num_hits / 6)
    assert sum(expected) > 0
    assert 0 < sum(expected_hits) < 2
    assert observations.marked.tolist() == [4, 7]
    assert observations.on_marked["flipped"].tolist() == pytest.approx(expected)
    assert observations.on_marked["swapped_hits"].tolist() == pytest.approx(expected_hits)


def test_images_are_swapped_with_what_others_have_to_lend():
    x, y = torch.rand(6, 1, 2, 2, generator=torch.Generator().manual_seed(1)), torch.arange(6) % 2
    marked = torch.arange(24).view(6, 1, 2, 2) % 5 > 0
    said = [Feedback(marked[row, 0].numpy(), row=row) for row in range(6)]
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    model[1].weight.data = torch.tensor([[0.0, 0.0, 0.0, 0.0], [3.0, -2.0, 2.0, -3.0]])
    model[1].bias.data.zero_()
    observations = gather(model, TensorData(x, y), names=["swapped_hits"], feedback=said, num_donors=6)
    hits = [
        [(model(torch.where(marked[[row]], donors[[donor]], x[[row]])).argmax() == y[row]) for donor in range(6)]
        for donors in (lent(x, marked), x)
        for row in range(6)
    ]
    expected, as_they_are = torch.tensor(hits).double().mean(dim=1).view(2, 6)
    assert not torch.equal(expected, as_they_are)
    torch.testing.assert_close(observations.on_marked["swapped_hits"], expected)


def test_attribution_share_of_a_linear_model_is_its_weights_share():
    observations = gather(linear_model(), DATA, names=["attribution_share"], feedback=TWO_ROWS)
    # The label's gradient is ± (1, −3, 4), or 0 for the score of class 0, whose weights are 0.
    expected = torch.tensor([3 / 8, 5 / 8], dtype=torch.float64).where(Y[[4, 7]] == 1, torch.nan)
    assert torch.allclose(observations.on_marked["attribution_share"], expected, equal_nan=True)
    assert expected.isnan().any()
    assert not expected.isnan().all()


def test_attribution_share_takes_the_explainers_settings():
    settings = {"score": "target_log_prob"}
    observations = gather(
        linear_model(), DATA, names=["attribution_share"], feedback=TWO_ROWS, explainer_settings=settings
    )
    assert observations.on_marked["attribution_share"].tolist() == pytest.approx([3 / 8, 5 / 8])


def test_reflecting_flips_a_column_of_0_and_1(model):
    observations = gather(model, DATA, names=["reflected_probs"], feedback=EVERY_ROW, batch_size=7)
    x = X.clone()
    x[:, 1] = 1 - x[:, 1]
    assert torch.allclose(observations.on_marked["reflected_probs"].float(), model(x).softmax(dim=1))


def test_reflecting_mirrors_a_number_between_its_extremes(model):
    observations = gather(model, DATA, names=["reflected_probs"], feedback=TWO_ROWS)
    x = X[[7]].clone()
    x[:, [0, 2]] = X.amin(0)[[0, 2]] + X.amax(0)[[0, 2]] - x[:, [0, 2]]
    assert torch.allclose(observations.on_marked["reflected_probs"][[1]].float(), model(x).softmax(dim=1))


RELEVANT = [Feedback(Features(("age",)), "relevant", row=4), Feedback(Features(("dose", "site")), "relevant", row=11)]


def test_what_is_about_explanations_is_about_those_of_the_labels(model):
    observations = gather(model, DATA, feedback=RELEVANT, method="gradient_x_input", batch_size=7).everywhere
    attribution = explain(model, X, Y, method="gradient_x_input")
    for name, measure in (("deletion", deletion_auc), ("insertion", insertion_auc)):
        torch.testing.assert_close(observations[name], measure(model, X, Y, attribution))
    torch.testing.assert_close(observations["sparseness"], sparseness(attribution))
    marks = torch.zeros(30, 3, dtype=torch.bool)
    marks[4, 0] = marks[11, 1] = marks[11, 2] = True
    for name, against in (
        ("pointing", pointing_game),
        ("relevance_mass", relevance_mass),
        ("relevance_rank", relevance_rank),
    ):
        torch.testing.assert_close(observations[name], against(attribution, marks), equal_nan=True)
        assert observations[name].isfinite().nonzero().flatten().tolist() == [4, 11]


def test_columns_of_a_feature_are_deleted_together(model):
    columns = Columns(("age", "site=a", "site=b"), ("age", "site", "site"), (False, True, True))
    observations = gather(model, TensorData(X, Y, columns=columns), names=["deletion"]).everywhere
    attribution = explain(model, X, Y, method="input_gradient", columns=columns)
    neutral = torch.tensor([0, 0.5, 0.5])
    expected = deletion_auc(model, X, Y, attribution, groups=torch.tensor([0, 1, 1]), baseline=neutral)
    torch.testing.assert_close(observations["deletion"], expected)


def test_explanations_are_looked_at_only_where_asked_and_marked(model):
    basic = {"probs", "predicted", "y", "group"}
    assert gather(model, DATA, names=["flipped"], feedback=RELEVANT).everywhere.keys() == basic
    assert gather(model, DATA, names=["pointing"], feedback=EVERY_ROW).everywhere.keys() == basic
    assert gather(model, DATA, names=["pointing"], feedback=RELEVANT).everywhere.keys() == basic | {"pointing"}
    always = {"deletion", "insertion", "sparseness", "exposure", "query", "loss"}
    assert gather(model, DATA).everywhere.keys() == basic | always


@pytest.mark.parametrize("feedback", [EVERY_ROW + RELEVANT[:1], TWO_ROWS + RELEVANT])
def test_batch_size_changes_nothing(model, feedback):
    large, small = (gather(model, DATA, feedback=feedback, batch_size=size) for size in (256, 4))
    for name in OBSERVATIONS.keys() - OF_OTHER_TASKS:
        assert torch.allclose(large.of([name])[name], small.of([name])[name], equal_nan=True)


def test_only_what_was_asked_for_is_gathered_on_marked_rows(model):
    assert gather(model, DATA, names=["flipped"], feedback=EVERY_ROW).on_marked.keys() == {"flipped"}
    assert gather(model, DATA, names=["y"], feedback=EVERY_ROW).on_marked == {}


@pytest.mark.parametrize(
    "feedback",
    [[], [Feedback(Features(("site",)), "relevant", row=2)], [Feedback(Pixels(np.zeros(3, dtype=bool)), row=2)]],
)
def test_without_irrelevant_inputs_no_row_is_marked(model, feedback):
    observations = gather(model, DATA, feedback=feedback)
    assert observations.marked.tolist() == []
    assert observations.on_marked == {}


def test_observations_of_every_row_come_on_the_marked_ones_where_needed(model):
    observations = gather(model, DATA, feedback=TWO_ROWS)
    together = observations.of(["flipped", "y"])
    assert torch.equal(together["y"], Y[[4, 7]])
    assert len(together["flipped"]) == 2
    assert torch.equal(observations.of(["y"])["y"], Y)


def test_any_map_style_data_set_will_do(model):
    rows = [(x.numpy(), int(y)) for x, y in zip(X, Y, strict=True)]
    feedback = [Feedback(Pixels(np.array([False, True, False])), row=4)]
    from_rows, from_tensors = (gather(model, data, feedback=feedback) for data in (rows, (X, Y)))
    about_relevant = {name for name, known in OBSERVATIONS.items() if known.about == "relevant"}
    for name in OBSERVATIONS.keys() - {"group"} - about_relevant - OF_OTHER_TASKS:
        assert torch.allclose(from_rows.of([name])[name], from_tensors.of([name])[name], equal_nan=True)
    assert "group" not in from_rows.everywhere


class InPlaceNegation(nn.Module):
    def forward(self, x):
        return x.neg_()


def test_a_model_that_works_in_place_changes_no_observations(model):
    negated = nn.Linear(3, 8)
    negated.weight.data, negated.bias.data = -model[0].weight.data, model[0].bias.data
    in_place = nn.Sequential(InPlaceNegation(), negated, *model[1:])
    before, names = X.clone(), ["flipped", "reflected_probs"]
    found, expected = (gather(m, DATA, names=names, feedback=EVERY_ROW) for m in (in_place, model))
    assert torch.equal(X, before)
    for name in ("probs", "flipped", "reflected_probs"):
        assert torch.allclose(found.of([name])[name], expected.of([name])[name])


def test_the_model_and_the_random_state_stay_as_they_were():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
    model[2].eval()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    modes, state = [m.training for m in model.modules()], torch.get_rng_state()
    gather(model, DATA, feedback=EVERY_ROW)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert [m.training for m in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert not any(m._forward_hooks for m in model.modules())


class NoisyLinear(nn.Linear):
    """Draws at each call, even in eval mode."""

    def forward(self, x):
        return super().forward(x) + torch.randn(len(x), 2)


def test_a_model_that_draws_from_the_global_generator_is_refused():
    with pytest.raises(UnsupportedModelError, match="the model is random"):
        gather(NoisyLinear(3, 2), DATA, names=["probs"])


def test_probabilities_that_are_nan_are_refused(model):
    model[0].weight.data[0, 0] = torch.nan
    with pytest.raises(DataError, match=r"NaN on row 0 \(30 such rows\)"):
        gather(model, DATA)


def test_a_label_the_model_has_no_class_for_is_refused(model):
    with pytest.raises(DataError, match="row 2 has label 2; the model has 2 classes"):
        gather(model, (X[:3], torch.tensor([0, 1, 2])))


def test_feedback_on_a_row_that_is_not_there_is_refused(model):
    with pytest.raises(FeedbackError, match="row 30"):
        gather(model, DATA, feedback=[Feedback(Features(("site",)), row=30)])


def test_rows_that_the_model_cannot_take_are_refused_in_words():
    with pytest.raises(DataError, match=r"x has shape \(30, 3\), which the model cannot take"):
        gather(nn.Linear(5, 2), DATA)


def test_a_model_in_double_precision_is_measured_on_single_precision_rows():
    assert gather(nn.Linear(3, 2).double(), DATA, feedback=EVERY_ROW).on_marked["flipped"].isfinite().all()


def test_the_loss_of_classes_is_their_cross_entropy(model):
    loss = gather(model, DATA, names=["loss"]).everywhere["loss"]
    torch.testing.assert_close(loss.float(), cross_entropy(model(X), Y, reduction="none"))


def test_a_single_logit_per_row_is_that_of_class_1():
    single, double = nn.Linear(3, 1), nn.Linear(3, 2)
    for of_two, of_one in ((double.weight, single.weight), (double.bias, single.bias)):
        of_two.data = torch.cat([torch.zeros_like(of_one), of_one.data])
    found, expected = (gather(m, DATA, feedback=EVERY_ROW).everywhere for m in (single, double))
    for name in ("probs", "loss"):
        torch.testing.assert_close(found[name], expected[name])


every_task = pytest.mark.parametrize("choice", CHOICES)


@every_task
def test_every_task_is_observed(choice):
    data = data_of(choice)
    model = model_of(data)
    found = gather(model, data, feedback=SAID, num_donors=6)
    with torch.no_grad():
        outputs = data.task.outputs(model(data.x)).double()
    observed = data.task.observed(outputs)
    for name, values in observed.items():
        torch.testing.assert_close(found.everywhere[name], values)
    torch.testing.assert_close(found.everywhere["loss"], data.task.loss(outputs, data.y, data.extra).double())
    assert found.task is data.task
    has_classes = choice in ("classes", "ordered_classes")
    assert ({"flipped", "swapped_hits", "reflected_probs"} <= found.on_marked.keys()) is has_classes
    others = OBSERVATIONS.keys() - {"flipped", "swapped_hits", "reflected_probs", "probs", *OF_OTHER_TASKS}
    assert others <= found.everywhere.keys() | found.on_marked.keys()


@every_task
def test_shift_and_swapped_loss_match_their_definition(choice):
    data = data_of(choice)
    model, task = model_of(data), data.task
    found = gather(model, data, names=["shift", "swapped_loss"], feedback=SAID, num_donors=6, seed=3).on_marked
    rows = torch.tensor([3, 5, 8, 20])
    extra = {name: values[rows] for name, values in data.extra.items()}
    with torch.no_grad():
        before, shifts, losses = task.outputs(model(data.x[rows])).double(), [], []
        for donor in draw_donors(60, 6, seed=3).tolist():
            x = data.x[rows].clone()
            x[:, 1] = data.x[donor, 1]
            after = task.outputs(model(x)).double()
            shifts.append(task.moved(after, before))
            losses.append(task.loss(after, data.y[rows], extra))
    torch.testing.assert_close(found["shift"], torch.stack(shifts).mean(dim=0).double())
    torch.testing.assert_close(found["swapped_loss"], torch.stack(losses).mean(dim=0).double())
    assert bool(((found["shift"] > 0) & (found["shift"] <= 1)).all())


@every_task
@pytest.mark.every(3)
def test_batch_size_changes_nothing_for_any_task(choice):
    data = data_of(choice)
    model = model_of(data)
    large, small = (gather(model, data, feedback=SAID, num_donors=2, batch_size=size) for size in (256, 5))
    for first, second in ((large.everywhere, small.everywhere), (large.on_marked, small.on_marked)):
        assert first.keys() == second.keys()
        for name in first:
            torch.testing.assert_close(first[name], second[name], equal_nan=True, msg=name, rtol=1e-4, atol=1e-5)


@every_task
def test_inputs_that_the_model_ignores_move_nothing(choice):
    data = data_of(choice)
    model = model_of(data)
    model[0].weight.data[:, 1] = 0
    found = gather(model, data, names=["shift", "attribution_share"], feedback=SAID).on_marked
    # Some processors round float32 products by where a row stands in its batch.
    assert found["shift"].abs().max() < 1e-6
    assert found["attribution_share"].abs().max() == 0


@every_task
def test_explanations_are_of_what_the_task_explains(choice):
    data = data_of(choice)
    model = model_of(data)
    found = gather(model, data, names=["attribution_share"], feedback=SAID, method="gradient_x_input")
    target = data.y if choice == "classes" else None
    size = explain(model, data.x, target, task=data.task, method="gradient_x_input").abs()[[3, 5, 8, 20]]
    torch.testing.assert_close(found.on_marked["attribution_share"], (size[:, 1] / size.sum(dim=1)).double())


def test_curves_of_amounts_are_of_the_number_that_is_explained():
    data = data_of("amounts")
    layer = nn.Linear(3, 1)
    found = gather(layer, data, names=["deletion", "insertion"], method="gradient_x_input").everywhere
    with torch.no_grad():
        whole, empty = layer(data.x)[:, 0], layer(torch.zeros(1, 3))[0, 0]
    # Of a linear model, inputs taken from the top and put in from the top change the number by the same amounts.
    torch.testing.assert_close(found["deletion"] + found["insertion"], (whole + empty).double())


def test_the_mean_per_unit_of_exposure_has_its_exposure_beside():
    for choice, expected in (("counts", EXPOSURE), ("positive_amounts", EXPOSURE), ("amounts", torch.ones(60))):
        data = data_of(choice)
        observations = gather(model_of(data), data, names=["exposure"])
        torch.testing.assert_close(observations.everywhere["exposure"], expected.double())


def test_an_exposure_that_the_task_has_no_use_for_changes_nothing():
    data = TensorData(X, X[:, 0], task="amounts", extra={"exposure": 2 * torch.ones(30)})
    assert gather(nn.Linear(3, 1), data, names=["exposure"]).everywhere["exposure"].tolist() == [1] * 30


def test_marks_of_a_class_are_refused_where_labels_are_no_classes():
    data = data_of("amounts")
    with pytest.raises(FeedbackError, match="labels of the task 'amounts' are no classes"):
        gather(model_of(data), data, names=["shift"], feedback=[Feedback(SITE, scope="class", label=3)])


def test_outputs_that_do_not_fit_the_task_are_refused():
    with pytest.raises(UnsupportedModelError, match=r"the task 'amounts' expects \(batch, 1\)"):
        gather(nn.Linear(3, 2), data_of("amounts"))


def test_predictions_that_are_infinite_are_refused():
    layer = nn.Linear(3, 1)
    layer.bias.data[:] = 1e6
    with pytest.raises(DataError, match=r"predictions are NaN or infinite on row 0 \(60 such rows\)"):
        gather(layer, data_of("counts"))


def test_a_map_style_data_set_carries_its_task():
    class Rows:
        task = "amounts"

        def __len__(self):
            return 60

        def __getitem__(self, row):
            return data_of("amounts").x[row], float(data_of("amounts").y[row]), int(GROUP[row])

    data = data_of("amounts")
    found, expected = (gather(model_of(data), rows, feedback=SAID, names=["shift", "loss"]) for rows in (Rows(), data))
    torch.testing.assert_close(found.on_marked["shift"], expected.on_marked["shift"])
    torch.testing.assert_close(found.everywhere["loss"], expected.everywhere["loss"])
