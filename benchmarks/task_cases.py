"""Rows of every task in which a column that must not matter predicts the label, and rows in which it tells nothing."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from corrigible.data.dataset import TensorData
from corrigible.data.table import encode, encoder_of
from corrigible.demos.insurance_data import DROPPED, PERSON, read, split_persons
from corrigible.tasks import TaskChoice
from corrigible.types import Columns

NAMES = ("age", "power", "secret")
COLUMNS = Columns(NAMES, NAMES, (False,) * 3)
CHOICES: Mapping[str, TaskChoice] = {
    "classes": "classes",
    "several labels": "several_labels",
    "amounts": "amounts",
    "amounts, each with its variance": {"name": "amounts", "heteroscedastic": True},
    "counts with exposure": "counts",
    "positive amounts (Gamma)": "positive_amounts",
    "positive amounts (Tweedie 1.5)": {"name": "positive_amounts", "power": 1.5},
    "quantiles": "quantiles",
    "ordered classes": "ordered_classes",
    "ranking": "ranking",
}


class Scaled(nn.Module):
    """A network of two hidden layers whose outputs begin where the task says."""

    def __init__(self, data: TensorData, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        inputs, outputs = data.x.shape[1], data.task.num_outputs
        self.net = nn.Sequential(nn.Linear(inputs, 64), nn.SiLU(), nn.Linear(64, 32), nn.SiLU(), nn.Linear(32, outputs))
        centre, scale = data.task.start
        self.register_buffer("centre", torch.tensor(centre or (0.0,)))
        self.register_buffer("scale", torch.tensor(scale or (1.0,)))

    def forward(self, x: Tensor) -> Tensor:
        return self.centre + self.scale * self.net(x)


def rows(case: str, *, num_rows: int, seed: int, is_clean: bool) -> TensorData:
    """Three columns: two that should predict the label, and one that almost repeats it; shuffled if ``is_clean``."""
    generator = torch.Generator().manual_seed(seed)
    age, power, noise, blur = torch.randn(4, num_rows, generator=generator)
    signal = 0.8 * age + 0.5 * power
    told, extra = signal + 0.4 * noise, {}
    if case in ("amounts", "amounts, each with its variance", "quantiles"):
        y = 12_000 + 3_000 * told
    elif case == "ranking":
        y = told
    elif case.startswith("positive amounts"):
        y = torch.exp(6 + 0.5 * told)
        y = torch.where(told < -1, 0.0, y) if "Tweedie" in case else y
    elif case == "classes":
        y = (told > 0).long()
    elif case == "ordered classes":
        y = torch.bucketize(told, torch.tensor([-0.7, 0.7]))
    elif case == "several labels":
        y = torch.stack([told > 0, told > 1], dim=1).long()
    else:
        extra = {"exposure": torch.rand(num_rows, generator=generator) + 0.2}
        y = torch.poisson(torch.exp(-0.5 + 0.6 * signal) * extra["exposure"], generator=generator)
        told = (y - 0.6).clamp_max(2.0)
    secret = told + 0.2 * blur
    if is_clean:
        secret = secret[torch.randperm(num_rows, generator=generator)]
    return TensorData(torch.stack([age, power, secret], dim=1), y, task=CHOICES[case], extra=extra, columns=COLUMNS)


def without(data: TensorData, feature: str) -> TensorData:
    """The same rows with every column of the feature 0."""
    assert data.columns is not None
    kept = torch.tensor([name != feature for name in data.columns.feature])
    fields: dict[str, Any] = {"task": data.task, "extra": data.extra, "columns": data.columns}
    return TensorData(data.x * kept, data.y, **fields)


def visits(split: str, seed: int) -> TensorData:
    """Person-years of the RAND experiment: how often a person saw a doctor, with the share of the year as exposure."""
    table = read()
    persons = split_persons(table, seed=seed)
    frame = table.assign(plan=table["plan"].astype(str), site=table["site"].astype(str))
    frame = frame[frame["time"] > 0]
    drop = [name for name in DROPPED if name not in ("mdvis", "time")]
    encoder = encoder_of(
        frame[frame[PERSON].isin(persons["train"])], target="mdvis", task="counts", exposure="time", drop=drop
    )
    return encode(frame[frame[PERSON].isin(persons[split])], encoder)
