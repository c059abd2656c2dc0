"""Polyak and Juditsky 1992, Acceleration of stochastic approximation by averaging.

Steps of a fixed size end in noise around the optimum. The mean of the weights over the last steps lies nearer, as it
would after a learning rate that had fallen; so training can be ended at any epoch.
"""

import torch
from torch import nn
from torch.optim import Optimizer

from corrigible.models.networks import copied
from corrigible.objective import Objective, StepObjective
from corrigible.protocols.steps import StepFactory
from corrigible.training import Step, plain_step

DECAY = 0.99
"""By which the weight of a step in the mean falls with each later step: about the last hundred steps count."""
LATEST = 10
"""At the beginning the last tenth of the steps counts."""


class RunningMean:
    """The mean of a network's weights over its last steps, as a network of its own.

    The weight of a step falls exponentially with the steps that follow.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network, self.mean, self.num_steps = network, copied(network), 0

    @torch.no_grad()
    def add(self) -> None:
        """Count the network's weights in; what it keeps beside them is taken as it is."""
        self.num_steps += 1
        share = max(1 - DECAY, LATEST / (LATEST + self.num_steps))
        for mean, latest in zip(self.mean.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(latest, share)
        for kept, now in zip(self.mean.buffers(), self.network.buffers(), strict=True):
            kept.copy_(now)

    def after(self, steps: StepFactory | None) -> StepFactory:
        """A factory of the same steps, each of which is counted in; None for plain steps."""

        def factory(num_steps: int) -> Step:
            step = plain_step if steps is None else steps(num_steps)

            def counted(optimizer: Optimizer, objective: StepObjective) -> Objective:
                found = step(optimizer, objective)
                self.add()
                return found

            return counted

        return factory
