"""RAND Health Insurance Experiment: will a person see a doctor this year? Race must not matter."""

import time
from collections.abc import Iterator
from pathlib import Path

import torch

from corrigible import workflow
from corrigible.data.dataset import all_rows
from corrigible.demos.insurance_data import RACE
from corrigible.demos.story import corrected_and_sealed, opened, table
from corrigible.errors import StudyError
from corrigible.recipe import load_data
from corrigible.study import Study
from corrigible.surgery import told_by
from corrigible.types import Features, Feedback
from corrigible.workflow.records import Line, Record

LEAST_SHARE = 0.05

RECIPE = """\
format = 1
title = "Who sees a doctor: race must not matter"
notes = [
    "Zero reliance on the race column is not fairness: other columns predict race, and the gap between groups remains.",
    "Attribution share and change of probability are about the column alone, not about what stands in for it.",
]
seed = {seed}
validation_split = "validation"

[data]
kind = "table"
source = "corrigible.demos.insurance_data:load"
seed = {seed}

[model]
name = "tabm"
hidden = [128, 128]
members = 4

# As the estimators train it: each of its members learns by itself, and the learning rate falls to 0.
[train]
epochs = 10
batch_size = 256
loss = "member_task_loss"
optimizer = "AdamW"
learning_rate = 0.002
weight_decay = 0.0003
step = "careful"

[correct]
epochs = 5
batch_size = 256
loss = "member_task_loss"
optimizer = "AdamW"
learning_rate = 0.002
weight_decay = 0.0003

[[baseline]]
name = "fine_tuned"
label = "may use race: fine-tuned, no feedback"

[[baseline]]
name = "masked_inputs"
label = "retrained without the column"

# Its contributions sum to the score in one pass. For this network, integrated gradients would need hundreds of steps.
[explain]
method = "deep_lift"

[evaluate]
num_donors = 10
metrics = [
    "auc", "accuracy", "expected_calibration_error", "attribution_overlap", "flip_effect", "flip_rate",
    "demographic_parity_difference", "group_prob_gap", "equalized_odds_difference", "group_accuracy",
]
"""


def run(folder: Path, *, seed: int, device: str) -> Iterator[Record]:
    """Train, explain, review, correct, evaluate, report, seal and verify."""
    started = time.perf_counter()
    study = opened(folder, RECIPE.format(seed=seed))
    yield from workflow.train(folder, device=device)
    yield from workflow.explain(folder, device=device)
    yield _relies_on_race(study)
    yield _review(study)
    yield from corrected_and_sealed(folder, device)
    yield from table(study, ("auc", "attribution_overlap", "flip_effect", "group_prob_gap"))
    yield Line(
        f"the other columns predict race with AUC {race_from_the_rest(study):.3f}: zero reliance is not fairness"
    )
    yield Line(f"one rule, {time.perf_counter() - started:.0f} seconds. Open {folder / 'report.html'}")


def race_from_the_rest(study: Study) -> float:
    """AUC on test rows of a logistic regression that predicts the group from all other columns."""
    train, test = (all_rows(load_data(study.recipe, study.folder, split)) for split in ("train", "test"))
    assert train.columns is not None and train.group is not None and test.group is not None
    others = torch.tensor([feature != RACE for feature in train.columns.feature])
    found = told_by(RACE, train.x[:, others], train.group, test.x[:, others], test.group)
    assert found.value is not None
    return found.value


def _relies_on_race(study: Study) -> Line:
    """Says how much the plain model relies on race.

    Raises:
        StudyError: hardly at all: then there would be nothing to correct.
    """
    shares = {found["feature"]: found["share"] for found in study.latest("explain").read("shares.json")}
    if shares[RACE] < LEAST_SHARE:
        raise StudyError(
            f"race has {shares[RACE]:.3f} of the attribution; expected at least {LEAST_SHARE} before correcting"
        )
    return Line(f"race has {shares[RACE]:.3f} of the attribution, among {len(shares)} features")


def _review(study: Study) -> Line:
    """The rule that a person would give, once."""
    with study.feedback() as store:
        if not store.active():
            store.add(Feedback(Features((RACE,)), scope="dataset", author="compliance", note="race must not matter"))
    return Line("reviewed: race must not matter, on any row")
