"""One network drawn from a model's distribution over networks."""

from torch import Tensor, nn

from corrigible.models.bayes.gaussian_weights import GaussianWeights
from corrigible.models.bayes.layers import is_bayesian
from corrigible.models.bayes.weight_draws import normal_draw


def weight_draw(model: nn.Module, number: int, *, seed: int = 0) -> dict[str, Tensor]:
    """The draw of this number of all weights that have a distribution, by the names of the model's parameters."""
    found: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        prefix = f"{name}." if name else ""
        if is_bayesian(module):
            noise = normal_draw(module.weight, number, seed=seed, name=f"weights/{name}")
            found[f"{prefix}weight"] = module.weight + module.weight_log_std.exp() * noise
        if isinstance(module, GaussianWeights):
            drawn = module.weight_draw(number, seed=seed, name=name)
            found |= {f"{prefix}{of}": values for of, values in drawn.items()}
    return found
