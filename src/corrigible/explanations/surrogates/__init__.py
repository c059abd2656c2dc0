"""Surrogates: small, readable models fitted to the output of a model; one file per kind.

A surrogate is ``(model, x, *, settings) -> its own frozen dataclass`` with ``rules()``, ``predict(x)`` and
``fidelity``: how well it follows the model on held-out points.
"""

from corrigible.explanations.surrogates.linear_surrogate import linear_surrogate
from corrigible.explanations.surrogates.tree_surrogate import tree_surrogate

SURROGATES = {f.__name__: f for f in (linear_surrogate, tree_surrogate)}
