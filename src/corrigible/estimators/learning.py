"""From a frame with labels to a trained network: encode, merge equal rows, hold some out, train."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import pandas as pd
import torch
from torch import nn

from corrigible.data.dataset import TensorData, task_of
from corrigible.data.network_facts import model_facts
from corrigible.data.table import encoder_of, inputs_of
from corrigible.data.table_encoder import TableEncoder
from corrigible.data.trained_columns import remember_columns
from corrigible.errors import DataError
from corrigible.estimators.balance import balance
from corrigible.estimators.directed_columns import directed_columns
from corrigible.estimators.distinct_rows import distinct_rows
from corrigible.estimators.given_rows import GivenRows
from corrigible.estimators.holding_out import divided
from corrigible.estimators.students import LOSS_OF_STUDENTS, loss_of_students
from corrigible.estimators.two_tries import trained
from corrigible.losses import LossChoice
from corrigible.models.building import facts_wanted
from corrigible.models.devices import device_named
from corrigible.models.tabular import NETWORK, TableNetwork, table_network
from corrigible.protocols.careful import careful_step
from corrigible.protocols.distilling import tell_agreement
from corrigible.protocols.early_stopping import Watched
from corrigible.protocols.schedule import Schedule, require_fit
from corrigible.tasks import TaskChoice

ADVICE = "measure it on other rows, and train longer (max_epochs, patience) or a larger network"
log = logging.getLogger(__name__)

LOSS = "member_task_loss"
BATCH_SIZES = (256, 128, 64, 32)
LEAST_STEPS, ENOUGH_STEPS = 12, 1000
"""Least steps per epoch, if there are rows for it; and steps in all, where the number of epochs is not given."""
LEAST_EPOCHS, MOST_EPOCHS = 10, 100
DECAYS = (3e-4, 1.0)
"""Weight decay of the first and of the second try, where none is given."""


@dataclass(frozen=True, kw_only=True)
class HowToLearn:
    """The parameters of an estimator that are about its network and its training."""

    hidden_layer_sizes: Sequence[int]
    ensemble: int
    max_epochs: int | None
    batch_size: int | None
    learning_rate: float
    weight_decay: float | None
    validation_fraction: float
    patience: int
    monotonic_cst: Any
    interactions: Any
    """Pairs of names; see `chosen_pairs` for a number of them."""
    device: Any
    seed: int

    def schedule(self, num_rows: int, loss: LossChoice) -> Schedule:
        """The epochs, batch size and optimizer to train on ``num_rows`` rows."""
        decay = DECAYS[0] if self.weight_decay is None else self.weight_decay
        steps: dict[str, Any] = {"learning_rate": self.learning_rate, "weight_decay": decay}
        size = self.batch_size or next((size for size in BATCH_SIZES if num_rows >= LEAST_STEPS * size), None)
        found = Schedule(batch_size=size, optimizer="AdamW", loss=loss, step=careful_step, **steps)
        in_an_epoch = math.ceil(num_rows / found.rows_per_step(num_rows))
        epochs = min(max(ENOUGH_STEPS // in_an_epoch, LEAST_EPOCHS), MOST_EPOCHS)
        return replace(found, epochs=epochs if self.max_epochs is None else self.max_epochs)


SETTINGS = tuple(field.name for field in fields(HowToLearn) if field.name != "seed")


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What an estimator knows of its training, beside the weights."""

    encoder: TableEncoder
    network: TableNetwork
    task: TaskChoice
    names: tuple[str, ...]
    """Of the columns in training."""
    seed: int
    watched: Watched
    has_exposure: bool

    def require_exposure(self, exposure: Any) -> None:
        """Raises DataError where the training rows had an exposure, and these rows, which are measured, have none."""
        if self.has_exposure and exposure is None:
            raise DataError("the training rows had an exposure; give that of these rows too: exposure=…")


def loss_for(data: TensorData) -> LossChoice:
    """The label loss: each member learns the labels, or what a teacher says."""
    return LOSS_OF_STUDENTS if "teacher" in data.extra else LOSS


@dataclass(frozen=True)
class Learned:
    """What was learned from a table."""

    fitted: Fitted
    network: nn.Module
    data: TensorData
    """The rows as they were given, with their weights."""


def learned(rows: GivenRows, task: TaskChoice, how: HowToLearn) -> Learned:
    """The encoder and the network of these rows; the same for rows in any order, and for equal rows as for weights.

    Raises:
        DataError: a column that cannot be encoded, or labels that do not fit the task.
        RecipeError: a setting out of range.
        TrainingDivergedError: as `corrigible.fit`.
    """
    parts = distinct_rows(rows.frame, rows.numbers, rows.weight)
    encoder = encoder_of(rows.frame.iloc[parts.index], target=None, drop=_without_values(rows.frame))
    x = inputs_of(rows.frame, encoder)
    # The task takes its figures from the parts, so that these do not depend on the order of rows either.
    of_parts = replace(rows.at(parts.index), weight=parts.weight)
    data = of_parts.data(x[torch.from_numpy(parts.index)], encoder.columns, task)
    built_as = _described(data, rows.frame, encoder, how)
    network = built_as.built(how.seed).to(device_named(how.device or "cpu"))
    require_fit(network, data)
    kept, held_out = divided(data, parts, of_parts.cluster, fraction=how.validation_fraction, seed=how.seed)
    watched = trained(
        network,
        data,
        how.schedule(len(kept), loss_for(data)),
        decay_of_second=DECAYS[1] if how.weight_decay is None else how.weight_decay,
        rows=kept,
        held_out=held_out,
        patience=how.patience,
        seed=how.seed,
        watched_loss=None if rows.taught is None else loss_of_students(task_of(data)),
    )
    balance(network.cpu(), data)
    tell_agreement(network, data, advice=ADVICE)
    remember_columns(network, encoder.columns)
    fitted = Fitted(
        encoder=encoder,
        network=built_as,
        task=task,
        names=tuple(rows.frame.columns),
        seed=how.seed,
        watched=watched,
        has_exposure=rows.exposure is not None,
    )
    return Learned(fitted, network, rows.data(x, encoder.columns, task_of(data)))


def _described(data: TensorData, frame: pd.DataFrame, encoder: TableEncoder, how: HowToLearn) -> TableNetwork:
    """The network for these rows, not built yet."""
    return table_network(
        model_facts(data, facts_wanted(NETWORK)),
        hidden=how.hidden_layer_sizes,
        members=how.ensemble,
        monotonic_cst=directed_columns(how.monotonic_cst, frame, encoder),
        interactions=how.interactions,
    )


def _without_values(frame: pd.DataFrame) -> list[str]:
    """The columns without any value, as a part of a table may have: nothing can be learned from them."""
    found = [name for name in frame.columns if bool(frame[name].isna().all())]
    if found:
        log.info("columns without any value were dropped: %s", ", ".join(map(repr, found)))
    return found
