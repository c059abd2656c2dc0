"""Maddox et al. 2019, A simple baseline for Bayesian uncertainty in deep learning: SWAG.

The weights that training passes through late, at a rate that stays high, are taken as draws: their mean, their
variances and their latest deviations from the mean give a normal distribution (section 3.3).
"""

import torch
from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError
from corrigible.models.bayes.gaussian_weights import GaussianWeights
from corrigible.models.networks import copied, network_of


class Swag:
    """Collects a network's weights while it is trained.

    Call `collect` after each epoch of `fit` or `run`, then `posterior`.

    Args:
        rank: how many of the latest deviations are kept.
    """

    def __init__(self, network: nn.Module, *, rank: int = 20) -> None:
        if rank < 2:
            raise ValueError(f"rank is {rank}; expected at least 2")
        self.network, self.rank, self.num_collected = network_of(network), rank, 0
        for name, module in self.network.named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                raise UnsupportedModelError(
                    f"layer {name!r} keeps statistics that belong to one network, not to its draws; SWAG fits networks "
                    "without batch normalisation"
                )
        self._means = {name: torch.zeros_like(p) for name, p in self._weights()}
        self._squares = {name: torch.zeros_like(p) for name, p in self._weights()}
        self._deviations: list[dict[str, Tensor]] = []

    def collect(self) -> None:
        """Count the weights of this moment in."""
        self.num_collected += 1
        deviations = {}
        for name, weights in self._weights():
            self._means[name].lerp_(weights, 1 / self.num_collected)
            self._squares[name].lerp_(weights.square(), 1 / self.num_collected)
            deviations[name] = weights - self._means[name]
        self._deviations = [*self._deviations, deviations][-self.rank :]

    def posterior(self) -> GaussianWeights:
        """A copy of the network at the mean of its weights, with their distribution: half diagonal, half low rank.

        Raises:
            ValueError: fewer than two calls of `collect`.
        """
        if self.num_collected < 2:
            raise ValueError(f"weights were collected {self.num_collected} times; expected at least 2")
        network = copied(self.network)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name in self._means:
                    parameter.copy_(self._means[name])
        variances = {name: self._squares[name] - mean.square() for name, mean in self._means.items()}
        stds = {name: variance.clamp_min(0).div(2).sqrt() for name, variance in variances.items()}
        scale = (2 * (len(self._deviations) - 1)) ** -0.5
        directions = {name: scale * torch.stack([each[name] for each in self._deviations]) for name in self._means}
        return GaussianWeights(network, stds, directions)

    def _weights(self) -> list[tuple[str, Tensor]]:
        return [(name, p.detach()) for name, p in self.network.named_parameters() if p.requires_grad]
