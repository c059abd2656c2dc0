"""The question: which score of which rows of which model, and how many rows the model may run on at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from operator import index
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.errors import DataError
from corrigible.explanations.inputs import as_model, checked_classes, checked_output, checked_rows, choices
from corrigible.explanations.passes import score_of, values_index
from corrigible.explanations.reading import Meaning, meaning_of, require_sound_answers
from corrigible.explanations.scores import plain_score, score_in_words
from corrigible.models.batch_size import rows_at_once_of
from corrigible.models.forward import Score
from corrigible.models.modes import like_parameters, untouched
from corrigible.models.own_outputs import MOST_ROWS, require_own_outputs, spread_rows
from corrigible.models.pooling import QuickPooling
from corrigible.outputs import rows_of_outputs
from corrigible.printable import plural
from corrigible.tasks import TaskChoice
from corrigible.types import Columns

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
        outputs: Float[Tensor, " point output"],
        target: Int[Tensor, " point *contrast"],
        index: Callable[[], Int[Tensor, " point"]],
    ) -> Float[Tensor, " point"]:
        """The score of the model's outputs for points made from the rows; ``index`` determines their draws."""
        return score_of(self.score, outputs, target, model=self.model, index=index, seed=self.seed)


def question_of(
    model: Callable[[Tensor], Any],
    x: Any,
    target: Any = None,
    *,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    of_classes: str | Score = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    rows_at_once: int | None = None,
    differentiable: bool = False,
) -> Question:
    """The question for a model, rows and target as `explain` takes them; target may be pairs of classes, (batch, 2).

    Args:
        score: None for the task's own, or for classes ``of_classes``.

    Raises:
        RecipeError: rows_at_once below 1; see `meaning_of`.
        DataError, UnsupportedModelError: as `explain`.
    """
    network = as_model(model)
    asked: dict[str, Any] = {"columns": columns, "differentiable": differentiable, "of_classes": of_classes}
    with untouched(network, seed):
        return checked_question(
            network, x, target, score=score, task=task, seed=seed, rows_at_once=rows_at_once, **asked
        )


def checked_question(
    model: nn.Module,
    x: Any,
    target: Any,
    *,
    score: str | Score | None,
    task: TaskChoice | None = None,
    of_classes: str | Score = "target_logit",
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
        meaning = meaning_of(task, output, score, of_classes=of_classes)
    require_sound_answers(meaning, model, rows, size)
    if target is None:
        chosen = default_target(model, rows, meaning, size)
    else:
        chosen = checked_classes(target, len(rows), meaning.num_targets).to(rows.device)
    return Question(model, rows, chosen, meaning.score, seed, size, differentiable)


def default_target(
    model: nn.Module, x: Float[Tensor, " batch *input"], meaning: Meaning, rows_at_once: int
) -> Int[Tensor, " batch"]:
    """What is explained of each row if the caller names nothing, see `Meaning.target`."""
    if meaning.only_target is not None:
        return torch.full((len(x),), meaning.only_target, device=x.device)
    with torch.no_grad():
        # A copy: without gradients, a model that works in place would overwrite the caller's rows.
        pieces = [like_parameters(piece, model).clone() for piece in x.split(rows_at_once)]
        return torch.cat([meaning.target(rows_of_outputs(model(piece), len(piece))) for piece in pieces]).to(x.device)


def predicted_target(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    *,
    task: TaskChoice | None = None,
    score: str | Score | None = None,
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
        meaning = meaning_of(task, checked_output(model, first, len(x)), score)
        return default_target(model, x, meaning, rows_at_once_of(rows_at_once, model, first)).cpu()


def answers(
    model: Callable[[Tensor], Any], x: Float[Tensor, " batch *input"], *, rows_at_once: int | None = None, seed: int = 0
) -> Float[Tensor, " batch output"]:
    """The outputs of these rows, on the device of x.

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
) -> Float[Tensor, " batch output"]:
    """Like `answers`, for rows that ``rows`` makes from their positions only when they are needed."""
    network, parts = as_model(model), []
    first = rows(torch.zeros(1, dtype=torch.long))
    with untouched(network, seed), torch.no_grad():
        checked_output(network, like_parameters(first, network), num_rows)
        size = rows_at_once_of(rows_at_once, network, like_parameters(first, network))
        require_own_outputs(network, rows(spread_rows(num_rows, min(size, MOST_ROWS))), rows_at_once=size)
        for some in torch.arange(num_rows).split(size):
            # A copy: without gradients, a model that works in place would overwrite the caller's rows.
            outputs = network(like_parameters(rows(some), network).clone())
            parts.append(rows_of_outputs(outputs, len(some)).to(first.device))
    return torch.cat(parts)


class Asked(NamedTuple):
    """One score of one target, for any rows."""

    score: Score
    target: Target
    words: str
    """The score for people to read; the target is named beside it where there are several."""
    num_targets: int | None

    def of(self, outputs: Float[Tensor, " batch output"]) -> Float[Tensor, " batch"]:
        """The score of each row."""
        targets = torch.tensor(self.target, device=outputs.device)
        return self.score(outputs, targets.expand(len(outputs), *targets.shape))


def asked_of(
    outputs: Float[Tensor, " batch output"],
    target: Target | None,
    *,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    of_classes: str | Score = "target_logit",
) -> Asked:
    """The score and the one target that are asked for, of a model that gives these outputs.

    Args:
        target: None for class 1 of two, or what the task explains by default.

    Raises:
        RecipeError: an unknown score, or a random one; see `meaning_of`.
        DataError: no such target, or none where there are several.
    """
    meaning = meaning_of(task, outputs, score, of_classes=of_classes)
    plain, count = plain_score(meaning.score), meaning.num_targets
    if target is None:
        target = _one_target(meaning, outputs)
    elif count is not None and not all(0 <= index(of) < count for of in np.atleast_1d(np.asarray(target))):
        raise DataError(f"target is {target}; expected {choices(count - 1)}{', or two of them' if count > 1 else ''}")
    return Asked(plain, target, score_in_words(meaning.score), count)


def _one_target(meaning: Meaning, outputs: Tensor) -> int:
    """The target of all rows if the caller names none."""
    count = meaning.num_targets
    if meaning.task.name == "classes":
        if count is not None and count > 2:
            raise DataError(f"the model has {plural(count, 'class', 'classes')}; name one of them as the target")
        return 1
    found = meaning.target(outputs).unique()
    if len(found) > 1:
        raise DataError(
            f"the rows have different default targets, such as {int(found[0])} and {int(found[1])}; expected one for "
            "all rows: name a target"
        )
    return int(found)
