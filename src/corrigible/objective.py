"""What a training step minimises: the label loss and the penalties, each with its weight."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from corrigible.errors import NoGradientError, RecipeError, TrainingDivergedError
from corrigible.methods import method_named, with_settings
from corrigible.models.forward import Forward, Loss, Penalty
from corrigible.models.modes import frozen_norms, mixes_rows
from corrigible.penalties import MODEL_PENALTIES, OF_LAYERS, OF_OWN_PASSES, PENALTIES
from corrigible.types import Batch

Weight = float | Callable[[int], float]
"""A number, or epoch -> number; epochs count from 0."""
PenaltySettings = Mapping[str, Any]
"""name -> weight, or name -> {"weight": …, setting: …}."""


@dataclass(frozen=True)
class Term:
    """A penalty as one run uses it."""

    name: str
    penalty: Penalty
    weight: Weight
    on_reviewed_rows: bool
    needs_input: bool = True
    """False where it looks at layers only: the pass need not keep what gradients with respect to the input need."""
    needs_layers: bool = True
    """False where it makes passes of its own."""

    def weight_at(self, epoch: int) -> float:
        return float(self.weight(epoch)) if callable(self.weight) else self.weight


@dataclass(frozen=True)
class Objective:
    """The value of what is minimised, and its parts."""

    label_losses: Tensor
    """One loss per row."""
    penalties: Mapping[str, Tensor]
    """Each penalty before its weight."""
    total: Tensor


def as_settings(penalties: PenaltySettings) -> dict[str, dict[str, Any]]:
    """Each penalty's settings with its weight among them, whichever way they were given."""
    return {name: dict(given) if isinstance(given, Mapping) else {"weight": given} for name, given in penalties.items()}


def terms_of(penalties: PenaltySettings) -> tuple[Term, ...]:
    """The penalties by name, with their settings checked.

    A user's own ``module:function`` sees the reviewed rows.

    Raises:
        RecipeError: an unknown penalty or setting, or a weight that is not a number.
    """
    found = []
    for name, settings in as_settings(penalties).items():
        weight = settings.pop("weight", None)
        is_number = (
            isinstance(weight, int | float) and not isinstance(weight, bool) and 0 <= weight <= sys.float_info.max
        )
        if not callable(weight) and not is_number:
            raise RecipeError(f"penalty {name!r} has weight {weight!r}; expected a number of at least 0")
        penalty = with_settings(method_named(name, PENALTIES, "penalty"), settings, f"penalty {name!r}")
        weight = weight if callable(weight) else float(weight)
        needs_input = name not in OF_LAYERS | OF_OWN_PASSES or settings.get("attribution") == "input_gradient"
        found.append(Term(name, penalty, weight, name not in MODEL_PENALTIES, needs_input, name not in OF_OWN_PASSES))
    return tuple(found)


def objective_of(
    model: nn.Module, batch: Batch, reviewed: Batch | None, *, loss: Loss, terms: Sequence[Term], epoch: int, seed: int
) -> Objective:
    """Run the model once on each batch and add up: mean label loss plus weight × penalty.

    Without a reviewed batch, feedback penalties see the label batch where it is marked, and rest where it is not.

    Raises:
        TrainingDivergedError: the sum is NaN or infinite.
    """
    active = [term for term in terms if term.weight_at(epoch) != 0]
    of_model = [term for term in active if not term.on_reviewed_rows]
    of_feedback = [term for term in active if term.on_reviewed_rows]
    # Marked label batches are reviewed rows themselves: one pass serves both, unless normalisation mixes its rows.
    is_shared = reviewed is None and batch.irrelevant is not None and not mixes_rows(model)
    reviewed = batch if reviewed is None and batch.irrelevant is not None else reviewed
    looking = [term for term in of_model + (of_feedback if is_shared else []) if term.needs_layers]
    looks_in = bool(looking)
    track_input = looks_in and _needs_input(model, looking)
    labelled = Forward(model, batch, seed=seed, track_input=track_input, track_layers=looks_in)
    label_losses = loss(labelled, batch)
    total = _mean(label_losses, batch.weight)
    values: dict[str, Tensor] = {}
    if of_feedback and reviewed is not None:
        with frozen_norms(model):
            shared = labelled if is_shared else _reviewed_pass(model, reviewed, of_feedback, seed)
            values |= {term.name: term.penalty(shared, reviewed) for term in of_feedback}
    values |= {term.name: term.penalty(labelled, batch) for term in of_model}
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
    return any(term.needs_input for term in terms) or not all(p.requires_grad for p in model.parameters())


def require_gradients(model: nn.Module, objective: Objective) -> None:
    """A penalty that reaches no parameter would teach nothing in silence.

    Raises:
        NoGradientError: naming the penalty.
    """
    for name, value in objective.penalties.items():
        if all(gradient is None for gradient in parameter_gradient(model, value)):
            raise NoGradientError(
                f"penalty {name!r} does not reach the model's parameters: it would teach nothing; "
                "check for detach(), no_grad() or frozen parameters"
            )


def parameter_gradient(model: nn.Module, value: Tensor) -> list[Tensor | None]:
    """The value's gradient with respect to each trainable parameter; None where there is no path."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not value.requires_grad or not parameters:
        return [None] * len(parameters)
    return list(torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True))


def _mean(losses: Tensor, weight: Tensor | None) -> Tensor:
    return losses.mean() if weight is None else (losses * weight).sum() / weight.sum()
