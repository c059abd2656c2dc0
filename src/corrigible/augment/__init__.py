"""Augmentations: changes to the label batches during training, one file each: (model, batch, generator) -> batch."""

from collections.abc import Callable
from typing import Any

from corrigible.augment import attacks
from corrigible.augment.adversarial_rows import adversarial_rows
from corrigible.augment.attacks import (
    auto_projected_gradient,
    fgsm,
    projected_gradient,
    several_attacks,
    square_attack,
)
from corrigible.augment.extreme_rows import extreme_rows
from corrigible.augment.feasible_attack import feasible_attack
from corrigible.augment.feasible_rows import feasible_rows
from corrigible.augment.input_noise import input_noise
from corrigible.augment.transplant import transplant

AUGMENTS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (adversarial_rows, extreme_rows, feasible_rows, input_noise, transplant)
}
ATTACKS: dict[str, Callable[..., Any]] = {**attacks.ATTACKS, "feasible_attack": feasible_attack}

__all__ = [
    "ATTACKS",
    "AUGMENTS",
    "adversarial_rows",
    "auto_projected_gradient",
    "extreme_rows",
    "feasible_attack",
    "feasible_rows",
    "fgsm",
    "input_noise",
    "projected_gradient",
    "several_attacks",
    "square_attack",
    "transplant",
]
