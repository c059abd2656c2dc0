"""Steps that do not throw a trained network off.

A fooled network is certain and wrong once its cue is moved: the first losses are many times those it was trained with,
and steps as large as in training can leave units dead. So the learning rate grows over the first tenth of the steps
and falls to 0 along half a cosine (Loshchilov and Hutter 2017, SGDR), about the given one in the mean, and the
gradient's norm is at most 1. In the end the weights hardly move, and running statistics of normalisation layers are
those of the weights that are kept.
"""

import math
from collections.abc import Callable

from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from corrigible.objective import Objective
from corrigible.training import Step

WARM_UP = 0.1
"""Of the steps."""
MOST_GRADIENT = 1.0
"""The largest Euclidean norm of the whole gradient."""


def careful_step(num_steps: int) -> Step:
    """A step for a run of so many; its learning rate goes up and down around the optimizer's own."""
    state = {"done": 0}

    def step(optimizer: Optimizer, objective: Callable[[], Objective]) -> Objective:
        rates = [group["lr"] for group in optimizer.param_groups]
        optimizer.zero_grad()
        found = objective()
        found.total.backward()
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        clip_grad_norm_(parameters, MOST_GRADIENT)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * share_of_rate(state["done"], num_steps)
        optimizer.step()
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        state["done"] += 1
        return found

    return step


def share_of_rate(done: int, num_steps: int) -> float:
    """Of the learning rate, after so many steps: up in the first tenth, then from nearly 2 down to 0."""
    warm = min(1.0, (done + 1) / max(1.0, WARM_UP * num_steps))
    return warm * (1 + math.cos(math.pi * min(done, num_steps) / num_steps))
