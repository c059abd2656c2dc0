"""What the table benchmarks share: the insurance demo's data and settings, and the same with a leaking column."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.data.decoys import leaking_column
from corrigible.demos.insurance_data import RACE, load
from corrigible.evaluation import evaluate
from corrigible.models import table_mlp
from corrigible.protocols.schedule import Schedule, run
from corrigible.types import Features, Feedback

TRAIN = Schedule(epochs=15, batch_size=256)
CORRECT = Schedule(epochs=10, batch_size=256)
WHOLE = Schedule(epochs=TRAIN.epochs + CORRECT.epochs, batch_size=256)
"""A reference trains as long in all as plain and corrected model together."""


@dataclass(frozen=True)
class Table:
    """One seed's rows and the feature that must not matter."""

    seed: int
    feature: str
    train: TensorData
    validation: TensorData
    test: TensorData

    @property
    def rule(self) -> list[Feedback]:
        return [Feedback(Features((self.feature,)), scope="dataset")]


def insurance(seed: int) -> Table:
    return Table(seed, RACE, *(load(split, seed=seed) for split in ("train", "validation", "test")))


def race_shuffled(table: Table) -> Table:
    """With test rows that hold other test rows' race: relying on it does not pay there."""
    test, column = table.test, table.train.columns.names.index(RACE)
    x, order = test.x.clone(), torch.randperm(len(test), generator=torch.Generator().manual_seed(table.seed))
    x[:, column] = test.x[order, column]
    return replace(table, test=replace(test, x=x))


def leaking(seed: int) -> Table:
    """A column that predicts the label with noise in training and validation, and nothing in the test."""
    plain = insurance(seed)
    return Table(
        seed,
        "leak",
        leaking_column(plain.train, informative=True, seed=3 * seed),
        leaking_column(plain.validation, informative=True, seed=3 * seed + 1),
        leaking_column(plain.test, informative=False, seed=3 * seed + 2),
    )


def table_trained(table: Table, seed: int, schedule: Schedule = TRAIN, model: nn.Module | None = None) -> nn.Module:
    """Trained in place without feedback; a fresh network where none is given."""
    torch.manual_seed(seed)
    model = table_mlp(table.train.x.shape[1], 2) if model is None else model
    for _ in run(model, table.train, schedule, seed=seed):
        pass
    return model


def table_measured(model: nn.Module, table: Table, metrics: Sequence[str]) -> dict[str, float]:
    """On the test rows; attributions are integrated gradients, as in the demo."""
    found = evaluate(
        model,
        table.test,
        metrics=metrics,
        feedback=table.rule,
        method="integrated_gradients",
        explainer_settings={"steps": 20},
        num_resamples=0,
        seed=table.seed,
    )
    return {m.metric: float("nan") if m.value is None else m.value for m in found if not m.part}
