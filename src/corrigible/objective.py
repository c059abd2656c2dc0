"""What a training step minimises: the label loss and the penalties, each with its weight."""

import math
import sys
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from corrigible.declarations import Declaration, LooksAt
from corrigible.errors import FeedbackError, NoGradientError, RecipeError, TrainingDivergedError, UnsupportedModelError
from corrigible.methods import ConfiguredMethod, method_of, name_of
from corrigible.models.forward import Forward, Loss
from corrigible.models.modes import frozen_norms, mixes_rows
from corrigible.penalties import PENALTIES
from corrigible.types import Batch

Weight = float | Callable[[int], float]
"""A number, or epoch -> number; epochs count from 0."""
PenaltySettings = Mapping[Any, Any]
"""name or function -> weight, or -> {"weight": …, setting: …}."""


@dataclass(frozen=True)
class Term:
    """A penalty with its checked settings and its weight."""

    method: ConfiguredMethod
    weight: Weight | Literal["auto"]
    """"auto" until a correction has chosen it."""
    gap: float | None = None
    """The gap between groups that the chosen weight must reach; None for penalties that close none."""

    @property
    def name(self) -> str:
        return self.method.name

    def value(self, forward: Forward, batch: Batch) -> Tensor:
        """The penalty before its weight.

        Raises:
            RecipeError: the penalty did not return a real scalar tensor.
            UnsupportedModelError: the model or the task lacks what the penalty needs.
        """
        try:
            found = self.method.filled(forward, batch)
        except UnsupportedModelError as error:
            raise UnsupportedModelError(f"penalty {self.name!r}: {error}") from error
        if not isinstance(found, Tensor) or found.ndim > 0 or not found.is_floating_point():
            raise RecipeError(f"penalty {self.name!r} gave {_described(found)}; expected a scalar tensor of floats")
        return found

    @property
    def declaration(self) -> Declaration:
        return self.method.declaration

    @property
    def on_reviewed_rows(self) -> bool:
        return self.declaration.rows == "reviewed"

    @property
    def looks_at(self) -> LooksAt:
        return self.declaration.looks_at_with(self.method.settings)

    @property
    def is_auto(self) -> bool:
        return self.weight == "auto"

    def weight_at(self, epoch: int) -> float:
        assert not isinstance(self.weight, str)
        weight = self.weight(epoch) if callable(self.weight) else self.weight
        try:
            number = float(weight)
        except (TypeError, ValueError, RuntimeError):
            number = math.nan
        if not 0 <= number <= sys.float_info.max:
            raise RecipeError(f"penalty {self.name!r} has weight {weight!r} in epoch {epoch}; expected at least 0")
        return number


@dataclass(frozen=True)
class Objective:
    """The value that a step minimises, and its parts."""

    label_losses: Tensor
    """One loss per row."""
    penalties: Mapping[str, Tensor]
    """Each penalty before its weight."""
    total: Tensor


@dataclass(frozen=True)
class StepObjective:
    """The objective of one step, computed at the current parameters by each call, and what it is made of."""

    model: nn.Module
    batch: Batch
    """The labelled rows."""
    reviewed: Batch | None
    loss: Loss
    terms: Sequence[Term]
    epoch: int
    seed: int

    def __call__(self) -> Objective:
        """The objective; see `objective_of`."""
        how: dict[str, Any] = {"loss": self.loss, "terms": self.terms, "epoch": self.epoch, "seed": self.seed}
        return objective_of(self.model, self.batch, self.reviewed, **how)


def terms_of(penalties: "PenaltySettings | Sequence[Term]", *, may_be_auto: bool = False) -> tuple[Term, ...]:
    """The penalties as terms, with their settings checked; what already is a term is returned unchanged.

    Args:
        penalties: name, ``my_module:my_penalty`` or function -> weight, or -> {"weight": …, setting: …}.
        may_be_auto: whether a weight may be "auto".

    Raises:
        RecipeError: an unknown penalty or setting, a penalty given twice, or a weight that is not a number.
    """
    if isinstance(penalties, Mapping):
        penalties = [_term(key, given) for key, given in penalties.items()]
    if not isinstance(penalties, list | tuple) or not all(isinstance(term, Term) for term in penalties):
        raise RecipeError(f"penalties is {penalties!r}; expected {{penalty: weight}}, by name or function")
    names = [term.name for term in penalties]
    for term in penalties:
        if names.count(term.name) > 1:
            raise RecipeError(f"penalty {term.name!r} is given twice; expected each penalty once")
        if term.is_auto and not may_be_auto:
            raise RecipeError(f"penalty {term.name!r} has weight 'auto'; expected a number of at least 0")
    return tuple(penalties)


def _term(key: str | Callable[..., Any], given: Any) -> Term:
    settings = dict(given) if isinstance(given, Mapping) else {"weight": given}
    weight = settings.pop("weight", None)
    is_number = isinstance(weight, int | float) and not isinstance(weight, bool) and 0 <= weight <= sys.float_info.max
    if not callable(weight) and not is_number and weight != "auto":
        raise RecipeError(
            f'penalty {name_of(key)!r} has weight {weight!r}; expected a number of at least 0, or "auto" to correct'
        )
    gap = settings.pop("gap", None)
    method = method_of(key, settings, PENALTIES, "penalty")
    return Term(method, float(weight) if is_number else weight, _checked_gap(method, gap, weight))


def _checked_gap(method: ConfiguredMethod, gap: Any, weight: Any) -> float | None:
    """The gap that a weight is chosen to reach; raises RecipeError where there is one too many, or none."""
    closes = method.declaration.gap is not None
    if gap is None and not (closes and weight == "auto"):
        return None
    if not closes:
        raise RecipeError(f"penalty {method.name!r} closes no gap between groups; leave out gap")
    if weight != "auto":
        raise RecipeError(f'penalty {method.name!r} has a gap and the weight {weight!r}; expected weight "auto"')
    if isinstance(gap, bool) or not isinstance(gap, int | float) or not 0 < gap <= sys.float_info.max:
        raise RecipeError(
            f'penalty {method.name!r} has weight "auto" and gap {gap!r}; expected a gap above 0, such as gap = 0.03'
        )
    return float(gap)


def warm_up(epochs: int, *, to: float = 1.0) -> Callable[[int], float]:
    """A weight that rises in equal steps over the first epochs and then stays: ``to`` / epochs in the first one."""
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}; expected at least 1")
    return lambda epoch: to * min(1.0, (epoch + 1) / epochs)


def objective_of(
    model: nn.Module, batch: Batch, reviewed: Batch | None, *, loss: Loss, terms: Sequence[Term], epoch: int, seed: int
) -> Objective:
    """Run the model once on each batch and return the mean label loss plus the sum of weight × penalty.

    Without a reviewed batch, feedback penalties see the label batch if it is marked, and are left out if it is not.

    Raises:
        TrainingDivergedError: the sum is NaN or infinite.
    """
    active = [term for term in terms if term.weight_at(epoch) != 0]
    of_model = [term for term in active if not term.on_reviewed_rows]
    of_feedback = [term for term in active if term.on_reviewed_rows]
    # Marked label batches are reviewed rows themselves: one pass serves both, unless normalisation mixes its rows.
    is_shared = reviewed is None and batch.irrelevant is not None and not mixes_rows(model)
    reviewed = batch if reviewed is None and batch.irrelevant is not None else reviewed
    looking = [term for term in of_model + (of_feedback if is_shared else []) if term.looks_at in ("input", "layers")]
    looks_in = bool(looking)
    track_input = looks_in and _needs_input(model, looking)
    labelled = Forward(model, batch, seed=seed, track_input=track_input, track_layers=looks_in)
    label_losses = _one_per_row(loss(labelled, batch), labelled.num_rows)
    total = _mean(label_losses, batch.weight)
    values: dict[str, Tensor] = {}
    if of_feedback and reviewed is not None:
        with frozen_norms(model):
            shared = labelled if is_shared else _reviewed_pass(model, reviewed, of_feedback, seed)
            values |= {term.name: term.value(shared, reviewed) for term in of_feedback}
    values |= {term.name: term.value(labelled, batch) for term in of_model}
    for term in active:
        if term.name in values:
            total = total + term.weight_at(epoch) * values[term.name]
    if not math.isfinite(total.item()):
        parts = ", ".join([f"label loss {label_losses.mean():g}", *(f"{n} {v:g}" for n, v in values.items())])
        raise TrainingDivergedError(
            f"the loss is no longer a finite number ({parts}); lower the learning rate or weight"
        )
    return Objective(label_losses, values, total)


def _reviewed_pass(model: nn.Module, reviewed: Batch, terms: Sequence[Term], seed: int) -> Forward:
    return Forward(model, reviewed, seed=seed, track_input=_needs_input(model, terms), track_layers=True)


def _needs_input(model: nn.Module, terms: Sequence[Term]) -> bool:
    """Below frozen layers only the input carries gradients up to a layer."""
    return any(term.looks_at == "input" for term in terms) or not all(p.requires_grad for p in model.parameters())


def require_ran(terms: Sequence[Term], ran: Container[str]) -> None:
    """Check that every term ran: a penalty that never runs would silently teach nothing.

    Raises:
        FeedbackError: a term did not run; the message names its penalty.
    """
    for term in terms:
        if term.name not in ran:
            raise FeedbackError(
                f"penalty {term.name!r} never ran: it sees reviewed rows, of which there are none; give feedback, or "
                'declare a penalty of your own that sees the labelled rows with @declared(rows="labelled")'
            )


def require_gradients(model: nn.Module, objective: Objective) -> None:
    """Check that every penalty has a gradient with respect to a parameter: without one it would silently teach nothing.

    Raises:
        NoGradientError: a penalty has none; the message names it.
    """
    for name, value in objective.penalties.items():
        if all(gradient is None for gradient in parameter_gradient(model, value)):
            raise NoGradientError(
                f"penalty {name!r} does not reach the model's parameters: it would teach nothing; "
                "check for detach(), no_grad() or frozen parameters"
            )


def parameter_gradient(model: nn.Module, value: Tensor) -> list[Tensor | None]:
    """The value's gradient with respect to each trainable parameter; None for one that the value does not depend on."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not value.requires_grad or not parameters:
        return [None] * len(parameters)
    return list(torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True))


def _one_per_row(losses: Any, num_rows: int) -> Tensor:
    """Raises RecipeError for a loss that is not one float per row."""
    if not isinstance(losses, Tensor) or losses.shape != (num_rows,) or not losses.is_floating_point():
        raise RecipeError(f"the loss gave {_described(losses)}; expected one float per row, shape ({num_rows},)")
    return losses


def _described(found: Any) -> str:
    is_tensor = isinstance(found, Tensor)
    return f"{found.dtype} of shape {tuple(found.shape)}" if is_tensor else f"a {type(found).__name__}"


def _mean(losses: Tensor, weight: Tensor | None) -> Tensor:
    """The weighted mean; 0 if every weight is 0."""
    if weight is None:
        return losses.mean()
    return (losses * weight).sum() / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
