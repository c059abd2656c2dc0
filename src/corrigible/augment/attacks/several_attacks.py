"""Croce and Hein 2020, Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
attacks.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.augment.attacks._attacked_rows import AttackedRows, attacked_rows
from corrigible.augment.attacks._ball import Norm, Sizes
from corrigible.augment.attacks._runs import Run, best_of
from corrigible.augment.attacks.auto_projected_gradient import auto_projected_gradient
from corrigible.augment.attacks.choosing import known_to, taken_by
from corrigible.augment.attacks.fgsm import fgsm
from corrigible.augment.attacks.projected_gradient import projected_gradient
from corrigible.augment.attacks.square_attack import square_attack

SEVERAL: Mapping[str, Callable[..., Any]] = {
    "fgsm": fgsm,
    "projected_gradient": projected_gradient,
    "auto_projected_gradient": auto_projected_gradient,
    "auto_projected_gradient, margin": partial(auto_projected_gradient, loss="margin", restarts=2),
    "square_attack": square_attack,
}
"""From the quickest to the slowest."""


def several_attacks(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    y: Int[Tensor, " batch"],
    *,
    epsilon: Sizes = 0.1,
    attacks: Mapping[str, Callable[..., Any]] | None = None,
    norm: Norm = "linf",
    target: Int[Tensor, " batch"] | None = None,
    low: Sizes = 0.0,
    high: Sizes = 1.0,
    index: Int[Tensor, " batch"] | None = None,
    seed: int = 0,
) -> Float[Tensor, " batch *input"]:
    """For each row the first success of several attacks; without one, where its margin was least.

    By default in turn: `fgsm`, `projected_gradient`, `auto_projected_gradient` with cross-entropy and then with the
    margin from two starts, and `square_attack`; of ``l2`` those that know it, which all follow gradients. A row that is
    predicted wrong already stays, and one that an attack has succeeded on is attacked no more.

    Args:
        attacks: by name, each (model, x, y, *, epsilon, …) -> x; None for those above.
        epsilon, norm, target, low, high, index: as in `projected_gradient`.

    Raises:
        RecipeError, DataError: as `projected_gradient`.
    """
    facts: dict[str, Any] = {"epsilon": epsilon, "norm": norm, "low": low, "high": high}
    chosen = [*(known_to(norm, SEVERAL) if attacks is None else attacks).values()]

    def run_of(attack: Callable[..., Any]) -> Run:
        def run(rows: AttackedRows) -> Tensor:
            found = {**facts, "index": rows.index, "target": rows.target, "seed": seed}
            moved: Tensor = attack(model, rows.ball.x, rows.y, **taken_by(attack, found))
            return moved

        return run

    with attacked_rows(model, x, y, target=target, index=index, seed=seed, **facts) as rows:
        return best_of(rows, [lambda rows: rows.ball.x.clone(), *map(run_of, chosen)])
