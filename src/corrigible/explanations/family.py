"""Every explainer by name: those that follow gradients and those that look at coalitions of inputs."""

from corrigible.explanations.attribution import EXPLAINERS as BY_GRADIENT
from corrigible.explanations.coalitions import EXPLAINERS as BY_COALITION

EXPLAINERS = {**BY_GRADIENT, **BY_COALITION}
