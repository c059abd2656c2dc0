"""Summaries of what a model's output depends on over many rows, one file per method; results are frozen dataclasses."""

from corrigible.explanations.summaries.amplification import amplification
from corrigible.explanations.summaries.mean_attribution import mean_attribution
from corrigible.explanations.summaries.node_importance import node_importance
from corrigible.explanations.summaries.pair_dependence import pair_dependence
from corrigible.explanations.summaries.partial_dependence import partial_dependence
from corrigible.explanations.summaries.permutation_importance import permutation_importance

SUMMARIES = {
    f.__name__: f
    for f in (
        *(mean_attribution, permutation_importance, partial_dependence, pair_dependence),
        *(node_importance, amplification),
    )
}
