"""Explainers by coalition: they compare scores of a row with some groups of inputs absent; one file per explainer.

Every method here looks only at scores, so it explains any function of the rows. A method is a plan (see ``games``):
which coalitions of groups to evaluate, and how their values are weighted.
"""

from corrigible.explanations.coalitions.exact_shapley import exact_shapley
from corrigible.explanations.coalitions.feature_ablation import feature_ablation
from corrigible.explanations.coalitions.kernel_shap import kernel_shap
from corrigible.explanations.coalitions.lime import lime
from corrigible.explanations.coalitions.linear_shap import linear_shap
from corrigible.explanations.coalitions.occlusion import occlusion
from corrigible.explanations.coalitions.permutation_shapley import permutation_shapley

EXPLAINERS = {
    f.__name__: f
    for f in (exact_shapley, permutation_shapley, kernel_shap, linear_shap, lime, feature_ablation, occlusion)
}
