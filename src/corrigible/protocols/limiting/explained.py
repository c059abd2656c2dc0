"""The rows by which shares of explanations are measured: a few, always with the same targets."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.data.dataset import rows_of, task_of
from corrigible.data.protocol import Dataset, columns_of
from corrigible.data.swapping import some_rows
from corrigible.explanations.explaining import explain
from corrigible.explanations.question import Question, predicted_target, question_of
from corrigible.models.numeric_embeddings import PiecewiseLinear
from corrigible.surgery import share_of
from corrigible.types import Columns, Task

MOST_ROWS = 256


@dataclass(frozen=True)
class Explained:
    """Rows with the target that is explained of each, the unchanged model's prediction."""

    x: Float[Tensor, " row *input"]
    target: Int[Tensor, " row"]
    columns: Columns | None
    task: Task
    seed: int
    method: str
    """By which shares are measured."""

    def attribution(self, model: nn.Module) -> Float[Tensor, " row *input"]:
        """What each input contributed to the score of the row's target."""
        asked: dict[str, Any] = {"method": self.method, "task": self.task, "columns": self.columns, "seed": self.seed}
        return explain(model, self.x, self.target, **asked)

    def share(self, model: nn.Module, chosen: Bool[Tensor, " *input"]) -> float:
        """The share of the attribution that lies on the chosen inputs."""
        return share_of(self.attribution(model), chosen)

    def question(self, model: nn.Module) -> Question:
        """The same question by the gradients of layers."""
        return question_of(model, self.x, self.target, task=self.task, seed=self.seed)


def explained_rows(model: nn.Module, dataset: Dataset, seed: int, *, averages: bool = False) -> Explained:
    """At most 256 of the rows, drawn from the seed.

    Args:
        averages: whether the limited model averages predictions.
    """
    rows = rows_of(dataset, some_rows(torch.arange(len(dataset)), MOST_ROWS, seed))
    task = task_of(dataset)
    target = predicted_target(model, rows.x, task=task, seed=seed)
    return Explained(rows.x, target, columns_of(dataset), task, seed, _method(model, task, averages))


def _method(model: nn.Module, task: Task, averages: bool) -> str:
    """Integrated gradients, what `explain` gives by default, unless the network bends too often for its quadrature."""
    if not any(isinstance(module, PiecewiseLinear) for module in model.modules()):
        return "integrated_gradients"
    # DeepLIFT has no rule for scores that sort outputs, nor for the logarithm of mean probabilities.
    return "permutation_shapley" if averages or task.score == "target_value" else "deep_lift"
