"""Ways of training a network whose training rows are then attacked: (untrained network, rows, seed) -> trained network.

An attacker trains his shadow models in the same way. To compare another defence, add it to ``WAYS``.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from table_data import first_years
from torch import Tensor, nn

import corrigible
from corrigible.augment.input_noise import input_noise
from corrigible.data.dataset import TensorData
from corrigible.data.table import encode, encoder_of
from corrigible.data.table_encoder import TableEncoder
from corrigible.protocols.early_stopping import until_flat
from corrigible.protocols.privacy.private_step import PrivateStep
from corrigible.protocols.schedule import Schedule, result_of, run

Way = Callable[[nn.Module, TensorData, int], nn.Module]
PLAIN = Schedule(epochs=40, batch_size=32, learning_rate=3e-3)
PATIENCE, HELD_OUT = 3, 0.25
WEIGHT_DECAY, DEVIATION = 0.02, 1.0
EPSILON, DELTA, PRIVATE_EPOCHS = 8.0, 1e-3, 20
PRIVATE = replace(PLAIN, epochs=PRIVATE_EPOCHS, step=PrivateStep(epsilon=EPSILON, delta=DELTA, is_seeded=True))
"""Noise and batches come from the seed, so that the benchmark repeats."""
PUBLIC = 1600
"""Other rows, of which only the inputs are known, on which a student learns what the network says."""
LEAST_PROBABILITY = 1e-3


def people(seed: int, members: int, others: int) -> dict[str, TensorData]:
    """Persons of RAND HIE in their first year, drawn at random, encoded alike: members, others, public and test."""
    table = first_years(seed)
    frame = table.x.assign(label=table.y).drop_duplicates()
    drawn = frame.sample(members + others + PUBLIC, random_state=seed).reset_index(drop=True)
    encoder: TableEncoder = encoder_of(drawn, target="label")
    ends = {"members": (0, members), "others": (members, members + others), "public": (members + others, None)}
    parts = {part: encode(drawn.iloc[slice(*end)], encoder) for part, end in ends.items()}
    return parts | {"test": encode(table.test_x.assign(label=table.test_y), encoder)}


def scheduled(network: nn.Module, rows: TensorData, seed: int, *, schedule: Schedule = PLAIN) -> nn.Module:
    for _ in run(network, rows, schedule, seed=seed):
        pass
    return network


def stopped_early(network: nn.Module, rows: TensorData, seed: int) -> nn.Module:
    """Until the loss of a quarter of the rows, held out, no longer falls."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    count = int(HELD_OUT * len(rows))
    learn, held_out = order[count:], order[:count]
    result_of(until_flat(network, rows, PLAIN, rows=learn, held_out=held_out, patience=PATIENCE, seed=seed))
    return network


def with_noise(network: nn.Module, rows: TensorData, seed: int) -> nn.Module:
    for _ in run(network, rows, PLAIN, augment=[partial(input_noise, deviation=DEVIATION)], seed=seed):
        pass
    return network


def distilled(network: nn.Module, rows: TensorData, seed: int, *, public: TensorData) -> nn.Module:
    """A student that never saw the rows, taught by a plain network on other rows (Shejwalkar and Houmansadr 2021)."""
    teacher = scheduled(copy.deepcopy(network), rows, seed)
    how: dict[str, Any] = {"epochs": 24, "batch_size": 32, "share": 1.0, "progress": False}
    return corrigible.distil(teacher, public, model=network, seed=seed, **how)


class Rounded(nn.Module):
    """A network whose probabilities are given out to one decimal."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        probabilities: Tensor = self.network(x).softmax(dim=1)
        return probabilities.round(decimals=1).clamp_min(LEAST_PROBABILITY).log()


def rounded(network: nn.Module, rows: TensorData, seed: int) -> nn.Module:
    return Rounded(scheduled(network, rows, seed))


def ways(public: TensorData) -> Mapping[str, Way]:
    """Each way by its name."""
    return {
        "plain": scheduled,
        "rounded outputs": rounded,
        "early stopping": stopped_early,
        "weight decay": partial(scheduled, schedule=replace(PLAIN, weight_decay=WEIGHT_DECAY)),
        "input noise": with_noise,
        f"DP-SGD, ε = {EPSILON:g}": partial(scheduled, schedule=PRIVATE),
        "distilled on other rows": partial(distilled, public=public),
    }
