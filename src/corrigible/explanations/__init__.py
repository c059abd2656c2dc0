"""Explanations: which inputs a model's output depends on."""

from corrigible.explanations.explaining import EXPLAINERS, explain
from corrigible.explanations.features import by_feature

__all__ = ["EXPLAINERS", "by_feature", "explain"]
