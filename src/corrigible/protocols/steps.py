"""The optimisation steps that a schedule may name."""

from collections.abc import Callable, Mapping
from typing import Any

from corrigible.errors import RecipeError
from corrigible.methods import method_named, method_said
from corrigible.protocols.careful import careful_step
from corrigible.protocols.clipped import clipped_step
from corrigible.protocols.privacy.private_step import PrivateStep
from corrigible.training import Step, plain_step

StepFactory = Callable[[int], Step]
"""number of steps -> the optimisation step"""
StepChoice = str | Mapping[str, Any] | StepFactory
"""Steps, their name, or {"name": …, setting: …}."""
STEPS: Mapping[str, Callable[..., Any]] = {"careful": careful_step, "clipped": clipped_step, "private": PrivateStep}
"""Functions (number of steps, settings) -> step; of a class the instances are factories of steps."""


def steps_named(choice: StepChoice) -> StepFactory:
    """The factory of these steps.

    Raises:
        RecipeError: nothing has that name, or a setting is unknown, of the wrong type or out of range.
    """
    if not isinstance(choice, Mapping):
        named: Any = method_named(choice, STEPS, "step")
        return named() if isinstance(named, type) else named  # type: ignore[no-any-return]
    method = method_said(choice, STEPS, "step")
    if isinstance(method.function, type):
        return method.filled()  # type: ignore[no-any-return]
    return method.filled if method.settings else method.function


def steps_made(factory: StepFactory | None, num_steps: int) -> Step:
    """The steps of a run of so many; plain ones without a factory."""
    return plain_step if factory is None else factory(num_steps)


def require_ordinary(steps: StepFactory | None, method: str) -> None:
    """Raises RecipeError for private steps in a method that takes more from rows than ε of one training counts."""
    if isinstance(steps, PrivateStep):
        raise RecipeError(
            f"{method} takes more from the rows than ε of one training counts; use private steps to train, or to "
            "correct with penalties whose weights are numbers"
        )
