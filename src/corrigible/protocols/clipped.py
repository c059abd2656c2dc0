"""Pascanu, Mikolov and Bengio 2013, On the difficulty of training recurrent neural networks: clipped gradients."""

from collections.abc import Callable

from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from corrigible.errors import RecipeError
from corrigible.objective import Objective
from corrigible.training import Step


def clipped_step(num_steps: int, *, max_norm: float = 1.0) -> Step:
    """Steps along the gradient of the whole objective, scaled down where its norm is larger.

    Args:
        max_norm: the largest Euclidean norm over all parameters of the optimizer, above 0.

    Raises:
        RecipeError: a ``max_norm`` that is not above 0.
    """
    if not 0 < max_norm < float("inf"):
        raise RecipeError(f"max_norm is {max_norm}; expected a number above 0")

    def step(optimizer: Optimizer, objective: Callable[[], Objective]) -> Objective:
        optimizer.zero_grad()
        found = objective()
        found.total.backward()
        clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], max_norm)
        optimizer.step()
        return found

    return step
