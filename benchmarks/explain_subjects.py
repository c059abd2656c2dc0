"""The two networks that the explanation benchmarks explain, trained in a few seconds."""

import copy
from typing import NamedTuple

import torch
from sklearn.datasets import make_classification
from torch import Tensor, nn

from corrigible import fit
from corrigible.batches import label_batches
from corrigible.data.dataset import TensorData
from corrigible.demos.digits_data import load
from corrigible.models import lenet, mlp

NUM_FEATURES, NUM_ROWS, NUM_IMAGES = 100, 2000, 256


class Subject(NamedTuple):
    """A network with rows to explain, the class to explain of each, and rows that stand for absent inputs."""

    model: nn.Module
    x: Tensor
    target: Tensor
    background: Tensor

    def double(self) -> "Subject":
        """In float64, where rounding does not hide a difference."""
        return Subject(copy.deepcopy(self.model).double(), self.x.double(), self.target, self.background.double())

    def first(self, count: int) -> "Subject":
        return Subject(self.model, self.x[:count], self.target[:count], self.background)


def table() -> Subject:
    """A fully connected network on 100 features, 2,000 rows."""
    features, labels = make_classification(
        NUM_ROWS, NUM_FEATURES, n_informative=30, n_redundant=10, n_classes=3, random_state=0
    )
    x, y = torch.tensor(features, dtype=torch.float32), torch.tensor(labels)
    torch.manual_seed(0)
    return _trained(mlp(NUM_FEATURES, 3), TensorData(x / x.std(dim=0), y), NUM_ROWS)


def digits() -> Subject:
    """LeNet on handwritten digits, 256 of them."""
    torch.manual_seed(0)
    return _trained(lenet(), load("clean_train"), NUM_IMAGES)


def _trained(model: nn.Module, data: TensorData, num_rows: int) -> Subject:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in fit(model, label_batches(data, 64, 0), optimizer=optimizer, epochs=5):
        pass
    model.eval()
    x = data.x[:num_rows]
    with torch.no_grad():
        return Subject(model, x, model(x).argmax(dim=1), data.x[-50:])
