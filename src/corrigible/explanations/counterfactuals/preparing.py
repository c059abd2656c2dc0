"""What was asked for, checked, and the model ready to answer."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from corrigible.data.arrays import frame_of
from corrigible.data.table_encoder import TableEncoder
from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.explanations.counterfactuals.allowed import Allowed, allowed_by
from corrigible.explanations.counterfactuals.asking import Asking, outputs_of
from corrigible.explanations.counterfactuals.constraints import Causal
from corrigible.explanations.counterfactuals.effects import Effects, effects_of
from corrigible.explanations.counterfactuals.naming import names_of_classes, numbered
from corrigible.explanations.counterfactuals.near_rows import Data, drawn, near_rows
from corrigible.explanations.counterfactuals.schema import Schema, given_schema
from corrigible.explanations.counterfactuals.space import Space
from corrigible.explanations.counterfactuals.wishes import wish_of
from corrigible.explanations.inputs import as_model, checked_output, checked_rows
from corrigible.explanations.reading import meaning_of, require_sound_answers
from corrigible.models.batch_size import rows_at_once_of
from corrigible.models.modes import like_parameters, untouched
from corrigible.tasks import TaskChoice
from corrigible.types import Columns, Task

NUM_NEAR = 40
"""How many near rows of data are looked at."""


class Asked(NamedTuple):
    """The model and rows, ready to be asked."""

    asking: Asking
    near: Float[np.ndarray, " row near feature"]
    """Of each row the nearest rows of data with the answer it should get."""
    already: Bool[np.ndarray, " row"]
    """Which rows have the wanted answer as they are."""
    data: Data | None
    class_names: tuple[str, ...]
    """Of the classes; empty where they are not known."""


@contextmanager
def asked(
    model: Callable[[Tensor], Any],
    x: Any,
    *,
    schema: Columns | TableEncoder | Schema,
    constraints: Any,
    rows: Any,
    wanted: dict[str, Any],
    task: TaskChoice | None,
    quantile: float,
    is_bounded: bool,
    rows_at_once: int | None,
    seed: int,
    most_rows: int | None = None,
    class_names: Sequence[str] = (),
) -> Iterator[Asked]:
    """A context in which the model can be asked; afterwards it is as it was.

    Args:
        wanted: "target", "below" and "above", see `wish_of`.

    Raises:
        RecipeError, DataError, UnsupportedModelError: see `counterfactuals`.
    """
    _check(model, x, schema, rows, quantile)
    facts = given_schema(schema, rows, lambda columns: checked_rows(rows, columns))
    allowed = allowed_by(constraints, facts)
    network = as_model(model)
    with untouched(network, seed):
        inputs = checked_rows(x, facts.columns).cpu()
        first = like_parameters(inputs[:1], network)
        meaning = meaning_of(task, checked_output(network, first, len(inputs)), None)
        size = rows_at_once_of(rows_at_once, network, first)
        require_sound_answers(meaning, network, inputs, size)
        outputs = outputs_of(network, inputs, meaning.task, size)
        logits = None if meaning.task.logits is None else meaning.task.logits(outputs)
        names = () if logits is None else names_of_classes(class_names, schema, logits.shape[1])
        target = wanted["target"] if logits is None else numbered(wanted["target"], names)
        wish = wish_of(meaning.task, outputs, **{**wanted, "target": target})
        already = (wish.margin(outputs, torch.arange(len(inputs))) > 0).numpy()
        data = None if rows is None else _data(network, rows, facts, meaning.task, size, seed=seed, most=most_rows)
        space = Space(facts, allowed, _effects(allowed, facts, data), facts.values(inputs))
        near = near_rows(inputs, data, wish, facts, num=NUM_NEAR, quantile=quantile, fixed=allowed.immutable)
        is_bounded = is_bounded and data is not None
        asking = Asking(network, space, wish, inputs, near.kinds, near.usual, is_bounded, size)
        yield Asked(asking, near.values, already, data, names)


def _check(model: Any, x: Any, schema: Any, rows: Any, quantile: Any) -> None:
    if isinstance(quantile, bool) or not isinstance(quantile, int | float) or not 0 < quantile <= 1:
        raise RecipeError(f"quantile is {quantile!r}; expected a share above 0 and at most 1")
    kind = type(model).__name__
    if type(model).__module__.startswith("sklearn.") and ("Forest" in kind or "Tree" in kind or "Boosting" in kind):
        raise UnsupportedModelError(f"the model is a {kind}, which has no gradient; use tree_counterfactuals")
    for name, given in (("x", x), ("rows", rows)):
        if isinstance(schema, TableEncoder) and frame_of(given) is not None:
            raise DataError(f"{name} is a frame; expected rows as the model takes them: inputs_of(frame, encoder)")


def _data(
    network: nn.Module, rows: Any, schema: Schema, task: Task, rows_at_once: int, *, seed: int, most: int | None
) -> Data:
    x = drawn(checked_rows(rows, schema.columns).cpu(), seed, most)
    return Data(x, schema.values(x), outputs_of(network, x, task, rows_at_once))


def _effects(allowed: Allowed, schema: Schema, data: Data | None) -> Effects:
    graphs = allowed.of(Causal)
    return effects_of(graphs[0].causes, schema, None if data is None else data.values) if graphs else Effects(schema)
