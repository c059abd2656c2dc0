"""Counterfactuals that a teacher judges, as more training rows or as feedback: what each takes from a leaking column.

    python benchmarks/counterfactual_distillation.py [--seeds 3] [--resume]

Who sees a doctor in the RAND Health Insurance Experiment, with a column that leaks the label in training and tells
nothing in the test. Of 20, 100 or 1,000 training rows a small change to the other class is looked for. A teacher, a
network that learned without the column, says whether the truth changes too. "distilled": counterfactual knowledge
distillation (Bender et al., arXiv 2510.17524, in our words). The changed rows join the training rows with the label
that the teacher gives them, repeated until they are as many, and the network is trained on for 10 epochs. In "5 rounds"
new changes are found for each network that comes out, and join the others. "feedback": where the truth does not change,
the features that changed are marked as "must not matter" in that row, and the default correction learns from the marks
for as many epochs. ``auc`` is that on test rows, ``flip_rate`` how often other values of the column change a prediction
there; ``no`` is the share of changes with which the truth does not change. Writes
benchmarks/results/counterfactual_distillation.json.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from insurance_tables import CORRECT, Table, insurance, leaking, table_measured, table_trained
from runner import Row, measure, options, rows_of, units_of
from torch import Tensor, nn

import corrigible
from corrigible.data.dataset import TensorData
from corrigible.explanations.counterfactuals import counterfactuals
from corrigible.models.predictive import all_outputs
from corrigible.types import Features, Feedback

ASKED = (20, 100, 1000)
ROUNDS = 5
METRICS = ("auc", "flip_rate")


class Judged(NamedTuple):
    """Rows with a change that was found, and what the teacher says of it."""

    row: Tensor
    changed: Tensor
    label: Tensor
    """What the teacher says is right after the change."""
    features: list[tuple[str, ...]]
    """What changed."""
    is_same: Tensor
    """Whether the truth stays as it was."""


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    settings = {"epochs": CORRECT.epochs, "asked": list(ASKED)}
    measure(units_of({"leak": one_seed}, asked), asked, settings=settings)


def one_seed(seed: int) -> Iterator[Row]:
    table = leaking(seed)
    fooled = table_trained(table, seed)
    bare = insurance(seed)
    teacher = table_trained(bare, seed)
    reference = {"fooled": fooled, "fine-tuned": table_trained(table, seed, CORRECT, deepcopy(fooled))}
    yield from rows_of({name: table_measured(model, table, METRICS) for name, model in reference.items()}, asked=0)
    yield from rows_of({"without the column": table_measured(teacher, bare, ("auc",))}, asked=0)
    rows = torch.randperm(len(table.train), generator=torch.Generator().manual_seed(seed))
    for number in ASKED:
        judged = judged_changes(fooled, teacher, table, rows[:number])
        share = {"no": float(judged.is_same.double().mean()), "found": float(len(judged.row)) / number}
        models = {
            "distilled": distilled(fooled, table, judged, seed),
            f"distilled, {ROUNDS} rounds": in_rounds(fooled, teacher, table, rows[:number]),
            "feedback": by_feedback(fooled, table, judged),
        }
        numbers = {name: {**table_measured(model, table, METRICS), **share} for name, model in models.items()}
        yield from rows_of(numbers, asked=number)


def judged_changes(fooled: nn.Module, teacher: nn.Module, table: Table, rows: Tensor) -> Judged:
    train = table.train
    assert train.columns is not None
    found = counterfactuals(fooled, train.x[rows], schema=train.columns, rows=train.x, plausible=False, seed=table.seed)
    there = torch.from_numpy(found.is_found[:, 0])
    before, changed, rows = train.x[rows][there], found.changed[there, 0].float(), rows[there]
    was, now = (predicted(teacher, without(table, x)) for x in (before, changed))
    names, differs = train.columns.feature, before != changed
    features = [tuple(dict.fromkeys(names[at] for at in row.nonzero().flatten().tolist())) for row in differs]
    label = torch.where(was == now, train.y[rows], 1 - train.y[rows])
    return Judged(rows, changed, label, features, was == now)


def without(table: Table, x: Tensor) -> Tensor:
    """The rows as the teacher takes them."""
    assert table.train.columns is not None
    return x[:, [place for place, name in enumerate(table.train.columns.feature) if name != table.feature]]


def predicted(model: nn.Module, x: Tensor) -> Tensor:
    return all_outputs(model, x).argmax(dim=1)


def distilled(fooled: nn.Module, table: Table, judged: Judged, seed: int) -> nn.Module:
    """Trained on with the changed rows among the training rows, half of all."""
    train = table.train
    times = -(-len(train) // len(judged.row))
    x = torch.cat([train.x, judged.changed.repeat(times, 1)[: len(train)]])
    y = torch.cat([train.y, judged.label.repeat(times)[: len(train)]])
    more = replace(table, train=TensorData(x, y, columns=train.columns))
    return table_trained(more, seed, CORRECT, deepcopy(fooled))


def in_rounds(fooled: nn.Module, teacher: nn.Module, table: Table, rows: Tensor) -> nn.Module:
    """Distilled again and again: in each round the changes are those that the network of the last one needs."""
    network, joined = fooled, list[Judged]()
    for _ in range(ROUNDS):
        judged = judged_changes(network, teacher, table, rows)
        if len(judged.row):
            joined.append(judged)
        row, changed, label, is_same = (
            torch.cat([getattr(one, name) for one in joined]) for name in ("row", "changed", "label", "is_same")
        )
        network = distilled(network, table, Judged(row, changed, label, [], is_same), table.seed)
    return network


def by_feedback(fooled: nn.Module, table: Table, judged: Judged) -> nn.Module:
    """The default correction with what changed in rows whose truth stays."""
    said = [
        Feedback(Features(features), row=row)
        for row, features, is_same in zip(judged.row.tolist(), judged.features, judged.is_same.tolist(), strict=True)
        if is_same
    ]
    how: dict[str, Any] = {"epochs": CORRECT.epochs, "batch_size": CORRECT.batch_size, "progress": False}
    return corrigible.correct(fooled, table.train, said, validation=table.validation, seed=table.seed, **how)


if __name__ == "__main__":
    main()
