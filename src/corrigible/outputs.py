"""Check a model's output and bring it into the shape (batch, output)."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import UnsupportedModelError
from corrigible.printable import plural
from corrigible.tensors import plain_name, unfit


def described(output: object) -> str:
    """The shape of a tensor, or the type of anything else with the names of its parts."""
    if isinstance(output, Tensor):
        return f"shape {tuple(output.shape)}"
    parts = _parts(output)
    shown = (
        f" of {', '.join(map(repr, list(parts)[:6]))}" if isinstance(output, Mapping) or is_dataclass(output) else ""
    )
    return f"a {type(output).__name__}" + (shown or (f" of {len(parts)}" if parts else ""))


def as_outputs(output: object) -> Float[Tensor, " batch output"]:
    """The output of a model with one column per number; one number per row becomes one column.

    Of an output with several parts, the one that is named ``logits`` is used.

    Raises:
        UnsupportedModelError: neither (batch,) nor (batch, output) with an output, or not dense real numbers.
    """
    scores = scores_in(output)
    if scores.ndim > 2:
        raise UnsupportedModelError(
            f"the model gives {described(scores)}, with places; name those to explain: explain(…, at=mask): True "
            "where class scores are averaged; corrections and measurements need one prediction per row"
        )
    if scores.ndim == 0:
        raise UnsupportedModelError(f"the model gives {described(scores)}; expected (batch,) or (batch, num_outputs)")
    if scores.ndim == 2 and scores.shape[1] == 0:
        raise UnsupportedModelError(
            f"the model gives {described(scores)}, no number; expected at least one for each row"
        )
    return scores[:, None] if scores.ndim == 1 else scores


def scores_in(output: object) -> Tensor:
    """The tensor of scores that a model gives: its output, or the part of it that is named ``logits``.

    Raises:
        UnsupportedModelError: no such tensor, or not dense real numbers.
    """
    found = output if isinstance(output, Tensor) else _parts(output).get("logits", getattr(output, "logits", None))
    if not isinstance(found, Tensor):
        raise UnsupportedModelError(
            f"the model gives {described(output)}; expected scores as one tensor{_wrapper(output)}"
        )
    problem = unfit(found)
    if problem:
        raise UnsupportedModelError(f"the model gives {problem}")
    if not found.is_floating_point():
        raise UnsupportedModelError(
            f"the model gives {plain_name(found.dtype)} values, such as classes from argmax, which hide how close "
            "another class was; expected logits: return the scores before argmax (for counts, add .float())"
        )
    return found


def rows_of_outputs(output: object, num_rows: int) -> Float[Tensor, " batch output"]:
    """Like `as_outputs`, for as many rows.

    Raises:
        UnsupportedModelError: another number of rows of outputs than of x.
    """
    found = as_outputs(output)
    require_each(found, num_rows)
    return found


def require_each(outputs: Tensor, num_rows: int) -> None:
    """Raises UnsupportedModelError if there is not one row of outputs for each row of x."""
    if len(outputs) != num_rows:
        raise UnsupportedModelError(
            f"the model gives {plural(len(outputs), 'row')} of outputs for {plural(num_rows, 'row')} of x; "
            "expected one for each: compute over the other axes, and keep the first"
        )


def class_logits(output: object) -> Float[Tensor, " batch num_classes"]:
    """Logits with one column per class; a single logit z per row is that of class 1 of two and becomes (0, z).

    Raises:
        UnsupportedModelError: neither (batch,) nor (batch, num_classes).
    """
    logits = as_outputs(output)
    return torch.cat([torch.zeros_like(logits), logits], dim=1) if logits.shape[1] == 1 else logits


def _parts(output: object) -> dict[Any, Any]:
    """The parts of an output by name, or by number; none for a single thing."""
    if isinstance(output, Mapping):
        return dict(output)
    if is_dataclass(output):
        return {part.name: getattr(output, part.name) for part in fields(output)}
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return dict(zip(output._fields, output, strict=True))
    return dict(enumerate(output)) if isinstance(output, Sequence) and not isinstance(output, str) else {}


def _wrapper(output: object) -> str:
    """An example of a wrapper that takes the first tensor of several; empty if there is none."""
    name = next((name for name, part in _parts(output).items() if isinstance(part, Tensor)), None)
    if name is None:
        return ""
    is_by_key = isinstance(output, Mapping) or isinstance(name, int)
    part = f"[{name!r}]" if is_by_key else f".{name}"
    return f": class Scores(torch.nn.Sequential): forward = lambda self, x: self[0](x){part}; then pass Scores(model)"
