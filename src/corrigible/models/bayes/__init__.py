"""Networks whose weights have a distribution, and ways to find one."""

from corrigible.models.bayes.converting import bayesian, bayesian_layers, deterministic
from corrigible.models.bayes.last_layer import variational_last_layer

__all__ = ["bayesian", "bayesian_layers", "deterministic", "variational_last_layer"]
