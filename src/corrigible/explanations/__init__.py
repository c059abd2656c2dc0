"""What a model's output rests on."""

from corrigible.explanations.explaining import EXPLAINERS, explain
from corrigible.explanations.features import by_feature

__all__ = ["EXPLAINERS", "by_feature", "explain"]
