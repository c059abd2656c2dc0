"""Networks of which only the last layer has a distribution."""

from torch import nn

from corrigible.errors import UnsupportedModelError
from corrigible.models.bayes.converting import bayesian
from corrigible.models.networks import network_of


def variational_last_layer(model: nn.Module, *, prior_std: float = 1.0) -> nn.Module:
    """A copy whose last linear layer is Bayesian; train it with the loss ``last_layer_bound`` and `kl_divergence`.

    Raises:
        UnsupportedModelError: no linear layer.
        ValueError: a ``prior_std`` that is not above 0.
    """
    return bayesian(model, prior_std=prior_std, layers=[last_linear(network_of(model))])


def last_linear(model: nn.Module) -> str:
    """The name of the last linear layer.

    Raises:
        UnsupportedModelError: there is none.
    """
    names: list[str] = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise UnsupportedModelError(f"the model is a {type(model).__name__} without a linear layer")
    return names[-1]
