"""Models judged on rows of every class whose marked content is exchanged."""

from functools import cache

import pytest
import torch
from torch import nn

from corrigible import Feedback
from corrigible.data.dataset import TensorData
from corrigible.errors import TrainingDivergedError
from corrigible.feedback.masks import marks_of
from corrigible.protocols.corrections.exchanges import AS_FOUND, SWAPPED, WORN
from corrigible.protocols.corrections.judge import Judge, build_judge
from corrigible.protocols.corrections.trials import folds_of
from corrigible.protocols.corrections.weight import least_reliant_of_the_best
from cue_data import CLASSES, KINDS, CueData, Sees, always, cue_data
from scripted import judged

every_kind = pytest.mark.parametrize("kind", KINDS)
cued_classes = pytest.mark.parametrize("cued", [CLASSES, (0,), (2,)], ids=["all classes", "class 0", "class 2"])
ROWS = {"num_rows": 90, "num_reviewed": 12}


@cache
def case_and_judges(kind: str, cued: tuple[int, ...]) -> tuple[CueData, list[Judge]]:
    """A data set and all that judge a correction: of its trials and of its verdict, on training or validation rows."""
    case = cue_data(kind, cued=cued, num_rows=90, num_reviewed=12)
    found = []
    for validation in (None, cue_data(kind, cued=cued, num_rows=60, seed=5).data):
        folds = folds_of(case.data, case.marks, validation=validation, validation_marks=None, seed=0)
        found += [*(fold.judge for fold in folds), build_judge(case.data, case.marks, validation=validation)]
    return case, found


def test_balanced_worked_by_hand():
    """Class 0 has one row swapped and two that wear; class 1 has one that wears: 1/4, 1/8, 1/8 and 1/2."""
    found = judged([0, 0, 0, 1], part=[SWAPPED, WORN, WORN, WORN], log_likelihood=[-1.0, -2.0, -4.0, -8.0])
    assert found.score == -1 / 4 - 2 / 8 - 4 / 8 - 8 / 2
    assert found.by_class(found.log_likelihood) == {0: torch.tensor(-2.0), 1: torch.tensor(-8.0)}
    spread = [4.0, 3.0, 1.0, -3.0]
    expected = sum((weight * each) ** 2 for weight, each in zip([1 / 4, 1 / 8, 1 / 8, 1 / 2], spread, strict=True))
    assert found.error == pytest.approx(expected**0.5)


def test_a_class_with_many_rows_counts_as_much_as_one_with_few():
    few, many = (judged([0] * size + [1], hits=[1.0] * size + [0.0]) for size in (2, 200))
    assert few.accuracy == pytest.approx(many.accuracy) == pytest.approx(0.5)


def test_rows_as_they_were_found_say_nothing_about_reliance():
    found = judged([0, 0, 1], part=[WORN, AS_FOUND, AS_FOUND], change=[0.3, 0.9, 0.9], pull=[0.2, 0.9, 0.9])
    assert found.reliance == pytest.approx(0.3)
    assert found.attraction == pytest.approx(0.2)


@pytest.mark.every(4)
@cued_classes
@every_kind
def test_no_constant_scores_above_a_network_that_is_right(kind, cued):
    """Whichever class it names, and whichever classes people reviewed. The more certain, the clearer it is."""
    case, judges = case_and_judges(kind, cued)
    for judge in judges:
        right = judge.judged(Sees(case.signal, 1.0))
        assert right.accuracy > 0.95
        for label in CLASSES:
            constant = judge.judged(always(label, 1.0))
            assert constant.accuracy < 0.4
            assert right.score > constant.score + 0.5
            assert least_reliant_of_the_best({0: right, 1: constant}) == 0
            assert least_reliant_of_the_best({0: constant, 1: right}) == 1


@pytest.mark.every(4)
@cued_classes
@every_kind
def test_a_network_that_goes_by_the_cue_is_found_out(kind, cued):
    case, judges = case_and_judges(kind, cued)
    fooled = Sees(lambda x: case.signal(x) + 2 * case.cue(x))
    for judge in judges:
        right, wrong = judge.judged(Sees(case.signal)), judge.judged(fooled)
        assert wrong.balanced(wrong.found_hits) == pytest.approx(1)
        assert wrong.score < right.score - 0.5
        assert wrong.reliance > 0.1 > 0.05 > right.reliance
        assert wrong.attraction > 0.1 > 0.05 > right.attraction


@pytest.mark.every(4)
@cued_classes
@every_kind
def test_every_class_is_judged_also_those_that_nobody_reviewed(kind, cued):
    for judge in case_and_judges(kind, cued)[1]:
        assert set(judge.judged(always(0)).y.tolist()) == set(CLASSES)


@cued_classes
def test_content_comes_from_rows_of_other_classes(cued):
    for judge in case_and_judges("numbers", cued)[1]:
        found = judge.exchanges
        labels = found.swap_rows.y
        assert bool((labels[found.swap_donor] != labels[found.swap_index][:, None]).all())
        assert bool((found.reviewed.y[found.wear_lead] != found.wear_rows.y[found.wear_index]).all())


@every_kind
def test_swapped_rows_keep_all_but_what_is_marked_and_worn_content_is_that_of_reviewed_rows(kind):
    case = cue_data(kind, cued=(0,), **ROWS)
    for rows in build_judge(case.data, case.marks).exchanges.rows():
        signal = case.signal(rows.scored.flatten(0, 1)).argmax(dim=1).view(rows.scored.shape[:2])
        assert torch.equal(signal, rows.y[:, None].expand_as(signal))
        has_cue = case.cue(rows.scored.flatten(0, 1))[:, 0]
        assert bool(has_cue.all()) if rows.part == WORN else not bool(has_cue.any())
        assert bool((rows.source == 0).all())


@every_kind
def test_the_same_model_gets_the_same_score_again(kind):
    case = cue_data(kind, **ROWS)
    first, second = build_judge(case.data, case.marks, seed=3), build_judge(case.data, case.marks, seed=3)
    model = Sees(case.cue, 1.0)
    assert first.score(model) == first.score(model) == second.score(model)
    assert first.score(model) == first.judged(model).score


def test_a_model_is_left_as_it_was_and_so_is_randomness():
    case = cue_data("numbers", **ROWS)
    model = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3)).train()
    model[2].eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    modes, random = [module.training for module in model.modules()], torch.get_rng_state()
    build_judge(case.data, case.marks).judged(model)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), random)


def test_a_double_precision_model_and_one_with_a_single_logit_are_judged():
    y = torch.arange(40) % 2
    x = torch.stack([2.0 * y - 1, torch.rand(40)], dim=1)
    marks = marks_of([Feedback(torch.tensor([False, True]), scope="dataset")], TensorData(x, y))
    model = nn.Linear(2, 1).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[9.0, 0.0]]))
        model.bias.zero_()
    found = build_judge(TensorData(x, y), marks).judged(model)
    assert found.accuracy == 1
    assert found.reliance == 0


def test_probabilities_that_are_no_numbers_are_refused():
    case = cue_data("numbers", **ROWS)
    with pytest.raises(TrainingDivergedError, match="the swap score is not a number"):
        build_judge(case.data, case.marks).judged(Sees(case.signal, float("nan")))


def test_marked_backgrounds_are_not_worn_and_rows_of_other_classes_are_judged_as_found():
    case = cue_data("image_in_place", cued=(0,), **ROWS)
    most = torch.ones_like(case.place)
    most[:, :, -3:] = False
    found = build_judge(case.data, case.with_masks(most).marks).judged(Sees(case.signal))
    assert {(label, part) for label, part in zip(found.y.tolist(), found.part.tolist(), strict=True)} == {
        (0, SWAPPED),
        (1, AS_FOUND),
        (2, AS_FOUND),
    }
    assert found.accuracy == 1


def test_a_rule_is_judged_on_every_row():
    case = cue_data("numbers", **ROWS)
    marks = marks_of([Feedback("scanner", scope="dataset")], case.data)
    found = build_judge(case.data, marks).judged(Sees(case.cue))
    assert set(found.part.tolist()) == {SWAPPED}
    assert len(found.y) == len(case.data)


def test_a_rule_on_one_class_is_worn_by_the_others():
    case = cue_data("numbers", cued=(1,), **ROWS)
    marks = marks_of([Feedback("scanner", scope="class", label=1)], case.data)
    found = build_judge(case.data, marks).judged(Sees(case.signal))
    assert set(found.y[found.part == SWAPPED].tolist()) == {1}
    assert set(found.y[found.part == WORN].tolist()) == {0, 2}


def test_what_should_matter_is_judged_by_all_the_rest():
    case = cue_data("numbers", **ROWS)
    said = [Feedback(("first", "second", "third"), "relevant", row=row) for row in case.reviewed]
    judge = build_judge(case.data, marks_of(said, case.data))
    assert judge.judged(Sees(case.signal)).accuracy == 1
    assert judge.judged(Sees(case.cue)).accuracy < 0.8


@pytest.mark.parametrize("points", [60, 600])
def test_about_as_many_rows_pass_as_were_asked_for(points):
    case = cue_data("numbers", num_rows=900, num_reviewed=300)
    rows = list(build_judge(case.data, case.marks, points=points).exchanges.rows())
    assert 0.3 * points < sum(each.scored.shape[0] * each.scored.shape[1] for each in rows) < 1.2 * points
    assert {label for each in rows for label in each.y.tolist()} == set(CLASSES)


def test_a_map_style_data_set_is_judged_alike():
    case = cue_data("numbers", cued=(0,), **ROWS)
    rows = [(x, int(y)) for x, y in zip(case.data.x, case.data.y, strict=True)]
    model = Sees(case.cue, 1.0)
    assert build_judge(rows, case.marks).score(model) == build_judge(case.data, case.marks).score(model)
