"""How `explain` reads what a model gives: as a task says, and for outputs with places, at which of them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.explanations.scores import OF_CLASSES
from corrigible.outputs import as_outputs, described
from corrigible.tasks import CLASSES, SINGLE_OUTPUT, TaskChoice
from corrigible.types import Task


class Meaning(NamedTuple):
    """A task, and how many targets there are to explain."""

    task: Task
    num_targets: int


def meaning_of(task: TaskChoice | None, output: Tensor, score: Any) -> Meaning:
    """What the model's output for one row means.

    Without a task, several outputs are classes. A single one is a number, unless the score that is asked for is about
    classes.

    Raises:
        RecipeError: the name of a task that depends on the labels.
        UnsupportedModelError: an output that does not fit the task.
    """
    if isinstance(task, Task):
        found = task
    elif task == "classes":
        found = CLASSES
    elif task is not None:
        raise RecipeError(
            f"task is {task!r}; expected 'classes' or the task of a data set, TensorData(x, y, task={task!r}).task: "
            "the labels say what the outputs mean"
        )
    else:
        is_number = as_outputs(output).shape[1] == 1 and not (isinstance(score, str) and score in OF_CLASSES)
        found = SINGLE_OUTPUT if is_number else CLASSES
    outputs = found.outputs(output)
    return Meaning(found, max(outputs.shape[1], found.values(outputs).shape[1]))


class AtPlaces(nn.Module):
    """A model of outputs with places, (batch, class, \\*space), whose class scores are averaged over some of them.

    Its layers have the names that they have in the model itself.
    """

    def __init__(self, model: nn.Module, at: Any) -> None:
        super().__init__()
        self.model = model
        given = torch.as_tensor(np.asarray(at))
        self.is_position = given.dtype != torch.bool
        self.register_buffer("at", given, persistent=False)

    def forward(self, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch num_classes"]:
        output = self.model(x)
        if not isinstance(output, Tensor) or output.ndim < 3:
            raise UnsupportedModelError(
                f"the model gives {described(output)}; ``at`` is for outputs with places, (batch, class, *space)"
            )
        return output.flatten(2)[:, :, self._mask(tuple(output.shape[2:])).flatten()].mean(dim=2)

    def _mask(self, space: tuple[int, ...]) -> Tensor:
        at: Tensor = self.get_buffer("at")
        if self.is_position:
            place = tuple(at.flatten().tolist())
            if len(place) != len(space) or not all(0 <= p < size for p, size in zip(place, space, strict=True)):
                raise DataError(f"at is {place}; expected a position in the places of the output, {space}")
            mask = torch.zeros(space, dtype=torch.bool, device=at.device)
            mask[place] = True
            return mask
        if tuple(at.shape) != space or not bool(at.any()):
            raise DataError(
                f"at has shape {tuple(at.shape)} and {int(at.sum())} places; expected shape {space}, at least one True"
            )
        return at

    def named_modules(self, *args: Any, **settings: Any) -> Iterator[tuple[str, nn.Module]]:
        """The modules of the model by the names that they have in it."""
        yield from self.model.named_modules(*args, **settings)
