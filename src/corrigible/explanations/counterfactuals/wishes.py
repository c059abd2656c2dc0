"""What the answer should be: another class, a given one, or a number below or above a bound."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.explanations.inputs import checked_target
from corrigible.types import Task

CLEAR_LOGITS = 1e-3
"""The wanted class leads by at least so much: the last digits of a network depend on how many rows run at once."""
CLEAR_SHARE = 1e-5
"""A number is beyond its bound by at least this share of it."""


@dataclass(frozen=True)
class Wish:
    """Which answers are wanted of rows; each row may be asked for a class of its own."""

    task: Task
    avoided: Int[Tensor, " row"] | None = None
    """The class of each row that another is wanted in place of."""
    wanted: Int[Tensor, " row"] | None = None
    """The class that each row should get."""
    below: float | int | None = None
    above: float | int | None = None

    def margin(self, outputs: Float[Tensor, " some output"], rows: Int[Tensor, " some"]) -> Float[Tensor, " some"]:
        """How clearly the answers to points made from these rows are the wanted ones: above 0 they are.

        Of classes the logit of the wanted one less the largest other; of numbers their distance from the bound, in
        units in which 1 is a large difference.
        """
        if self.task.logits is not None:
            logits = self.task.logits(outputs)
            own = self.wanted if self.avoided is None else self.avoided
            assert own is not None
            own = own.to(logits.device)[rows.to(logits.device), None]
            others = logits.scatter(1, own, -torch.inf).amax(dim=1)
            lead = logits.gather(1, own)[:, 0] - others
            return (lead if self.avoided is None else -lead) - CLEAR_LOGITS
        value, scale = self.task.values(outputs)[:, 0], self.scale
        found = []
        if self.below is not None:
            found.append((self.below - CLEAR_SHARE * abs(self.below) - value) / scale)
        if self.above is not None:
            found.append((value - self.above - CLEAR_SHARE * abs(self.above)) / scale)
        return torch.stack(found).amin(dim=0)

    @property
    def scale(self) -> float:
        """What is a large difference of the numbers."""
        if self.task.start[1] and self.task.reads == "numbers":
            return float(self.task.start[1][0]) or 1.0
        bounds = [abs(bound) for bound in (self.below, self.above) if bound]
        return float(max(bounds, default=1.0))

    def is_wanted(self, outputs: Float[Tensor, " some output"], row: int) -> Bool[Tensor, " some"]:
        """Where the answers are those that this row should get."""
        return self.margin(outputs, torch.full((len(outputs),), row)) > 0

    def kinds(self, num_rows: int) -> Int[Tensor, " row"]:
        """A number for each row that is the same for rows that want the same."""
        of_classes = self.wanted if self.avoided is None else self.avoided
        return torch.zeros(num_rows, dtype=torch.long) if of_classes is None else of_classes.cpu()


def wish_of(
    task: Task,
    outputs: Float[Tensor, " row output"],
    *,
    target: Any = None,
    below: float | int | None = None,
    above: float | int | None = None,
) -> Wish:
    """The wish, checked against the task and what the model answers now.

    Raises:
        RecipeError: bounds for classes, none for numbers, a target for numbers, or bounds that nothing lies between.
        DataError: a class that the model does not have.
    """
    if task.logits is not None:
        if below is not None or above is not None:
            raise RecipeError("below and above are bounds of a number, and the task is of classes; name a target class")
        logits = task.logits(outputs)
        if target is None:
            return Wish(task, avoided=logits.argmax(dim=1).cpu())
        return Wish(task, wanted=checked_target(target, len(outputs), logits.shape[1]))
    if target is not None:
        raise RecipeError(f"target is {target!r}, and the task {task.name!r} has no classes; say below=… or above=…")
    if below is None and above is None:
        raise RecipeError(f"the task {task.name!r} has no classes; say below=… or above=…, in the unit of the labels")
    if below is not None and above is not None and above >= below:
        raise RecipeError(f"no number is above {above:g} and below {below:g}; expected above < below")
    if task.name in ("several_labels", "ranking"):
        raise RecipeError(f"the task {task.name!r} has no single number to bound; give a function of x that has one")
    return Wish(task, below=below, above=above)
