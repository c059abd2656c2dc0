"""How sure an explanation is: the same question to several networks drawn from a model's distribution."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.explanations.explaining import explain
from corrigible.models.bayes.drawing import sample_network


@dataclass(frozen=True)
class ExplanationOverSamples:
    """Explanations of several networks, summed up."""

    mean: Float[Tensor, " batch *input"]
    spread: Float[Tensor, " batch *input"]
    """The standard deviation of each input's attribution over the networks."""


def explain_over_samples(
    model: nn.Module, x: Any, target: Any, *, samples: int = 8, seed: int = 0, **asked: Any
) -> ExplanationOverSamples:
    """The mean and the spread of what `explain` gives for several networks drawn from the model's distribution.

    Args:
        target: as for `explain`; it must be given, because networks may predict different classes.
        samples: how many networks.
        asked: further arguments of `explain`.

    Raises:
        UnsupportedModelError: no weight of the model has a distribution.
        ValueError: fewer than two samples.
    """
    if samples < 2:
        raise ValueError(f"samples is {samples}; expected at least 2")
    found = torch.stack(
        [explain(sample_network(model, number, seed=seed), x, target, seed=seed, **asked) for number in range(samples)]
    )
    return ExplanationOverSamples(found.mean(dim=0), found.std(dim=0))
