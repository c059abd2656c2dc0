"""What the reproductions share: one driver that makes every row of a case's table.

A case is data with a confounder in training, feedback about it, and a network. The driver compares the network as it
was fooled; trained on without feedback for as many epochs as a correction takes; trained without seeing the marked
inputs; trained by methods for the worst group; corrected by each method from each set of feedback; and never fooled at
all, for as many epochs as fooled and corrected network together. The weight of each penalty is chosen by swap score,
from five or more runs of half the epochs on all rows.

Seeds are run and written as `benchmarks/runner.py` says.
"""

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from digits import finished
from runner import Figures, Numbers, Row, measure, units_of
from runner import options as common_options
from torch import Tensor, nn

from corrigible.data.dataset import TensorData
from corrigible.evaluation import evaluate
from corrigible.feedback.masks import marks_of
from corrigible.protocols.baselines.group_dro import group_dro
from corrigible.protocols.baselines.just_train_twice import just_train_twice
from corrigible.protocols.baselines.last_layer_retraining import last_layer_retraining
from corrigible.protocols.baselines.recipe_baseline import MaskedInputs, marked_anywhere
from corrigible.protocols.corrections.correction import correction
from corrigible.protocols.corrections.weight import WeightChoice, WeightTrial
from corrigible.protocols.schedule import Schedule, run
from corrigible.training import Epoch
from corrigible.types import Feedback

METRICS = ("accuracy", "macro_group_accuracy", "worst_group_accuracy", "precision", "recall", "f1", "flip_rate")
OVERLAPS = {"overlap": "input_gradient", "grad_cam_overlap": "grad_cam"}
NUM_DONORS = 20

Said = Mapping[str, Sequence[Feedback]]


@dataclass(frozen=True)
class Case:
    """One seed's data, feedback and network; groups of the test rows are classes unless it says otherwise."""

    train: TensorData
    validation: TensorData
    """With the confounder as in training: all that a user has."""
    test: TensorData
    """The confounder tells nothing, or is gone."""
    clean_train: TensorData
    """For the reference alone."""
    clean_test: TensorData
    feedback: Said | Callable[[nn.Module], Said]
    """What was said about training rows, by the name it gets in the table; may depend on the fooled network."""
    test_feedback: Sequence[Feedback]
    """Where the confounder is on some test rows: for measuring, never for training."""
    network: Callable[[], nn.Module]
    """The same fresh weights at every call."""
    masked: tuple[TensorData, TensorData] | None = None
    """Training and test rows without their marked inputs, where these differ from row to row; the latter need masks of
    test rows, which a user seldom has. None: every input marked on any row is hidden everywhere."""

    signals: Callable[[str, nn.Module, nn.Module], Numbers] | None = None
    """(name of the feedback, fooled, corrected) -> more numbers for that row of the table."""

    @property
    def is_masked_reference(self) -> bool:
        """True where there is no cleaner data than rows without their marked inputs."""
        return self.masked is not None and self.masked[0] is self.clean_train


@dataclass(frozen=True)
class Plan:
    """How long each model is trained."""

    fool: Schedule
    correct: Schedule
    methods: tuple[str, ...] = ("right_reasons",)
    """Names of feedback penalties; ``a+b`` takes both."""

    @property
    def whole(self) -> Schedule:
        """A reference trains as many epochs in all."""
        return replace(self.correct, epochs=self.fool.epochs + self.correct.epochs)

    @property
    def quick(self) -> "Plan":
        """One epoch of everything, to see that it runs."""
        return replace(self, fool=replace(self.fool, epochs=1), correct=replace(self.correct, epochs=1))


def trained(model: nn.Module, data: TensorData, schedule: Schedule, seed: int) -> tuple[nn.Module, float]:
    """The model, trained in place without feedback, and its seconds per epoch."""
    return model, statistics.median(epoch.seconds for epoch in run(model, data, schedule, seed=seed))


def corrected(
    fooled: nn.Module, case: Case, feedback: Sequence[Feedback], method: str, schedule: Schedule, seed: int
) -> tuple[nn.Module, Numbers]:
    """The corrected model; its penalties' weights, its seconds per epoch and those in all, with choosing the weight."""
    names, started = method.split("+"), time.perf_counter()
    steps = correction(
        fooled,
        case.train,
        feedback,
        penalties=dict.fromkeys(names, "auto"),
        schedule=schedule,
        validation=case.validation,
        seed=seed,
    )
    weights, seconds = {}, []
    while True:
        try:
            said = next(steps)
        except StopIteration as end:
            about = {"weight" if len(names) == 1 else f"weight of {name}": weights[name] for name in names}
            about |= {"seconds": statistics.median(seconds), "seconds_in_all": time.perf_counter() - started}
            return end.value, about
        if isinstance(said, WeightTrial):
            print(f"  {said.penalty} {said.weight:g}: swap score {said.swap_score:.4f}", flush=True)
        elif isinstance(said, WeightChoice):
            weights[said.penalty] = said.weight
        elif isinstance(said, Epoch):
            seconds.append(said.seconds)


def masked(case: Case, said: Said, schedule: Schedule, seed: int) -> tuple[nn.Module, TensorData]:
    """A network that never saw the marked inputs, and the test rows that it is measured on."""
    if case.masked is not None:
        return trained(case.network(), case.masked[0], schedule, seed)[0], case.masked[1]
    every = [one for feedback in said.values() for one in feedback]
    model = MaskedInputs(case.network(), case.train.x.shape[1:])
    model.hide(marked_anywhere(marks_of(every, case.train).irrelevant))
    return trained(model, case.train, schedule, seed)[0], case.test


def without_feedback(fooled: nn.Module, case: Case, plan: Plan, seed: int) -> Iterator[tuple[str, nn.Module]]:
    """What others make of the same rows without being told what must not matter; group DRO where rows have groups."""
    twice = just_train_twice(case.network(), case.train, schedule=plan.whole, seed=seed)
    yield "just train twice", finished(twice)[0]
    retrained = last_layer_retraining(fooled, case.validation, schedule=plan.correct, seed=seed)
    yield "last layer retrained", finished(retrained)[0]
    if case.train.group is not None:
        robust = group_dro(case.network(), case.train, schedule=plan.whole, seed=seed)
        yield "group DRO", finished(robust)[0]


def measured(model: nn.Module, test: TensorData, feedback: Sequence[Feedback], seed: int) -> Numbers:
    """On the test rows; reliance on the marked inputs on those with feedback."""
    test = replace(test, group=test.y if test.group is None else test.group)
    has_convolutions = any(isinstance(module, nn.Conv2d) for module in model.modules())
    asked = [(name, METRICS if name == "overlap" else (), method) for name, method in OVERLAPS.items()]
    found: Numbers = {}
    for name, metrics, method in asked if has_convolutions else asked[:1]:
        values = evaluate(
            model,
            test,
            metrics=(*metrics, "attribution_overlap"),
            feedback=feedback,
            method=method,
            num_donors=NUM_DONORS,
            num_resamples=0,
            seed=seed,
        )
        found |= {
            name if m.metric == "attribution_overlap" else m.metric: m.value for m in values if m.value is not None
        }
    return found


def measured_clean(model: nn.Module, test: TensorData) -> Numbers:
    """On test rows without the confounder; groups are classes."""
    values = evaluate(model, replace(test, group=test.y), metrics=METRICS[:3], num_resamples=0)
    return {f"clean_{m.metric}": m.value for m in values if m.value is not None}


def compare(case: Case, plan: Plan, seed: int) -> Iterator[Row]:
    """Every row of the table."""
    rows: dict[str, Numbers] = {}

    def row(name: str, model: nn.Module, about: Numbers, test: TensorData = case.test) -> Row:
        # Rows of which the marked inputs are gone already say nothing about reliance on them.
        found = measured(model, test, case.test_feedback if test is case.test else (), seed)
        rows[name] = found | measured_clean(model, case.clean_test) | about
        _add_ratios(rows, rows[name])
        return Row({"model": name}, rows[name])

    clean, seconds = trained(case.network(), case.clean_train, plan.whole, seed)
    yield row("clean reference", clean, {"seconds": seconds})
    fooled, _ = trained(case.network(), case.train, plan.fool, seed)
    yield row("fooled", fooled, {})
    further, seconds = trained(copy.deepcopy(fooled), case.train, plan.correct, seed)
    yield row("fine-tuned without feedback", further, {"seconds": seconds})
    said = case.feedback(fooled) if callable(case.feedback) else case.feedback
    hidden, test = (clean, case.clean_test) if case.is_masked_reference else masked(case, said, plan.whole, seed)
    yield row("masked inputs", hidden, {}, test)
    for name, model in without_feedback(fooled, case, plan, seed):
        yield row(name, model, {})
    for method, (name, feedback) in product(plan.methods, said.items()):
        model, about = corrected(fooled, case, feedback, method, plan.correct, seed)
        yield row(f"{method}, {name}", model, about | (case.signals(name, fooled, model) if case.signals else {}))


def _add_ratios(rows: Mapping[str, Numbers], found: Numbers) -> None:
    """How much of what the confounder cost is back: accuracy on the test rows against the reference's on clean rows.

    Shares on clean rows compare both there.
    """
    if "fooled" not in rows:
        return
    before, clean = rows["fooled"], rows["clean reference"]
    for name in ("accuracy", "macro_group_accuracy"):
        for measured_by in (name, f"clean_{name}"):
            gap = clean[f"clean_{name}"] - before[measured_by]
            if gap > 0:
                found[f"share_of_gap_in_{measured_by}"] = (found[measured_by] - before[measured_by]) / gap
    found["minus_clean"] = found["accuracy"] - clean["clean_accuracy"]
    found["minus_before"] = found["accuracy"] - before["accuracy"]
    found["worst_group_minus_clean"] = found["worst_group_accuracy"] - clean["clean_worst_group_accuracy"]
    if before.get("overlap") and "overlap" in found:
        found["overlap_ratio"] = found["overlap"] / before["overlap"]
    plain = rows.get("fine-tuned without feedback")
    if plain and "seconds" in found:
        found["seconds_ratio"] = found["seconds"] / plain["seconds"]


def some(data: TensorData, most: int) -> TensorData:
    """The first rows alone."""
    return replace(data, x=data.x[:most], y=data.y[:most], group=None if data.group is None else data.group[:most])


def about_rows(irrelevant: Tensor, rows: Sequence[int], **others: Any) -> list[Feedback]:
    """One remark for each of these rows: its marked inputs must not matter."""
    return [Feedback(irrelevant[row].numpy(), row=row, **others) for row in rows]


def drawn_rows(num_rows: int, num_drawn: int, seed: int) -> list[int]:
    """Different rows drawn from the seed; nested as their number grows."""
    found: list[int] = torch.randperm(num_rows, generator=torch.Generator().manual_seed(seed))[:num_drawn].tolist()
    return found


def options(about: str | None, plan: Plan) -> argparse.ArgumentParser:
    """What every case can be asked."""
    parser = common_options(about, seeds=3)
    parser.add_argument("--methods", default=",".join(plan.methods), help="feedback penalties, such as a,b or a+b")
    parser.add_argument("--quick", action="store_true", help="few rows, one epoch, to see that it runs; writes nothing")
    return parser


def over_seeds(
    name: str,
    make: Callable[[int, bool], Case],
    plan: Plan,
    asked: argparse.Namespace,
    *,
    suffix: str = "",
    draw: Callable[[Mapping[str, Figures]], object] | None = None,
) -> None:
    """Run the case for each seed; after each write what all seeds so far have given, and draw it by the models' names.

    ``make`` takes the seed and whether few rows will do.
    """
    plan = replace(plan, methods=tuple(asked.methods.split(",")))
    plan = plan.quick if asked.quick else plan

    def work(seed: int) -> Iterator[Row]:
        return compare(make(seed, asked.quick), plan, seed)

    after = None if draw is None else lambda found: draw({row["model"]: row for row in found["rows"]})
    measure(units_of({name: work}, asked), asked, settings=asdict(plan), suffix=suffix, after=after)
