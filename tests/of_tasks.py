"""A small data set and a network for every task, and some marks that fit them all."""

import numpy as np
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.types import Feedback, Pixels

RNG = torch.Generator().manual_seed(0)
X = torch.randn(60, 3, generator=RNG)
SIGNAL = X[:, 0] + 0.3 * torch.randn(60, generator=RNG)
EXPOSURE = 0.5 + torch.rand(60, generator=RNG)
LABELS = {
    "classes": ((SIGNAL > 0).long(), {}),
    "several_labels": (torch.stack([SIGNAL > 0, X[:, 1] > 0.5], dim=1).float(), {}),
    "amounts": (3 * SIGNAL, {}),
    "counts": (torch.poisson(EXPOSURE * SIGNAL.exp(), generator=RNG), {"exposure": EXPOSURE}),
    "positive_amounts": (SIGNAL.exp() * EXPOSURE, {"exposure": EXPOSURE}),
    "quantiles": (3 * SIGNAL, {}),
    "ordered_classes": (torch.bucketize(SIGNAL, torch.tensor([-0.5, 0.5])), {}),
    "ranking": (SIGNAL.round(decimals=1), {"query": torch.arange(60) % 3}),
}
"""Labels of each task, and what stands beside them."""
CHOICES = {name: {"name": name} for name in LABELS} | {
    "normal": {"name": "amounts", "heteroscedastic": True},
    "tweedie": {"name": "positive_amounts", "power": 1.5},
}
GROUP = torch.arange(60) % 2


def data_of(choice: str, group: torch.Tensor | None = GROUP) -> TensorData:
    """The data set of a task."""
    y, extra = LABELS[CHOICES[choice]["name"]]
    return TensorData(X, y, group, task=CHOICES[choice], extra=extra)


def model_of(data: TensorData) -> nn.Module:
    """A network of the right number of outputs that relies on every input."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, data.task.num_outputs))


SITE = Pixels(np.array([False, True, False]))
RELEVANT = Pixels(np.array([True, False, True]))
SAID = [Feedback(SITE, row=row) for row in (3, 5, 8, 20)]
SAID += [Feedback(RELEVANT, "relevant", row=row) for row in (5, 9)]
