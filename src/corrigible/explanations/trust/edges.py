"""The edge detector under its former name, which older recipes may use."""

from corrigible.explanations.trust.edge_detector import edge_detector as edges

__all__ = ["edges"]
