"""Attacks: functions that move each row a little so that its prediction changes, (model, x, y) -> x.

All stay within ``epsilon`` of the row and between ``low`` and ``high``; a value beyond these may stay where it is.
Draws depend on the seed and on each row's ``index`` alone. The model runs in eval mode; its modes, statistics,
gradients and PyTorch's random state stay as they are.
"""

from collections.abc import Callable
from typing import Any

from corrigible.augment.attacks.auto_projected_gradient import auto_projected_gradient
from corrigible.augment.attacks.fgsm import fgsm
from corrigible.augment.attacks.projected_gradient import projected_gradient
from corrigible.augment.attacks.several_attacks import SEVERAL, several_attacks
from corrigible.augment.attacks.square_attack import square_attack

ATTACKS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (fgsm, projected_gradient, auto_projected_gradient, square_attack, several_attacks)
}

__all__ = [
    "ATTACKS",
    "SEVERAL",
    "auto_projected_gradient",
    "fgsm",
    "projected_gradient",
    "several_attacks",
    "square_attack",
]
