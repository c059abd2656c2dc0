"""How `explain` reads what a model gives: as a task says, and for outputs with places, at which of them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.explanations.scores import (
    ClassScore,
    TargetValue,
    name_of_score,
    reads_classes,
    score_for,
    target_output,
)
from corrigible.models.forward import Score
from corrigible.models.own_outputs import require_own_outputs, spread_rows
from corrigible.models.readable import require_readable
from corrigible.outputs import as_outputs, class_logits, described, scores_in
from corrigible.tasks import CLASSES, SINGLE_OUTPUT, TaskChoice, named_with_settings
from corrigible.types import Task

OF_PROBABILITIES = ("target_log_prob", "target_prob", "summed_log_prob", "random_projection", "target_value")
"""Scores that read outputs as logits, or as the logarithm of a mean."""


class Meaning(NamedTuple):
    """What is explained of the outputs of a model."""

    task: Task
    score: str | Score
    num_targets: int | None
    """How many targets there are to explain; None if a function of the user scores the outputs."""
    num_outputs: int

    @property
    def only_target(self) -> int | None:
        """What is explained of every row if the caller names nothing; None if that depends on the row's outputs.

        A single output is explained itself: as a classifier, it is the logit of class 1.
        """
        if self.num_outputs > 1 or isinstance(self.score, ClassScore):
            return None
        return int(self.task.name == "classes")

    def target(self, outputs: Float[Tensor, " batch output"]) -> Int[Tensor, " batch"]:
        """What is explained of each row if the caller names nothing: the predicted class, or what the task says."""
        if self.only_target is not None:
            return torch.full((len(outputs),), self.only_target, device=outputs.device)
        if isinstance(self.score, ClassScore):
            assert self.task.logits is not None
            return self.task.logits(outputs).argmax(dim=1)
        return self.task.target(outputs)


def meaning_of(
    task: TaskChoice | None, output: object, score: str | Score | None, *, of_classes: str | Score = "target_logit"
) -> Meaning:
    """What the model's output means, and the score that is explained; any number of rows is enough.

    Without a task, several outputs are classes. A single one is a number, unless the score that is asked for is about
    classes.

    Args:
        score: None for the task's own.
        of_classes: the score of classes if none is named.

    Raises:
        RecipeError: the name of a task that depends on the labels, or a score that the task does not have.
        UnsupportedModelError: an output that does not fit the task.
    """
    found = _task_of(task, output, score)
    chosen = score_for(of_classes if score is None and found.name == "classes" else score, found)
    outputs = as_outputs(output) if found.name == "classes" else found.outputs(output)
    return Meaning(found, chosen, _num_targets(chosen, outputs), outputs.shape[1])


def require_sound_answers(
    meaning: Meaning, model: nn.Module, x: Float[Tensor, " batch *input"], rows_at_once: int
) -> None:
    """Check that each row has outputs of its own, and that the score does not take probabilities for logits.

    The outputs themselves, and differences of them, may be explained whatever they are.

    Raises:
        DataError, UnsupportedModelError: see `require_own_outputs` and `require_readable`.
    """
    require_own_outputs(model, x, rows_at_once=rows_at_once)
    score = meaning.score
    name = score if isinstance(score, str) else name_of_score(score)
    if name in OF_PROBABILITIES:
        require_readable(model, x[spread_rows(len(x))], meaning.task, rows_at_once=rows_at_once)


def _num_targets(score: str | Score, outputs: Float[Tensor, " batch output"]) -> int | None:
    """How many targets the score has for these outputs; None if it is a function of the user."""
    if isinstance(score, TargetValue):
        return int(score.task.values(outputs).shape[1])
    if isinstance(score, ClassScore):
        assert score.task.logits is not None
        return int(score.task.logits(outputs).shape[1])
    if score in ("target_output", target_output):
        return outputs.shape[1]
    return class_logits(outputs).shape[1] if reads_classes(score) else None


def _task_of(task: TaskChoice | None, output: object, score: str | Score | None) -> Task:
    if isinstance(task, Task):
        return task
    if task == "classes":
        return CLASSES
    if task is not None:
        named_with_settings(task)
        raise RecipeError(
            f"task is {task!r}; expected 'classes' or the task of a data set, TensorData(x, y, task={task!r}).task: "
            "the labels say what the outputs mean"
        )
    if isinstance(score, TargetValue | ClassScore):
        return score.task
    is_number = as_outputs(output).shape[1] == 1 and (score is None or not reads_classes(score))
    return SINGLE_OUTPUT if is_number else CLASSES


class AtPlaces(nn.Module):
    """A model of outputs with places, (batch, class, \\*space), whose class scores are averaged over some of them.

    Its layers have the names that they have in the model itself.
    """

    def __init__(self, model: nn.Module, at: Any) -> None:
        super().__init__()
        self.model = model
        try:
            given = at.cpu() if isinstance(at, Tensor) else torch.as_tensor(np.asarray(at))
        except (TypeError, ValueError) as error:
            raise DataError(f"at is {at!r}; expected a mask of booleans, or the position of one place") from error
        if given.dtype != torch.bool and (given.ndim > 1 or given.is_floating_point()):
            raise DataError(
                f"at has shape {tuple(given.shape)} and holds {given.dtype}; expected a mask of booleans, or the "
                "position of one place in whole numbers"
            )
        self.is_position = given.dtype != torch.bool
        self.register_buffer("at", given, persistent=False)

    def forward(self, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch num_classes"]:
        output = scores_in(self.model(x))
        if output.ndim < 3:
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

    def get_submodule(self, target: str) -> nn.Module:
        """The module of that name in the model."""
        return self.model.get_submodule(target) if target else self
