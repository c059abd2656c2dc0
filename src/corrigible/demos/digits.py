"""Digits with a grey square in each corner that predicts the label: fooled, reviewed on 20 rows, corrected, sealed."""

import time
from collections.abc import Iterator
from pathlib import Path

import torch

from corrigible import workflow
from corrigible.data.dataset import all_rows
from corrigible.demos.digits_data import irrelevant
from corrigible.demos.story import corrected_and_sealed, opened, table
from corrigible.errors import StudyError
from corrigible.feedback.masks import fingerprint
from corrigible.protocols.schedule import accuracy_on
from corrigible.recipe import load_data
from corrigible.study import Study
from corrigible.types import Feedback
from corrigible.workflow.making import load_model
from corrigible.workflow.records import Line, Record

NUM_REVIEWED = 20

RECIPE = """\
format = 1
title = "Digits whose corners predict the label"
notes = [
    "In training, a grey square in each corner tells the digit; in the test its grey is random.",
    "The clean reference learned from the same digits without the squares, which a user would not have.",
]
seed = {seed}
validation_split = "validation"

[data]
kind = "image"
source = "corrigible.demos.digits_data:load"
seed = {seed}

[model]
name = "lenet"

[train]
epochs = 12

[correct]
epochs = 24

[[baseline]]
name = "fine_tuned"
label = "fine-tuned without feedback"

[[baseline]]
name = "masked_inputs"
label = "retrained, marked inputs masked"

[[baseline]]
name = "retrained"
split = "clean_train"
label = "clean reference"

[explain]
method = "input_gradient"
score = "target_logit"

[evaluate]
metrics = [
    "accuracy", "worst_class_accuracy", "class_accuracy", "expected_calibration_error", "flip_rate",
    "attribution_overlap",
]
"""


def run(folder: Path, *, seed: int, device: str) -> Iterator[Record]:
    """Train, explain, review, correct, evaluate, report, seal and verify."""
    started = time.perf_counter()
    study = opened(folder, RECIPE.format(seed=seed))
    yield from workflow.train(folder, device=device)
    yield _fooled(study)
    yield from workflow.explain(folder, device=device)
    yield reviewed(study, seed)
    yield from corrected_and_sealed(folder, device)
    yield from table(study, ("accuracy", "worst_class_accuracy", "flip_rate", "attribution_overlap"))
    yield Line(
        f"{NUM_REVIEWED} reviewed rows, {time.perf_counter() - started:.0f} seconds. Open {folder / 'report.html'}"
    )


def _fooled(study: Study) -> Line:
    """Says how far the plain model is fooled.

    Raises:
        StudyError: it is not: then there would be nothing to correct.
    """
    model = load_model(study.latest("train"))
    test, validation = (load_data(study.recipe, study.folder, split) for split in ("test", "validation"))
    with_random, with_corners = (accuracy_on(rows)(model)["accuracy"] for rows in (test, validation))
    if with_random > with_corners - 0.1:
        raise StudyError(
            f"the squares fool nobody: {with_corners:.3f} with them, {with_random:.3f} when they are random"
        )
    return Line(
        f"fooled: accuracy {with_corners:.3f} while the corners predict the label, {with_random:.3f} when they do not"
    )


def reviewed(study: Study, seed: int) -> Line:
    """An oracle in place of a person marks the squares, on a few training rows and, for measuring, on the test rows."""
    train, test = (all_rows(load_data(study.recipe, study.folder, split)) for split in ("train", "test"))
    rows = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[:NUM_REVIEWED].tolist()
    said = []
    for split, data, chosen in (("train", train, rows), ("test", test, range(len(test)))):
        masks = irrelevant(split, seed=seed)
        said += [
            Feedback(masks[row], row=row, split=split, fingerprint=fingerprint(data.x[row]), author="oracle")
            for row in chosen
        ]
    with study.feedback() as store:
        if not store.active():
            store.add_all(said)
    return Line(f"reviewed: the squares of {NUM_REVIEWED} training rows must not matter")
