"""What feedback teaches, what may judge it, and what is refused."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from corrigible import Feedback, correct
from corrigible.data.dataset import TensorData
from corrigible.errors import FeedbackError, TrainingDivergedError
from corrigible.feedback.masks import fingerprint, marks_of
from corrigible.protocols.correction import correction, judge_of
from corrigible.protocols.schedule import Schedule
from corrigible.protocols.weight import WeightChoice, largest_of_the_best, starting_weight
from corrigible.training import Epoch

X = torch.randn(80, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 1] > 0).long()
X[:, 0] = 2.0 * Y - 1.0  # Tells the label, and must not matter.
FIRST = np.array([True, False, False, False])
SHORT = Schedule(epochs=2, batch_size=16)


@pytest.fixture
def fooled() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 2))
    return correct(model, (X, Y), [Feedback(FIRST, row=0)], penalties={}, epochs=20, learning_rate=0.01)


def gradient_on_first(model: nn.Module) -> float:
    x = X.clone().requires_grad_()
    logits = model(x)
    return float(torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), x)[0][:, 0].abs().mean())


def test_a_fooled_model_is_corrected_and_left_as_it_is(fooled):
    before = [p.clone() for p in fooled.parameters()]
    corrected = correct(fooled, (X, Y), [Feedback(FIRST, scope="dataset")], epochs=40, learning_rate=0.01)
    assert gradient_on_first(fooled) > 0.5
    assert gradient_on_first(corrected) < 0.3 * gradient_on_first(fooled)
    assert all(torch.equal(p, old) for p, old in zip(fooled.parameters(), before, strict=True))


def test_the_same_seed_gives_the_same_model_and_another_seed_another(fooled):
    first, second, other = (
        correct(fooled, (X, Y), [Feedback(FIRST, row=3)], epochs=2, seed=seed)[0].weight for seed in (5, 5, 6)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("weight", ["auto", 1.0])
def test_feedback_on_what_should_matter_is_not_taken_for_the_opposite(fooled, weight):
    said = [Feedback(FIRST, polarity="relevant", row=3)]
    with pytest.raises(FeedbackError, match=r"only says what should matter; right_reasons needs"):
        correct(fooled, (X, Y), said, penalties={"right_reasons": weight})


def test_relevant_rows_neither_judge_nor_set_a_weight():
    relevant = [Feedback(FIRST, polarity="relevant", row=row) for row in range(10, 40)]
    said = [Feedback(FIRST, row=3), *relevant]
    data = TensorData(X, Y)
    assert judge_of(data, marks_of(said, data), said, None, 0).rows.tolist() == [3]


def test_feedback_on_a_class_that_no_row_has_is_refused(fooled):
    said = [Feedback(FIRST, row=3), Feedback(FIRST, scope="class", label=7)]
    with pytest.raises(FeedbackError, match=r"class 7; the data has 0, 1"):
        correct(fooled, (X, Y), said)


def test_rules_are_judged_on_validation_rows_unless_these_have_no_such_class():
    data, said = TensorData(X, Y), [Feedback(FIRST, scope="class", label=1)]
    marks = marks_of(said, data)
    mixed, lacking = TensorData(X[:20], Y[:20]), TensorData(X[Y == 0], Y[Y == 0])
    assert judge_of(data, marks, said, mixed, 0).dataset is mixed
    assert judge_of(data, marks, said, lacking, 0).dataset is data


def test_a_rule_made_on_a_training_row_can_be_judged_on_fewer_validation_rows(fooled):
    said = [Feedback(FIRST, scope="dataset", row=70, fingerprint=fingerprint(X[70]))]
    correct(fooled, (X, Y), said, validation=(X[:20], Y[:20]), epochs=1)


def test_the_starting_weight_does_not_depend_on_how_the_rows_are_sorted(fooled):
    many, classes = X.repeat(4, 1), Y.repeat(4)
    weights = []
    for order in (torch.arange(len(many)), classes.argsort()):
        data = TensorData(many[order], classes[order])
        marks = marks_of([Feedback(FIRST, scope="dataset")], data)
        weights.append(starting_weight(fooled, data, marks, name="right_reasons", settings={}, seed=0))
    assert weights[0] == pytest.approx(weights[1], rel=0.5)


def test_what_should_matter_gets_its_first_weight_on_the_rows_where_it_was_said(fooled):
    second = np.array([False, True, False, False])
    data, said = TensorData(X, Y), [Feedback(second, polarity="relevant", row=row) for row in range(10, 20)]
    settings = {"attribution": "input_gradient"}
    for feedback in (said, [*said, Feedback(FIRST, row=3)]):
        marks = marks_of(feedback, data)
        assert starting_weight(fooled, data, marks, name="should_matter", settings=settings, seed=0) is not None


@pytest.mark.parametrize("num_good", [2, 0])
def test_weights_with_which_training_diverges_are_left_out(fooled, monkeypatch, num_good):
    trained = []

    def diverging(*arguments, **settings):
        trained.append(settings["penalties"]["energy_outside"]["weight"])
        if len(trained) > num_good:
            raise TrainingDivergedError("too large")
        yield from ()

    monkeypatch.setattr("corrigible.protocols.weight.run", diverging)
    running = correction(fooled, (X, Y), [Feedback(FIRST, row=3)], schedule=SHORT)
    if num_good == 0:
        with pytest.raises(TrainingDivergedError):
            list(running)
        return
    (choice,) = [record for record in running if isinstance(record, WeightChoice)]
    assert [trial.weight for trial in choice.trials] == trained[:2]
    assert choice.weight in trained[:2]


@pytest.mark.parametrize("num_good", [2, 0])
def test_weights_whose_swap_score_is_not_a_number_are_left_out(fooled, monkeypatch, num_good):
    judged = iter([0.5] * num_good)
    scores = "corrigible.protocols.weight.swap_log_likelihoods"
    monkeypatch.setattr(scores, lambda *a, **k: torch.tensor([-next(judged, math.nan)]))
    running = correction(fooled, (X, Y), [Feedback(FIRST, row=3)], schedule=SHORT)
    if num_good == 0:
        with pytest.raises(TrainingDivergedError, match="the swap score of row 3 is not a number"):
            list(running)
        return
    (choice,) = [record for record in running if isinstance(record, WeightChoice)]
    assert len(choice.trials) == num_good


@pytest.mark.parametrize(
    ("best", "tried"),
    [
        (10.0, [1, 3, 10, 30, 100]),
        (0.03, [1, 3, 10, 30, 100, 0.3, 0.1, 0.03, 0.01]),
        (1e-9, [1, 3, 10, 30, 100, 0.3, 0.1, 0.03, 0.01]),
        (300.0, [1, 3, 10, 30, 100, 300, 1000]),
        (1e9, [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000]),
    ],
)
def test_the_search_goes_on_beyond_an_end_that_is_the_best(fooled, monkeypatch, best, tried):
    weights = []

    def noting(*arguments, **settings):
        weights.append(settings["penalties"]["energy_outside"]["weight"])
        yield from ()

    monkeypatch.setattr("corrigible.protocols.weight.run", noting)
    monkeypatch.setattr("corrigible.protocols.weight.starting_weight", lambda *a, **k: 1.0)
    judged = "corrigible.protocols.weight.Judge.log_likelihoods"
    monkeypatch.setattr(judged, lambda *a: torch.full((5,), -abs(math.log(weights[-1] / best))))
    running = correction(fooled, (X, Y), [Feedback(FIRST, row=3)], schedule=SHORT)
    (choice,) = [record for record in running if isinstance(record, WeightChoice)]
    assert weights == pytest.approx(tried)
    assert choice.weight == pytest.approx(min(max(best, 0.01), 10_000))
    assert [(trial.number, trial.num_trials) for trial in choice.trials] == [
        (number, max(5, number)) for number in range(1, len(tried) + 1)
    ]


def test_of_weights_that_are_as_good_the_largest_is_taken():
    rows = -torch.arange(16.0)
    clearly = rows - 0.1
    hardly = rows - 0.1 - 0.5 * (-1.0) ** rows  # 0.1 behind in the mean; the standard error is about 0.5 / 4.
    assert largest_of_the_best({0: rows, 1: clearly}) == 0
    assert largest_of_the_best({0: rows, 1: clearly, 2: hardly}) == 2
    assert largest_of_the_best({-1: clearly, 0: rows, 1: rows, 2: clearly}) == 1
    assert largest_of_the_best({0: rows[:8], 1: hardly[:8]}) == 0  # too few to tell
    assert largest_of_the_best({0: rows[:10], 1: hardly[:10]}) == 1


def test_progress_ends_with_one_choice_and_the_epochs_that_were_asked_for(fooled):
    said = [Feedback(FIRST, row=row) for row in range(5)]
    told = list(correction(fooled, (X, Y), said, schedule=SHORT))
    (choice,) = [record for record in told if isinstance(record, WeightChoice)]
    best = max(choice.trials, key=lambda trial: trial.swap_score)
    assert choice.weight >= best.weight
    assert choice.weight in [trial.weight for trial in choice.trials]
    assert [record.number for record in told if isinstance(record, Epoch)] == [1, 2]
