"""What is known so far of each row under attack: the worst change of it that was found, and what was asked for it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.data.arrays import frame_of
from corrigible.data.table_encoder import TableEncoder
from corrigible.errors import DataError, UnsupportedModelError
from corrigible.explanations.counterfactuals.allowed import Allowed, allowed_by
from corrigible.explanations.counterfactuals.asking import Asking, outputs_of
from corrigible.explanations.counterfactuals.constraints import Causal, Constraint
from corrigible.explanations.counterfactuals.effects import Effects, effects_of
from corrigible.explanations.counterfactuals.schema import Schema, given_schema
from corrigible.explanations.counterfactuals.space import Places, Space, Values
from corrigible.explanations.counterfactuals.wishes import Wish
from corrigible.explanations.inputs import as_model, checked_output, checked_rows, checked_target
from corrigible.explanations.reading import meaning_of, require_sound_answers
from corrigible.models.batch_size import rows_at_once_of
from corrigible.models.modes import like_parameters, untouched
from corrigible.tasks import TaskChoice
from corrigible.types import Columns, Task

OF_A_GRADIENT = 2
"""Calls that a gradient counts as: the way forward, which gives the answer too, and the way back."""


@dataclass
class Standing:
    """The worst change of each row so far, by how clearly the model's answer is the wanted one; and the calls so far.

    It is written on as the search goes.
    """

    asking: Asking
    epsilon: float
    """The most that the changes of a row may cost."""
    budget: int
    """The most calls for each row."""
    worst: Float[np.ndarray, " row feature"]
    margin: Float[np.ndarray, " row"]
    """Above 0 where the attack has succeeded."""
    calls: Int[np.ndarray, " row"]

    @property
    def space(self) -> Space:
        return self.asking.space

    def open(self, needed: int, most: int) -> Places:
        """The rows whose answer still stands and that have so many calls left, of ``most``."""
        return np.flatnonzero((self.margin <= 0) & (self.calls + needed <= min(most, self.budget)))

    def ask(self, changed: Values, rows: Places) -> Float[np.ndarray, " some"]:
        """How clearly the answers to these changes are the wanted ones; a row may stand there several times."""
        found = self.asking.margins(changed, rows)
        np.add.at(self.calls, rows, 1)
        self._keep(changed, rows, found)
        return found

    def follow(
        self, changed: Values, rows: Places
    ) -> tuple[Float[np.ndarray, " some"], Float[np.ndarray, " some column"]]:
        """The same, with the gradient with respect to the columns; each row once."""
        found, slopes = self.asking.slopes(changed, rows)
        self.calls[rows] += OF_A_GRADIENT
        self._keep(changed, rows, found)
        return found, slopes

    def _keep(self, changed: Values, rows: Places, margin: Float[np.ndarray, " some"]) -> None:
        order = np.argsort(margin, kind="stable")  # The best of each row last, which is what stays.
        best = np.full(len(self.margin), -1)
        best[rows[order]] = order
        some = np.flatnonzero(best >= 0)
        some = some[margin[best[some]] > self.margin[some]]
        self.margin[some], self.worst[some] = margin[best[some]], changed[best[some]]


@contextmanager
def standing(
    model: Callable[[Tensor], Any],
    x: Any,
    y: Any,
    *,
    target: Any,
    schema: Columns | TableEncoder | Schema,
    constraints: Sequence[Constraint],
    rows: Any,
    epsilon: float,
    budget: int,
    task: TaskChoice | None,
    rows_at_once: int | None,
    seed: int,
) -> Iterator[Standing]:
    """A context in which the model can be asked about changes of the rows; afterwards it is as it was.

    Raises:
        RecipeError, DataError, UnsupportedModelError: see `feasible_attack`.
    """
    for name, given in (("x", x), ("rows", rows)):
        if isinstance(schema, TableEncoder) and frame_of(given) is not None:
            raise DataError(f"{name} is a frame; expected rows as the model takes them: inputs_of(frame, encoder)")
    facts = given_schema(schema, rows, lambda columns: checked_rows(rows, columns))
    allowed = allowed_by(constraints, facts)
    network = as_model(model)
    with untouched(network, seed):
        inputs = checked_rows(x, facts.columns).cpu()
        first = like_parameters(inputs[:1], network)
        meaning = meaning_of(task or "classes", checked_output(network, first, len(inputs)), None)
        size = rows_at_once_of(rows_at_once, network, first)
        require_sound_answers(meaning, network, inputs, size)
        outputs = outputs_of(network, inputs, meaning.task, size)
        wish = _wish(meaning.task, outputs, y, target)
        values = facts.values(inputs)
        space = Space(facts, allowed, _effects(allowed, facts, rows), values)
        asking = Asking(network, space, wish, inputs, {}, np.full(len(inputs), np.nan), False, size)
        margin = wish.margin(outputs, torch.arange(len(inputs))).double().numpy()
        yield Standing(asking, epsilon, budget, values.copy(), margin, np.ones(len(inputs), dtype=np.int64))


def _wish(task: Task, outputs: Float[Tensor, " row output"], y: Any, target: Any) -> Wish:
    if task.logits is None:
        raise UnsupportedModelError(f"the task is {task.name!r}; an attack is on classes: see `counterfactuals`")
    num_classes = task.logits(outputs).shape[1]
    own = checked_target(y, len(outputs), num_classes, name="y")
    if target is None:
        return Wish(task, avoided=own)
    return Wish(task, wanted=checked_target(target, len(outputs), num_classes))


def _effects(allowed: Allowed, schema: Schema, rows: Any) -> Effects:
    graphs = allowed.of(Causal)
    if not graphs:
        return Effects(schema)
    known = None if rows is None else schema.values(checked_rows(rows, schema.columns).cpu())
    return effects_of(graphs[0].causes, schema, known)
