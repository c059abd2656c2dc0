"""Careful steps: a warm-up, a falling learning rate and clipped gradients for correcting a trained network.

Once its cue is moved, a fooled network is confident and wrong: the first losses are many times those at the end of its
training, and steps as large as in training can leave units dead. So the learning rate grows over the first tenth of the
steps and then falls to 0 along half a cosine (Loshchilov and Hutter 2017, SGDR); its mean is about the given rate. The
gradient's norm is clipped to 1. In the last steps the weights hardly move, so the running statistics of normalisation
layers fit the final weights.
"""

import math
from collections.abc import Callable

from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from corrigible.objective import Objective
from corrigible.training import Step

WARM_UP = 0.1
"""Share of the steps in which the learning rate grows."""
MOST_GRADIENT = 1.0
"""The largest Euclidean norm of the whole gradient."""


def careful_step(num_steps: int) -> Step:
    """A step for a run of ``num_steps``; its learning rate rises and falls around the optimizer's own."""
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
    """Factor of the learning rate after ``done`` steps: rises in the first tenth, then falls from nearly 2 to 0."""
    warm = min(1.0, (done + 1) / max(1.0, WARM_UP * num_steps))
    return warm * (1 + math.cos(math.pi * min(done, num_steps) / num_steps))
