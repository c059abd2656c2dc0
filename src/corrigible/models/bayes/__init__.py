"""Networks whose weights have a distribution, and ways to find one."""

from corrigible.models.bayes.converting import bayesian, bayesian_layers, deterministic

__all__ = ["bayesian", "bayesian_layers", "deterministic"]
