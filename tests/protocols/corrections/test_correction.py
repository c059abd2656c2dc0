"""What feedback teaches, what may judge it, and what is refused."""

import math
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from corrigible import Feedback, correct
from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, FeedbackError, NoGradientError, RecipeError, TrainingDivergedError
from corrigible.feedback.checks import as_list
from corrigible.feedback.masks import fingerprint, marks_of
from corrigible.objective import terms_of
from corrigible.protocols.corrections.correction import correction
from corrigible.protocols.corrections.defaults import MethodChosen
from corrigible.protocols.corrections.judged_rows import rows_to_judge
from corrigible.protocols.corrections.starting_weight import starting_weight
from corrigible.protocols.corrections.verdict import FELL, Verdict
from corrigible.protocols.corrections.weight import WeightChoice, WeightTrial
from corrigible.protocols.schedule import Schedule, require_range, require_whole
from corrigible.protocols.training_facts import Known
from corrigible.training import Epoch

X = torch.randn(80, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 1] > 0).long()
X[:, 0] = 2.0 * Y - 1.0  # Tells the label, and must not matter.
FIRST, FIRST_OF_FIVE = np.arange(4) == 0, np.arange(5) == 0
SHORT = Schedule(epochs=2, batch_size=16)


@pytest.fixture(scope="module")
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


def test_a_model_that_was_corrected_before_is_told_of(fooled, caplog):
    said = [Feedback(FIRST, row=3)]
    once = correct(fooled, (X, Y), said, epochs=1)
    assert "was corrected before" not in caplog.text
    correct(once, (X, Y), said, epochs=1)
    assert "was corrected before, and this may undo it; give all feedback together" in caplog.text


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
    (fold,) = rows_to_judge(data, marks_of(said, data), said, None).folds(0)
    assert fold.judge.exchanges.swap_index.tolist() == [3]


def test_feedback_on_a_class_that_no_row_has_is_refused(fooled):
    said = [Feedback(FIRST, row=3), Feedback(FIRST, scope="class", label=7)]
    with pytest.raises(FeedbackError, match=r"class 7; the data has 0, 1"):
        correct(fooled, (X, Y), said)


@pytest.mark.parametrize("how", [{}, {"penalties": {"right_reasons": 1.0}}])
@pytest.mark.parametrize("said", [{"scope": "dataset"}, {"row": 3}])
def test_what_is_the_same_in_every_row_is_refused_because_nothing_can_be_measured(fooled, said, how):
    same = X.clone()
    same[:, 0] = 1.0
    with pytest.raises(FeedbackError, match=r"all compared rows \(training\) hold the same where they are marked"):
        correct(fooled, (same, Y), [Feedback(FIRST, **said)], **how)
    correct(fooled, (same, Y), [Feedback(FIRST, **said)], penalties={}, epochs=1)  # Which nothing is measured of.


def test_feedback_on_rows_of_another_split_is_refused_and_rules_made_there_are_not(fooled):
    with pytest.raises(FeedbackError, match="of the split 'test' would mark the training rows of the same numbers"):
        correct(fooled, (X, Y), [Feedback(FIRST, row=3, split="test")])
    correct(fooled, (X, Y), [Feedback(FIRST, row=3, split="test", scope="dataset")], epochs=1)


class Rounded(nn.Module):
    """Whose first input no gradient reaches."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(torch.cat([x[:, :1].round().detach(), x[:, 1:]], dim=1))


def test_a_penalty_whose_gradient_does_not_lead_to_what_was_marked_is_refused_and_transplant_is_not():
    rule = [Feedback(FIRST, scope="dataset")]
    with pytest.raises(NoGradientError, match="input 0 .* must not matter, .* right_reasons could teach nothing there"):
        correct(Rounded(), (X, Y), rule, penalties={"right_reasons": 1.0})
    correct(Rounded(), (X, Y), rule, augment={"transplant": {}}, epochs=1)
    other = [Feedback(np.arange(4) == 1, scope="dataset")]
    correct(Rounded(), (X, Y), other, penalties={"right_reasons": 1.0}, epochs=1)


def test_rules_are_judged_on_validation_rows_unless_these_have_no_such_class():
    data, said = TensorData(X, Y), [Feedback(FIRST, scope="class", label=1)]
    marks = marks_of(said, data)
    mixed, lacking = TensorData(X[:20], Y[:20]), TensorData(X[Y == 0], Y[Y == 0])
    rows = rows_to_judge(data, marks, said, mixed)
    judges = [rows.judge(SHORT, 0), *(fold.judge for fold in rows.folds(0))]
    assert [judge.exchanges.swap_rows for judge in judges] == [mixed] * 2
    assert [judge.exchanges.wear_rows for judge in judges] == [mixed] * 2
    with pytest.raises(DataError, match="expected at least two of the training rows' classes"):
        rows_to_judge(data, marks, said, lacking)
    with pytest.raises(DataError, match="validation rows have shape"):
        rows_to_judge(data, marks, said, TensorData(X[:20, :2], Y[:20]))


def test_a_rule_made_on_a_training_row_can_be_judged_on_fewer_validation_rows(fooled):
    said = [Feedback(FIRST, scope="dataset", row=70, fingerprint=fingerprint(X[70]))]
    correct(fooled, (X, Y), said, validation=(X[:20], Y[:20]), epochs=1)


def test_the_starting_weight_does_not_depend_on_how_the_rows_are_sorted(fooled):
    many, classes = X.repeat(4, 1), Y.repeat(4)
    weights = []
    for order in (torch.arange(len(many)), classes.argsort()):
        data = TensorData(many[order], classes[order])
        marks = marks_of([Feedback(FIRST, scope="dataset")], data)
        (term,) = terms_of({"right_reasons": 1.0})
        weights.append(starting_weight(term, Known(fooled, data, marks, 0), Schedule()))
    assert weights[0] == pytest.approx(weights[1], rel=0.5)


def test_what_should_matter_gets_its_first_weight_on_the_rows_where_it_was_said(fooled):
    second = np.array([False, True, False, False])
    data, said = TensorData(X, Y), [Feedback(second, polarity="relevant", row=row) for row in range(10, 20)]
    (term,) = terms_of({"should_matter": {"weight": 1.0, "attribution": "input_gradient"}})
    for feedback in (said, [*said, Feedback(FIRST, row=3)]):
        marks = marks_of(feedback, data)
        assert starting_weight(term, Known(fooled, data, marks, 0), Schedule()) is not None


@pytest.mark.parametrize("num_good", [2, 0])
@pytest.mark.parametrize("how", ["training", "swap score"])
def test_weights_with_which_numbers_get_lost_are_left_out(fooled, monkeypatch, num_good, how):
    trained = []

    def diverging(model, *rows, **settings):
        trained.append(settings["penalties"][0].weight)
        if len(trained) > num_good and how == "training":
            raise TrainingDivergedError("too large")
        if len(trained) > num_good:
            model[0].weight.data.fill_(math.nan)
        yield from ()

    monkeypatch.setattr("corrigible.protocols.corrections.trials.run", diverging)
    running = correction(fooled, (X, Y), [Feedback(FIRST, row=3)], penalties={"energy_outside": "auto"}, schedule=SHORT)
    if num_good == 0:
        with pytest.raises(TrainingDivergedError, match="too large" if how == "training" else "is not a number"):
            list(running)
        return
    (choice,) = [record for record in running if isinstance(record, WeightChoice)]
    assert [trial.weight for trial in choice.trials] == trained[:2]
    assert choice.weight in trained[:2]


@pytest.mark.parametrize("augment", [None, {"transplant": {}}])
def test_progress_ends_with_one_choice_the_epochs_that_were_asked_for_and_the_verdict(fooled, augment):
    said = [Feedback(FIRST, row=row) for row in range(5)]
    settings = {"augment": augment, "penalties": {"energy_outside": "auto"}, "schedule": SHORT}
    told = list(correction(fooled, (X, Y), said, **settings))
    (choice,) = [record for record in told if isinstance(record, WeightChoice)]
    assert choice.weight in [trial.weight for trial in choice.trials]
    assert [record.number for record in told if isinstance(record, Epoch)] == [1, 2]
    assert [type(record) for record in told if isinstance(record, WeightTrial)] == [WeightTrial] * len(choice.trials)
    assert isinstance(told[-1], Verdict)
    assert not any(isinstance(record, MethodChosen) for record in told)


def test_where_neither_is_named_a_method_is_chosen_and_told_first(fooled):
    told = list(correction(fooled, (X, Y), [Feedback(FIRST, row=3)], schedule=SHORT))
    assert isinstance(told[0], MethodChosen)
    assert not any(isinstance(record, WeightTrial) for record in told)


def same(first: nn.Module, second: nn.Module) -> bool:
    return all(torch.equal(p, q) for p, q in zip(first.parameters(), second.parameters(), strict=True))


def test_penalties_that_are_named_are_all_that_is_used(fooled):
    """As with an empty augmentation; what would have been chosen is the transplant."""
    said, penalties = [Feedback(FIRST, row=3)], {"right_reasons": 2.0}
    named = correct(fooled, (X, Y), said, penalties=penalties, epochs=2)
    assert same(named, correct(fooled, (X, Y), said, penalties=penalties, augment={}, epochs=2))
    chosen = correct(fooled, (X, Y), said, epochs=2)
    assert same(chosen, correct(fooled, (X, Y), said, augment={"transplant": {}}, epochs=2))
    assert not same(named, chosen)
    both = correct(fooled, (X, Y), said, penalties=penalties, augment={"transplant": {}}, epochs=2)
    assert not same(both, named)
    assert not same(both, chosen)


def test_an_augmentation_that_needs_to_know_what_must_not_matter_is_refused_without(fooled):
    said = [Feedback(FIRST, polarity="relevant", row=3)]
    with pytest.raises(FeedbackError, match="only says what should matter; transplant needs"):
        correct(fooled, (X, Y), said, augment={"transplant": {}})


def test_a_corrected_model_has_its_verdict_and_one_that_was_only_trained_on_has_none(fooled, caplog):
    said = [Feedback(FIRST, row=row) for row in range(8)]
    corrected = correct(fooled, (X, Y), said, epochs=2)
    assert isinstance(corrected.verdict, Verdict)
    assert corrected.verdict.where == "training"
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert (any(told.startswith(corrected.verdict.lines[0][:-1]) for told in warned)) == (
        corrected.verdict.outcome != "corrected"
    )
    assert not hasattr(fooled, "verdict")
    assert not hasattr(correct(fooled, (X, Y), said, penalties={}, epochs=1), "verdict")


def test_a_model_that_was_corrected_before_gets_a_verdict_of_its_own(fooled):
    said = [Feedback(FIRST, row=row) for row in range(8)]
    once = correct(fooled, (X, Y), said, epochs=2)
    kept = once.verdict
    twice = correct(once, (X, Y), said, epochs=2)
    assert once.verdict is kept
    assert twice.verdict != kept


def test_validation_rows_judge_where_they_are_given(fooled):
    said, validation = [Feedback(FIRST, row=row) for row in range(8)], (X[:20], Y[:20])
    corrected = correct(fooled, (X, Y), said, validation=validation, epochs=1)
    # Some of the 20 wear what the 8 are marked with, and each row counts once, in however many ways it is exchanged.
    assert (corrected.verdict.where, corrected.verdict.num_rows) == ("training and validation", 8 + 20)
    rule = [Feedback(FIRST, scope="dataset")]
    corrected = correct(fooled, (X, Y), rule, validation=validation, epochs=1)
    assert (corrected.verdict.where, corrected.verdict.num_rows) == ("validation", 20)


def one_class_gives_itself_away(num_rows: int, *, cued: bool, seed: int) -> tuple[Tensor, Tensor]:
    """Three classes; the first column is 3 on every row of class 0 and on no other, or on any."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(num_rows) % 3
    x = torch.randn(num_rows, 5, generator=generator)
    x[torch.arange(num_rows), 2 + y] += 2.0
    is_marked = y == 0 if cued else torch.rand(num_rows, generator=generator) < 0.5
    x[:, 0] = torch.where(is_marked, 3.0, 0.0)
    return x, y


@pytest.fixture(scope="module")
def fooled_by_one_class() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 12), nn.SiLU(), nn.Linear(12, 3))
    return correct(model, penalties={}, epochs=12, **one_class_reviewed(1))


def one_class_reviewed(num_reviewed: int) -> dict[str, Any]:
    """Rows that teach the cue, of which so many of class 0 are reviewed and none of another."""
    said = [Feedback(FIRST_OF_FIVE, row=3 * number) for number in range(num_reviewed)]
    return {"data": one_class_gives_itself_away(240, cued=True, seed=0), "feedback": said, "learning_rate": 0.01}


def recalls(model: nn.Module) -> Tensor:
    """Of each class, on rows on which the cue says nothing."""
    x, y = one_class_gives_itself_away(600, cued=False, seed=1)
    hits = (model(x).argmax(dim=1) == y).double()
    return torch.stack([hits[y == label].mean() for label in range(3)])


@pytest.mark.parametrize("num_reviewed", [2, 60])
def test_a_cue_of_one_class_is_corrected_where_only_that_class_was_reviewed(fooled_by_one_class, num_reviewed):
    """Swapped rows of class 0 alone would be best told by a network that says nothing else."""
    corrected = correct(fooled_by_one_class, epochs=8, **one_class_reviewed(num_reviewed))
    before, after = recalls(fooled_by_one_class), recalls(corrected)
    assert before.mean() < 0.75
    assert after.mean() > before.mean() + 0.05
    assert after.min() > 0.6
    assert corrected.verdict.outcome == "corrected"
    assert corrected.verdict.reliance_after < FELL * corrected.verdict.reliance_before


def test_no_weight_that_gives_up_a_class_is_chosen(fooled_by_one_class, monkeypatch):
    """The largest weights leave a network that says the same of every row."""
    monkeypatch.setattr("corrigible.protocols.corrections.weight.MOST_TRIALS", 5)
    corrected = correct(fooled_by_one_class, penalties={"right_reasons": "auto"}, epochs=2, **one_class_reviewed(8))
    before, after = recalls(fooled_by_one_class), recalls(corrected)
    assert after.mean() >= before.mean()
    assert after.min() > 0.3
    assert corrected.verdict.accuracy_after > corrected.verdict.accuracy_before


def test_one_feedback_instead_of_a_list_is_refused():
    one = Feedback(FIRST, row=3)
    assert as_list((one, one)) == [one, one]
    for wrong in (one, 3, None):
        with pytest.raises(FeedbackError, match=f"feedback is a {type(wrong).__name__}; expected a list of Feedback"):
            as_list(wrong)


@pytest.mark.parametrize(
    ("epochs", "message"), [(2.5, "epochs is 2.5; expected a whole number"), ("3", "epochs is '3'; expected a number")]
)
def test_epochs_are_whole_numbers(epochs, message):
    facts, check = SimpleNamespace(epochs=epochs), partial(require_range, least=1, most=10)
    if not isinstance(epochs, str):
        check(facts, "epochs")
        check = require_whole
    with pytest.raises(RecipeError, match=message):
        check(facts, "epochs")
