"""Masked small gradients, a method of the NeurIPS 2023 challenge on unlearning, as Cadet et al. 2024 describe it.

Deep unlearn: benchmarking machine unlearning. Weights that tell kept and forgotten rows apart the least get fresh
values; then the kept rows are trained on, and all other weights move less.
"""

from collections.abc import Callable, Generator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from corrigible.errors import RecipeError
from corrigible.models.fresh_weights import untrained
from corrigible.objective import Objective
from corrigible.protocols.unlearning.forgetting import Forgetting
from corrigible.protocols.unlearning.gradients import loss_gradients
from corrigible.training import Epoch, Step, plain_step


def small_gradients(
    forgetting: Forgetting,
    *,
    epochs: int = 2,
    learning_rate: float = 1e-3,
    share: float = 0.3,
    damping: float = 0.3,
) -> Generator[Epoch, None, nn.Module]:
    """A copy in which the weights with the smallest gradients are fresh, trained on with the kept rows.

    The gradient is that of the mean loss of kept rows minus the mean loss of forgotten rows, by the rows' weights.

    Args:
        share: of each layer's weights that become fresh, from 0 to 1.
        damping: the factor of how far other weights move in each step, from 0 to 1.

    Raises:
        RecipeError: a share or damping out of range.
        NoGradientError: every parameter is frozen.
    """
    for name, value in (("share", share), ("damping", damping)):
        if not 0 <= value <= 1:
            raise RecipeError(f"{name} is {value}; expected a number from 0 to 1")
    found, fresh = forgetting.copy(), untrained(forgetting.model, seed=forgetting.seed)
    is_fresh: dict[nn.Parameter, Tensor] = {}
    kept, forgotten = (loss_gradients(forgetting, rows) for rows in (forgetting.kept, forgetting.forgotten))
    named, others = dict(found.named_parameters()), dict(fresh.named_parameters())
    with torch.no_grad():
        for name, gradient in kept.items():
            chosen = smallest((gradient - forgotten[name]).abs(), share)
            named[name][chosen] = others[name][chosen]
            is_fresh[named[name]] = chosen
    batches, step = forgetting.batches(forgetting.kept), damped_step(is_fresh, damping)
    yield from forgetting.trained(found, batches, epochs=epochs, learning_rate=learning_rate, step=step)
    return found


def smallest(sizes: Float[Tensor, " *weight"], share: float) -> Tensor:
    """True at this share of the numbers, the smallest ones."""
    count = round(share * sizes.numel())
    chosen = torch.zeros(sizes.numel(), dtype=torch.bool, device=sizes.device)
    chosen[sizes.flatten().argsort(stable=True)[:count]] = True
    return chosen.reshape(sizes.shape)


def damped_step(moving: dict[nn.Parameter, Tensor], damping: float) -> Step:
    """A plain step after which all weights but the chosen ones have gone only this share of their way.

    The step itself is shortened, not the gradient: steps of Adam do not depend on the gradient's size.
    """

    def step(optimizer: Optimizer, objective: Callable[[], Objective]) -> Objective:
        before = {parameter: parameter.detach().clone() for parameter in moving}
        done = plain_step(optimizer, objective)
        with torch.no_grad():
            for parameter, was in before.items():
                parameter.copy_(torch.where(moving[parameter], parameter, was + damping * (parameter - was)))
        return done

    return step
