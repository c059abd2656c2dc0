"""The edge detector under the name by which recipes written before may hold it."""

from corrigible.explanations.trust.edge_detector import edge_detector as edges

__all__ = ["edges"]
