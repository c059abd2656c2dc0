"""Measures of how good an explanation is, one file per idea; results are row-aligned, on the CPU in float64.

Every function works on whole batches and treats special cases in the same way:

* an attribution that is NaN or infinite is refused, with the row's number;
* NaN means that a measure is undefined on that row: it has no attribution at all, or no input marked as relevant;
* inputs whose attributions tie at a cut are taken together, each by the same share. This is the average over breaking
  ties at random, so no result depends on the position of an input in its row.

Curves rank signed attributions, with evidence for the target first. Measures about marked inputs or top inputs rank
sizes, |attribution|; pass ``attribution.relu()`` if only evidence for the target should count. They treat each channel
of a pixel as an input of its own; sum over the channels first to compare pixels.
"""

from collections.abc import Callable

from torch import Tensor

from corrigible.explanations.quality.agreement import agreement, rank_correlation, sign_agreement, top_agreement
from corrigible.explanations.quality.completeness_gap import completeness_gap
from corrigible.explanations.quality.complexity import complexity, effective_inputs
from corrigible.explanations.quality.curves import deletion_auc, deletion_curve, insertion_auc, insertion_curve
from corrigible.explanations.quality.infidelity import infidelity
from corrigible.explanations.quality.max_sensitivity import max_sensitivity
from corrigible.explanations.quality.pointing_game import pointing_game
from corrigible.explanations.quality.relevance import relevance_mass, relevance_rank
from corrigible.explanations.quality.sparseness import sparseness
from corrigible.explanations.quality.stability import rank_stability, relative_spread
from corrigible.explanations.quality.top_overlap import top_overlap

__all__ = [
    "QUALITIES",
    "agreement",
    "completeness_gap",
    "complexity",
    "deletion_auc",
    "deletion_curve",
    "effective_inputs",
    "infidelity",
    "insertion_auc",
    "insertion_curve",
    "max_sensitivity",
    "pointing_game",
    "rank_correlation",
    "rank_stability",
    "relative_spread",
    "relevance_mass",
    "relevance_rank",
    "sign_agreement",
    "sparseness",
    "top_agreement",
    "top_overlap",
]

QUALITIES: dict[str, Callable[..., Tensor]] = {
    f.__name__: f
    for f in (
        deletion_curve,
        insertion_curve,
        deletion_auc,
        insertion_auc,
        infidelity,
        completeness_gap,
        max_sensitivity,
        sparseness,
        complexity,
        effective_inputs,
        pointing_game,
        relevance_mass,
        relevance_rank,
        top_overlap,
        agreement,
        rank_correlation,
        top_agreement,
        sign_agreement,
        rank_stability,
        relative_spread,
    )
}
