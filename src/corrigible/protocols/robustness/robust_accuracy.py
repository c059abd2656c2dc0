"""Accuracy under attack: Croce and Hein 2020, Reliable evaluation of adversarial robustness with an ensemble of diverse
parameter-free attacks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from corrigible.augment import ATTACKS
from corrigible.augment.attacks import SEVERAL
from corrigible.augment.attacks.choosing import known_to, taken_by
from corrigible.data.dataset import as_dataset
from corrigible.data.protocol import Dataset
from corrigible.errors import RecipeError
from corrigible.explanations.inputs import num_classes_of
from corrigible.methods import method_named, name_of, settings_of, with_settings
from corrigible.models.draws import row_uniform
from corrigible.models.networks import network_of
from corrigible.protocols.robustness._rows import (
    SomeRows,
    parts_of,
    predicted,
    require_attackable,
    require_range,
    sizes_of,
)
from corrigible.protocols.robustness.masked_gradients import (
    MOST_CHECKED,
    climbs,
    fooled_less_by_more,
    found_by_queries,
    right_everywhere,
)
from corrigible.protocols.robustness.measured_robustness import RobustAccuracy

Attacks = Mapping[str, Callable[..., Any]]


def robust_accuracy(
    model: nn.Module,
    data: Any,
    *,
    epsilon: float,
    attack: str | Callable[..., Any] | Attacks = "several",
    norm: str = "linf",
    low: float | Tensor = 0.0,
    high: float | Tensor = 1.0,
    targeted: bool = False,
    seed: int = 0,
    **settings: Any,
) -> RobustAccuracy:
    """Accuracy as the rows are, under each attack, and under the strongest attack on each row.

    Every attack meets every row that is predicted right. What no attack found may still exist: the accuracy under the
    strongest one is an upper bound, and `certified_accuracy` a lower one. Columns of a table's categories stay as they
    are, except under attacks that know the table, such as `feasible_attack`.

    Warnings say that gradients are masked: where `square_attack` fools the model on rows that attacks along gradients
    leave right; and, tried on at most 100 rows with the last attack along gradients, where twice the change fools it on
    fewer rows, or, without categories, inputs anywhere in their range leave rows right. A network that predicts the
    same for all rows gets the last one too.

    Args:
        data: ``(x, y)`` or a map-style data set, of classes.
        epsilon: how far an attack may move, in units of x: each input, or with ``l2`` the row.
        attack: "several" for `SEVERAL`, the name of one attack, a function (model, x, y, *, epsilon, …) -> x, or
            several functions by name.
        norm: "linf" or "l2"; with ``l2`` the several attacks all follow gradients.
        low, high: the range of the inputs, one number or one for each input; rows must lie in it.
        targeted: move each row towards a wrong class, drawn at random, instead of away from the label.
        seed: settles the draws, with each row's position.
        settings: of the one attack that is named.

    Raises:
        RecipeError: an epsilon below 0, an unknown attack, setting or norm, or an attack that does not know the norm.
        DataError: rows outside of the range, or that the model cannot run on.
        UnsupportedModelError: data that are not of classes.
    """
    network, dataset = network_of(model), as_dataset(data)
    require_attackable(network, dataset, epsilon)
    attacks = _attacks(attack, norm, settings)
    siege = _Siege(network, dataset, norm, low, high, seed)
    is_right: list[Tensor] = []
    fooled: dict[str, list[Tensor]] = {name: [] for name in attacks}
    kept: list[SomeRows] = []
    for rows in parts_of(network, dataset):
        right = rows.is_right.nonzero().flatten()
        is_right.append(rows.is_right.cpu())
        kept.append(rows.of(right[: MOST_CHECKED - sum(len(each.y) for each in kept)]))
        for name, function in attacks.items():
            falls = siege.fooled(function, rows.of(right), epsilon, targeted=targeted)
            fooled[name].append(torch.zeros_like(rows.is_right).index_fill(0, right[falls], True).cpu())
    by_attack = {name: torch.cat(parts) for name, parts in fooled.items()}
    right_rows = torch.cat(is_right)
    warnings = found_by_queries(attacks, by_attack, int(right_rows.sum()))
    warnings += siege.larger(attacks, kept, epsilon) if epsilon > 0 else []
    counts_costs = not any("norm" in settings_of(function) for function in attacks.values())
    return RobustAccuracy(float(epsilon), "cost" if counts_costs else norm, right_rows, by_attack, tuple(warnings))


@dataclass(frozen=True)
class _Siege:
    """A model, and what all attacks on it share."""

    model: nn.Module
    dataset: Dataset
    norm: str
    low: float | Tensor
    high: float | Tensor
    seed: int

    def fooled(
        self, attack: Callable[..., Any], rows: SomeRows, epsilon: float, *, targeted: bool = False
    ) -> Bool[Tensor, " batch"]:
        """Whether the attack makes the model predict each of these rows wrong."""
        if not len(rows.y):
            return torch.zeros_like(rows.is_right)
        facts: dict[str, Any] = {"norm": self.norm, "index": rows.index, "seed": self.seed}
        size: float | Tensor = epsilon
        if "low" in settings_of(attack):
            require_range(rows.x, self.low, self.high)
            size = sizes_of(self.dataset, rows.x, epsilon)
            facts |= {"low": self.low, "high": self.high}
        if targeted:
            num_classes = num_classes_of(self.model, rows.x[:1], len(self.dataset))
            facts["target"] = wrong_class(rows.index, rows.y, num_classes, self.seed)
        moved = attack(self.model, rows.x, rows.y, epsilon=size, **taken_by(attack, facts))
        return predicted(self.model, moved) != rows.y

    def larger(self, attacks: Attacks, kept: list[SomeRows], epsilon: float) -> list[str]:
        """Warnings from the last attack along gradients, with twice the change and with inputs anywhere in range."""
        climbing = [attack for attack in attacks.values() if climbs(attack)]
        if not climbing:
            return []
        span = float((torch.as_tensor(self.high) - torch.as_tensor(self.low)).max())
        anywhere = span * (kept[0].x[0].numel() ** 0.5 if self.norm == "l2" else 1)
        found = [
            torch.cat([self.fooled(climbing[-1], rows, size) for rows in kept])
            for size in (epsilon, 2 * epsilon, anywhere)
        ]
        # Categories that are held may decide by themselves, whatever the numbers are.
        holds_some = isinstance(sizes_of(self.dataset, kept[0].x, epsilon), Tensor)
        return fooled_less_by_more(found[0], found[1], epsilon) + ([] if holds_some else right_everywhere(found[2]))


def _attacks(attack: str | Callable[..., Any] | Attacks, norm: str, settings: Mapping[str, Any]) -> Attacks:
    several = known_to(norm, SEVERAL) if attack == "several" else attack
    if isinstance(several, Mapping):
        if settings:
            raise RecipeError(f"{', '.join(settings)}: settings belong to one attack; fill them in with partial")
        attacks: Attacks = dict(several)
    else:
        method = method_named(several, ATTACKS, "attack")
        attacks = {name_of(several): with_settings(method, settings, f"attack {name_of(several)!r}")}
    if not attacks:
        raise RecipeError("no attacks; expected at least one by name, or 'several'")
    unable = [name for name in attacks if name not in known_to(norm, attacks)]
    if unable:
        raise RecipeError(f"attack {unable[0]!r} does not know the norm {norm!r}; leave it out, or use norm 'linf'")
    return attacks


def wrong_class(
    index: Int[Tensor, " batch"], y: Int[Tensor, " batch"], num_classes: int, seed: int
) -> Int[Tensor, " batch"]:
    """A class other than the label for each row, drawn uniformly."""
    # The name of the draws settles published figures.
    drawn = row_uniform(index, (), seed=seed, name="attack_curve").to(y.device)
    further = 1 + (drawn * (num_classes - 1)).long().clamp_max(num_classes - 2)
    return (y + further) % num_classes
