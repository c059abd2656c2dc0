"""The rows that a model is observed on."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.batches import collate
from corrigible.data.protocol import Dataset
from corrigible.feedback.masks import Marks
from corrigible.models.modes import device_of, like_parameters
from corrigible.models.predictive import predictive
from corrigible.progress import counted
from corrigible.types import Batch, Task


@dataclass(frozen=True)
class Rows:
    """Some rows with their marks, and the model to run on them."""

    model: nn.Module
    dataset: Dataset
    task: Task
    marks: Marks
    index: Tensor
    batch_size: int

    def batches(self) -> Iterator[Batch]:
        """The rows in their order, on the model's device."""
        for index in counted("observations: batch", self.index.split(self.batch_size)):
            yield collate(self.dataset, index, self.marks).to(device_of(self.model))

    @torch.no_grad()
    def outputs(self, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch output"]:
        """What the model gives for these inputs, in the task's shape."""
        # Float64, so that confident rows do not tie at 1; on the CPU, because not every device has it.
        return predictive(self.model, like_parameters(x, self.model), task=self.task).outputs.cpu().double()


def precise(y: Tensor) -> Tensor:
    """The labels on the CPU, amounts in float64."""
    return y.cpu().double() if y.is_floating_point() else y.cpu()
