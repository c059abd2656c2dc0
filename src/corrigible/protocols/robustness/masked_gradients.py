"""Signs that an attack along gradients fails because the gradients do not show the way, not because there is none.

Athalye, Carlini and Wagner 2018, Obfuscated gradients give a false sense of security, section 3.1; Carlini et al. 2019,
On evaluating adversarial robustness.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from corrigible.augment import auto_projected_gradient, projected_gradient, square_attack
from corrigible.intervals import share_interval
from corrigible.printable import plural

NEGLIGIBLE = 0.01
"""A share of rows that is not spoken of; the lower end of a share's interval must exceed it."""
MCNEMAR = 3.84
"""The 95th percentile of the chi-squared distribution with one degree of freedom."""
MOST_CHECKED = 100
"""Rows on which larger changes are tried."""
Fooled = Mapping[str, Bool[Tensor, " row"]]


def function_behind(attack: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself, without settings filled in."""
    return function_behind(attack.func) if isinstance(attack, partial) else attack


def climbs(attack: Callable[..., Any]) -> bool:
    """Whether the attack follows gradients in several steps."""
    return function_behind(attack) in (projected_gradient, auto_projected_gradient)


def found_by_queries(attacks: Mapping[str, Callable[..., Any]], fooled: Fooled, num_right: int) -> list[str]:
    """A warning if a search without gradients fooled the model where every other attack failed, and not by chance."""
    asking = {name for name, attack in attacks.items() if function_behind(attack) is square_attack}
    others = [fooled[name] for name in attacks if name not in asking]
    if not asking or not any(map(climbs, attacks.values())) or not num_right:
        return []
    hidden = int((torch.stack([fooled[name] for name in asking]).any(0) & ~torch.stack(others).any(0)).sum())
    if share_interval(hidden, num_right)[0] <= NEGLIGIBLE:
        return []
    return [
        f"gradients are masked: square_attack, which asks for predictions alone, fooled the model on "
        f"{plural(hidden, 'row')} of {num_right:,} that attacks along gradients left right; other attacks may fool it "
        "on more"
    ]


def fooled_less_by_more(at: Bool[Tensor, " row"], at_more: Bool[Tensor, " row"], epsilon: float) -> list[str]:
    """A warning if twice the change fools the model on fewer rows, and not by chance (McNemar 1947)."""
    lost, won = int((at & ~at_more).sum()), int((~at & at_more).sum())
    if lost <= won or (lost - won) ** 2 <= MCNEMAR * (lost + won):
        return []
    return [
        f"gradients are masked: changes of at most {2 * epsilon:g} fool the model on {int(at_more.sum())} of "
        f"{plural(len(at), 'row')}, those of at most {epsilon:g} on {int(at.sum())}"
    ]


def right_everywhere(fooled: Bool[Tensor, " row"]) -> list[str]:
    """A warning if inputs that may be anywhere in their range leave rows predicted right, and not by chance."""
    left = int((~fooled).sum())
    if not len(fooled) or share_interval(left, len(fooled))[0] <= NEGLIGIBLE:
        return []
    return [
        f"gradients are masked, or predictions hardly depend on the inputs: with every input anywhere in its range, "
        f"attacks along gradients leave {left} of {plural(len(fooled), 'row')} right"
    ]
