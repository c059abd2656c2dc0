"""The question: which score of which rows of which model, and how many rows the model may run on at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, SupportsIndex

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.errors import DataError
from corrigible.explanations.inputs import as_model, checked_classes, checked_output, checked_rows
from corrigible.explanations.passes import score_of, values_index
from corrigible.explanations.scores import ClassScore, TargetValue, plain_score, target_output
from corrigible.models.batch_size import rows_at_once_of
from corrigible.models.forward import Score
from corrigible.models.modes import like_parameters, untouched
from corrigible.models.pooling import QuickPooling
from corrigible.outputs import as_outputs, class_logits
from corrigible.tasks import CLASSES, SINGLE_OUTPUT
from corrigible.types import Columns, Task

Target = SupportsIndex | tuple[SupportsIndex, SupportsIndex]
"""A class, as a Python or NumPy number; or two classes, for the score of the first minus that of the second."""


@dataclass(frozen=True)
class Question:
    """Rows on the model's device, and the score that is asked for."""

    model: nn.Module
    x: Float[Tensor, " batch *input"]
    target: Int[Tensor, " batch *contrast"]
    score: str | Score
    seed: int
    rows_at_once: int
    """Rows, or points made from rows, in memory at once, unless the answer is differentiable."""
    differentiable: bool = False

    @cached_property
    def index(self) -> Int[Tensor, " batch"]:
        """The index of each row's random draws."""
        return values_index(self.x)

    def about(self, rows: Int[Tensor, " some"]) -> "Question":
        """The same question about some of the rows."""
        return replace(self, x=self.x[rows], target=self.target[rows])

    @contextmanager
    def looking(self) -> Iterator[None]:
        """A context in which the model is ready to answer, in eval mode; afterwards it is as it was found."""
        # Tables are not pooled, and watching every call would cost a third of the time.
        pooling = QuickPooling() if self.x.ndim > 2 else nullcontext()
        with untouched(self.model, self.seed), torch.set_grad_enabled(self.differentiable), pooling:
            yield

    def scored(
        self,
        logits: Float[Tensor, " point num_classes"],
        target: Int[Tensor, " point *contrast"],
        index: Callable[[], Int[Tensor, " point"]],
    ) -> Float[Tensor, " point"]:
        """The score of the model's logits for points made from the rows; ``index`` determines their draws."""
        return score_of(self.score, logits, target, model=self.model, index=index, seed=self.seed)


def question_of(
    model: Callable[[Tensor], Any],
    x: Any,
    target: Any = None,
    *,
    score: str | Score = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    rows_at_once: int | None = None,
    differentiable: bool = False,
) -> Question:
    """The question for a model, rows and target as `explain` takes them; target may be pairs of classes, (batch, 2).

    Raises:
        RecipeError: rows_at_once below 1.
        DataError, UnsupportedModelError: as `explain`.
    """
    network = as_model(model)
    asked: dict[str, Any] = {"score": score, "columns": columns, "differentiable": differentiable}
    with untouched(network, seed):
        return checked_question(network, x, target, seed=seed, rows_at_once=rows_at_once, **asked)


def checked_question(
    model: nn.Module,
    x: Any,
    target: Any,
    *,
    score: str | Score,
    columns: Columns | None = None,
    seed: int,
    rows_at_once: int | None,
    differentiable: bool = False,
) -> Question:
    """Like `question_of`, for a network that the caller keeps `untouched`."""
    with torch.no_grad():
        rows = like_parameters(checked_rows(x, columns), model)
        output = checked_output(model, rows[:1], len(rows))
        size = rows_at_once_of(rows_at_once, model, rows[:1])
    if target is None:
        chosen = default_target(model, rows, _task_of(score, output), size)
    else:
        # A function may be about any number of the output, or none.
        num_targets = class_logits(output).shape[1] if isinstance(score, str) else None
        chosen = checked_classes(target, len(rows), num_targets).to(rows.device)
    return Question(model, rows, chosen, score, seed, size, differentiable)


def _task_of(score: str | Score, output: Tensor) -> Task:
    """What targets are for this score, if the caller says nothing: classes, or for a function the output's numbers."""
    if isinstance(score, TargetValue | ClassScore):
        return score.task
    is_number = as_outputs(output).shape[1] == 1 and score in (target_output, "target_output")
    return SINGLE_OUTPUT if is_number else CLASSES


def default_target(
    model: nn.Module, x: Float[Tensor, " batch *input"], task: Task, rows_at_once: int
) -> Int[Tensor, " batch"]:
    """What is explained of each row if the caller names nothing: the predicted class, or what the task says.

    A single logit is always explained itself: as a classifier, it is the logit of class 1.
    """
    with torch.no_grad():
        first = as_outputs(model(like_parameters(x[:1], model).clone()))
        if task.name == "classes" and first.shape[1] == 1:
            return torch.ones(len(x), dtype=torch.long, device=x.device)
        # A copy: without gradients, a model that works in place would overwrite the caller's rows.
        pieces = [like_parameters(piece, model).clone() for piece in x.split(rows_at_once)]
        return torch.cat([task.target(task.outputs(model(piece))) for piece in pieces]).to(x.device)


def predicted_target(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    *,
    task: Task = CLASSES,
    rows_at_once: int | None = None,
    seed: int = 0,
) -> Int[Tensor, " batch"]:
    """What `explain` explains of each row if the caller names no target, on the CPU.

    Raises:
        RecipeError: rows_at_once below 1.
        DataError, UnsupportedModelError: as `explain`.
    """
    with untouched(model, seed):
        first = like_parameters(x[:1], model)
        checked_output(model, first, len(x))
        return default_target(model, x, task, rows_at_once_of(rows_at_once, model, first)).cpu()


def answers(
    model: Callable[[Tensor], Any], x: Float[Tensor, " batch *input"], *, rows_at_once: int | None = None, seed: int = 0
) -> Float[Tensor, " batch num_classes"]:
    """The logits of these rows, on the device of x; a single score z per row is read as the logits (0, z).

    Raises:
        RecipeError: rows_at_once below 1.
        DataError, UnsupportedModelError: the model cannot run on such rows.
    """
    return answers_to(model, lambda rows: x[rows.to(x.device)], len(x), rows_at_once=rows_at_once, seed=seed)


def answers_to(
    model: Callable[[Tensor], Any],
    rows: Callable[[Int[Tensor, " some"]], Tensor],
    num_rows: int,
    *,
    rows_at_once: int | None = None,
    seed: int = 0,
) -> Float[Tensor, " batch num_classes"]:
    """Like `answers`, for rows that ``rows`` makes from their positions only when they are needed."""
    network, parts = as_model(model), []
    first = rows(torch.zeros(1, dtype=torch.long))
    with untouched(network, seed), torch.no_grad():
        checked_output(network, like_parameters(first, network), num_rows)
        size = rows_at_once_of(rows_at_once, network, like_parameters(first, network))
        for some in torch.arange(num_rows).split(size):
            # A copy: without gradients, a model that works in place would overwrite the caller's rows.
            parts.append(class_logits(network(like_parameters(rows(some), network).clone())).to(first.device))
    return torch.cat(parts)


def scores_of(
    logits: Float[Tensor, " batch num_classes"], target: Target, *, score: str | Score = "target_logit"
) -> Float[Tensor, " batch"]:
    """The score of one target class for every row.

    Raises:
        RecipeError: no score has that name, or the score is drawn anew for every pass.
        DataError: no such class.
    """
    of = plain_score(score)
    classes = torch.tensor(target, device=logits.device)
    if bool(((classes < 0) | (classes >= logits.shape[1])).any()):
        raise DataError(f"target is {target}; expected a class from 0 to {logits.shape[1] - 1}, or two of them")
    return of(logits, classes.expand(len(logits), *classes.shape))
