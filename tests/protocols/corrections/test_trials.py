"""Which rows teach a trial and which judge it."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from corrigible import Feedback
from corrigible.feedback.masks import marks_of
from corrigible.objective import terms_of
from corrigible.protocols.corrections.trials import HELD_OUT_SHARE, LEAST_TO_HOLD_OUT, MANY, Trials, folds_of, without
from corrigible.protocols.schedule import Schedule
from corrigible.protocols.training_facts import Known
from cue_data import CLASSES, KINDS, Sees, cue_data

FEW, ENOUGH = LEAST_TO_HOLD_OUT + 2, MANY + 8


def folds(case, *, said=(), validation=None, validation_marks=None, seed=0):
    marks = marks_of([*case.said, *said], case.data)
    return folds_of(case.data, marks, validation=validation, validation_marks=validation_marks, seed=seed)


@pytest.mark.parametrize("num_reviewed", [FEW, ENOUGH])
@pytest.mark.parametrize("cued", [(0,), CLASSES], ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_validation", [False, True])
def test_rows_that_judge_teach_nothing(kind, cued, num_reviewed, with_validation):
    case = cue_data(kind, cued=cued, num_reviewed=num_reviewed)
    validation = cue_data(kind, num_rows=30, seed=1).data if with_validation else None
    for fold in folds(case, validation=validation):
        judging = fold.judge.exchanges
        teaching = set(fold.rows.tolist())
        judges = set(judging.swap_index.tolist()) | set(judging.reviewed.index.tolist())
        assert judges
        assert judges <= set(case.reviewed)
        assert fold.marks.irrelevant.by_row.keys().isdisjoint(judges)
        if not with_validation:
            judges |= set(judging.wear_index.tolist()) | set(judging.plain_index.tolist())
        assert teaching.isdisjoint(judges)
        assert judging.wear_rows is (case.data if validation is None else validation)
        assert fold.marks.irrelevant.by_row.keys() == set(case.reviewed) & teaching


@pytest.mark.parametrize("num_reviewed", [LEAST_TO_HOLD_OUT, FEW, MANY - 1])
def test_of_few_reviewed_rows_every_one_judges_once(num_reviewed):
    found = folds(cue_data("numbers", num_reviewed=num_reviewed))
    judging = [fold.judge.exchanges.swap_index for fold in found]
    assert len(judging) == 2
    assert torch.cat(judging).sort().values.tolist() == list(range(num_reviewed))
    assert abs(len(judging[0]) - len(judging[1])) <= 1


def test_of_many_reviewed_rows_a_quarter_judges():
    (fold,) = folds(cue_data("numbers", num_reviewed=ENOUGH))
    assert len(fold.judge.exchanges.swap_index) == ENOUGH // 4


@pytest.mark.parametrize("counts", [(6, 6, 6), (9, 2, 4), (32, 8, 20)])
def test_each_class_has_its_share_of_the_rows_that_judge(counts):
    case = cue_data("numbers")
    rows = [row for label, count in enumerate(counts) for row in range(label, 3 * count, 3)]
    for seed in range(5):
        found = folds(replace(case, reviewed=tuple(rows)), seed=seed)
        for fold in found:
            judging = torch.bincount(case.data.y[fold.judge.exchanges.swap_index], minlength=3)
            share = 1 / 4 if len(found) == 1 else 1 / 2
            assert all(abs(one - share * count) < 1 for one, count in zip(judging.tolist(), counts, strict=True))


def test_a_share_of_the_other_rows_is_kept_back_unless_there_are_validation_rows():
    case = cue_data("numbers", num_reviewed=ENOUGH)
    (fold,) = folds(case)
    not_reviewed = len(case.data) - ENOUGH
    assert len(fold.rows) == len(case.data) - ENOUGH // 4 - round(HELD_OUT_SHARE * not_reviewed)
    (fold,) = folds(case, validation=cue_data("numbers", num_rows=30, seed=1).data)
    assert len(fold.rows) == len(case.data) - ENOUGH // 4
    assert fold.judge.where == "validation"


def test_rows_of_every_class_are_kept_back_where_few_are_left():
    case = cue_data("numbers", cued=(0,), num_rows=24, num_reviewed=8)
    for fold in folds(case):
        found = fold.judge.judged(Sees(case.signal))
        assert set(found.y.tolist()) == set(CLASSES)


def test_of_fewer_rows_than_can_be_held_out_all_teach_and_judge():
    case = cue_data("numbers", num_reviewed=LEAST_TO_HOLD_OUT - 1)
    found = folds(case)
    assert [fold.rows for fold in found] == [None]
    assert found[0].judge.exchanges.swap_index.tolist() == list(case.reviewed)
    assert not Trials(Schedule(), found).are_held_out
    assert Trials(Schedule(), folds(case, validation=case.data)).are_held_out


def test_rules_are_judged_on_validation_rows_and_all_training_rows_teach():
    case, rows = cue_data("numbers", num_reviewed=0), cue_data("numbers", num_rows=30, seed=1).data
    rule = Feedback("scanner", scope="dataset")
    (fold,) = folds(case, said=[rule], validation=rows, validation_marks=marks_of([rule], rows))
    assert fold.rows is None
    assert fold.judge.exchanges.swap_rows is rows
    assert fold.judge.exchanges.swap_index.tolist() == list(range(30))


def test_all_that_was_said_about_a_row_is_held_back_with_it():
    case = cue_data("numbers", num_reviewed=FEW)
    relevant = [Feedback("age", "relevant", row=row) for row in case.reviewed]
    for fold in folds(case, said=relevant):
        taught = set(case.reviewed) - set(fold.judge.exchanges.swap_index.tolist())
        assert fold.marks.irrelevant.by_row.keys() == fold.marks.relevant.by_row.keys() == taught


def test_rules_stay_where_rows_are_held_back():
    case = cue_data("numbers", num_reviewed=FEW)
    rule = Feedback("age", scope="class", label=1)
    marks = marks_of([*case.said, rule], case.data)
    kept = without(marks, torch.tensor([0, 2]))
    assert kept.irrelevant.by_row.keys() == set(case.reviewed) - {0, 2}
    assert kept.irrelevant.by_class.keys() == {1}
    assert marks.irrelevant.by_row.keys() == set(case.reviewed)


def test_rows_on_which_people_only_said_what_should_matter_judge_too():
    case = cue_data("numbers", num_reviewed=0)
    said = [Feedback(("first", "second", "third"), "relevant", row=row) for row in range(FEW)]
    for fold in folds(case, said=said):
        judging = set(fold.judge.exchanges.swap_index.tolist())
        assert judging
        assert fold.marks.relevant.by_row.keys() == set(range(FEW)) - judging


def test_folds_come_from_the_seed():
    case = cue_data("numbers", num_reviewed=ENOUGH)
    first, same, other = (folds(case, seed=seed)[0].rows for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_a_trial_trains_a_copy_for_half_of_the_epochs_on_each_fold(monkeypatch):
    case = cue_data("numbers", num_reviewed=FEW)
    seen = []

    def noting(model, dataset, schedule, *, rows, marks, **settings):
        seen.append((model, schedule.epochs, rows, marks))
        yield from ()

    monkeypatch.setattr("corrigible.protocols.corrections.trials.run", noting)
    trials = Trials(Schedule(epochs=7), folds(case))
    model = nn.Sequential(nn.Linear(5, 3))
    found = trials.run(terms_of({"right_reasons": 1.0}), Known(model, case.data, case.marks, 0))
    assert [(epochs, rows, marks) for _, epochs, rows, marks in seen] == [
        (3, fold.rows, fold.marks) for fold in trials.folds
    ]
    assert all(trained is not model for trained, *_ in seen)
    assert len(found.y) == sum(len(fold.judge.judged(model).y) for fold in trials.folds)
    assert trials.uncorrected(model).score == found.score  # Nothing was trained.


def test_trials_judge_all_folds_together():
    case = cue_data("numbers", num_reviewed=FEW)
    trials = Trials(Schedule(), folds(case))
    found = trials.uncorrected(Sees(case.signal))
    assert found.accuracy == 1
    assert set(found.y.tolist()) == set(CLASSES)
