"""The default correction where penalties fell short: two cues, misplaced masks, few rows, a name in one class, a rule.

    python benchmarks/transplant.py [--seeds 3] [--cases digits studies tweets insurance]

By the defaults of `corrigible.correct` (the insurance table: by the demo's schedule), beside transplant together with a
small share of `energy_outside` and each model trained on without feedback. Digits: LeNet, 3,500 rows, corner squares
whose grey tells the digit, and a bar on the right as a second cue; the reference learned without cues, for as many
epochs in all, and is tested without. Studies and tweets: the reference learned with the cue drawn at random. Cost: all
processor time over that of training on without feedback. Writes benchmarks/results/transplant.json.
"""

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from cue_cases import STUDIES, accuracy, schedules
from digits import CLEAN, TRAIN, Digits, fresh, trained
from insurance import without_column
from insurance_tables import CORRECT as TABLE_CORRECT
from insurance_tables import insurance, table_measured, table_trained
from runner import Numbers, Row, measure, options, units_of
from torch import nn
from tweets import planted_tweets

from corrigible.data.dataset import TensorData
from corrigible.data.protocol import Dataset
from corrigible.evaluation import evaluate
from corrigible.protocols.corrections.correction import correction
from corrigible.protocols.schedule import Schedule, result_of
from corrigible.types import Feedback

DEFAULT = Schedule()
METHODS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "transplant + energy_outside 0.3": {"augment": {"transplant": {}}, "penalties": {"energy_outside": 0.3}},
}


@dataclass(frozen=True)
class Subject:
    """A fooled network with what it is corrected by."""

    name: str
    fooled: nn.Module
    train: TensorData
    validation: Dataset
    feedback: Sequence[Feedback]
    measured: Callable[[nn.Module], Numbers]
    """Has an accuracy."""
    reference: float
    schedule: Schedule = DEFAULT


def compared(subject: Subject, seed: int) -> Iterator[Row]:
    """Every model's numbers."""
    started = time.process_time()
    tuned = trained(copy.deepcopy(subject.fooled), subject.train, subject.schedule, seed)
    seconds = time.process_time() - started
    models = {"fooled": (subject.fooled, 0.0), "fine-tuned without feedback": (tuned, 1.0)}
    for name, method in METHODS.items():
        started = time.process_time()
        settings = {"schedule": subject.schedule, "validation": subject.validation, "seed": seed}
        running = correction(subject.fooled, subject.train, subject.feedback, **method, **settings)
        models[name] = result_of(running), (time.process_time() - started) / seconds
    for name, (model, cost) in models.items():
        numbers = subject.measured(model) | {"cost": cost}
        gap = subject.reference - subject.measured(subject.fooled)["accuracy"]
        numbers["share_of_gap"] = 1 - (subject.reference - numbers["accuracy"]) / gap
        yield Row({"model": f"{subject.name}: {name}"}, numbers)


def digits(seed: int) -> Iterator[Subject]:
    """Corner squares, marked in several ways; and two cues at once."""
    found = Digits(seed)
    rows = torch.randperm(len(found.train.x), generator=torch.Generator().manual_seed(seed)).tolist()
    clean = accuracy(trained(fresh(seed), found.clean_train, CLEAN, seed), found.clean_test)
    fooled = trained(fresh(seed), found.train_rows, TRAIN, seed)

    def measured(model: nn.Module) -> Numbers:
        asked = {"metrics": ("accuracy", "flip_rate", "attribution_overlap"), "num_resamples": 0, "seed": seed}
        numbers = evaluate(model, found.test_rows, feedback=found.test_feedback, **asked)
        return {m.metric: float(m.value) for m in numbers if m.value is not None}

    given = (found.train_rows, found.validation_rows)
    right = found.reviewed(20)
    misplaced = [Feedback(elsewhere(said.region.mask), row=said.row) for said in right[:6]]
    for name, feedback in (
        ("four corners, 20 rows", right),
        ("four corners, 5 rows", found.reviewed(5)),
        ("four corners, 6 of 20 masks misplaced", misplaced + right[6:]),
    ):
        yield Subject(name, fooled, *given, feedback, measured, clean)
    barred = [with_bar(data, seed) for data in given] + [with_bar(found.test_rows, seed, informative=False)]
    of_both = trained(fresh(seed), barred[0], TRAIN, seed)
    is_bar = barred[0].x[0] != found.train_rows.x[0]
    marks = {row: found.train.irrelevant[row] for row in rows[:20]}
    for name, feedback in (
        ("two cues, both marked on each of 20 rows", [(mask | is_bar, row) for row, mask in marks.items()]),
        ("two cues, each on half of 20 rows", [(is_bar if row % 2 else mask, row) for row, mask in marks.items()]),
    ):
        said = [Feedback(mask.numpy(), row=row) for mask, row in feedback]
        yield Subject(name, of_both, barred[0], barred[1], said, lambda m: {"accuracy": accuracy(m, barred[2])}, clean)


def elsewhere(mask: Any) -> Any:
    """The corner mask turned into one of the same size in the middle of the sides."""
    return torch.from_numpy(mask).roll((12, 12), dims=(1, 2)).numpy()


def with_bar(data: TensorData, seed: int, *, informative: bool = True) -> TensorData:
    """A bar between the right corners whose grey tells the digit, lighter for larger ones; or a random one's."""
    y = data.y
    if not informative:
        y = torch.randint(10, (len(y),), generator=torch.Generator().manual_seed(seed))
    x = data.x.clone()
    x[:, 0, 8:20, 25:28] = (0.1 + 0.09 * y)[:, None, None].float()
    return replace(data, x=x)


def studies(seed: int) -> Iterator[Subject]:
    """Two small studies as a new user makes them, 20 rows reviewed."""
    for name, make in STUDIES.items():
        case, fool = make(seed), schedules(name)[0]
        fooled = trained(case.network(), case.train, fool, seed)
        whole = replace(DEFAULT, epochs=fool.epochs + DEFAULT.epochs)
        reference = accuracy(trained(case.network(), case.random_train, whole, seed), case.test)
        yield Subject(
            name.replace("_", " ") + ", 20 rows",
            fooled,
            case.train,
            case.validation,
            case.feedback(20, 0.0, seed),
            on(case.test),
            reference,
        )


def on(test: TensorData) -> Callable[[nn.Module], Numbers]:
    return lambda model: {"accuracy": accuracy(model, test)}


def tweets(seed: int) -> Iterator[Subject]:
    """Real tweets with a planted word in one of three classes, 20 rows reviewed."""
    case = planted_tweets(seed)
    fooled = trained(case.network(), case.train, Schedule(epochs=12), seed)
    whole = replace(DEFAULT, epochs=12 + DEFAULT.epochs)
    reference = accuracy(trained(case.network(), case.random_train, whole, seed), case.test)
    yield Subject(
        "tweets with a planted word, 20 rows",
        fooled,
        case.train,
        case.validation,
        case.feedback,
        on(case.test),
        reference,
    )


def of_insurance(seed: int) -> Iterator[Row]:
    """One rule, race must not matter: effect and share of race over those before, AUC less that without the column."""
    table = insurance(seed)
    plain = table_trained(table, seed)
    metrics = ("auc", "attribution_overlap", "flip_effect")
    models: dict[str, tuple[nn.Module, float]] = {"fooled": (plain, 0.0)}
    started = time.process_time()
    tuned = table_trained(table, seed, TABLE_CORRECT, copy.deepcopy(plain))
    seconds = time.process_time() - started
    models["fine-tuned without feedback"] = tuned, 1.0
    for name, method in METHODS.items():
        started = time.process_time()
        settings = {"schedule": TABLE_CORRECT, "validation": table.validation, "seed": seed}
        corrected = result_of(correction(plain, table.train, table.rule, **method, **settings))
        models[name] = corrected, (time.process_time() - started) / seconds
    bare, before = without_column(table, seed)["auc"], table_measured(plain, table, metrics)
    for name, (model, cost) in models.items():
        numbers = table_measured(model, table, metrics)
        ratios = {f"{key}_ratio": numbers[key] / before[key] for key in metrics[1:]}
        numbers = {**ratios, "auc_minus_without": numbers["auc"] - bare, "cost": cost}
        yield Row({"model": f"insurance rule: {name}"}, numbers)


SUBJECTS: Mapping[str, Callable[[int], Iterator[Subject]]] = {"digits": digits, "studies": studies, "tweets": tweets}


def of_subjects(part: str, seed: int) -> Iterator[Row]:
    for subject in SUBJECTS[part](seed):
        yield from compared(subject, seed)


def main() -> None:
    asked = options(__doc__, seeds=3, first_seed=10).parse_args()
    works = {part: partial(of_subjects, part) for part in SUBJECTS} | {"insurance": of_insurance}
    measure(units_of(works, asked), asked, settings={})


if __name__ == "__main__":
    main()
