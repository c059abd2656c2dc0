"""Penalties: terms that can be added to the label loss, one file each.

* Feedback penalties see the pass over the reviewed rows. They are at least 0, a mean over rows and marked inputs, and 0
  exactly when nothing marked irrelevant is used.
* Relevance penalties see the same pass. They are 0 exactly when the inputs marked relevant matter as they should, or
  none is marked relevant.
* Feedback losses are label losses on reviewed rows whose marked inputs were changed; they are 0 if nothing is marked.
* Model penalties see the pass over the labelled rows.

Each penalty declares its kind and what it needs (`corrigible.declarations`); the families follow from that.
"""

from collections.abc import Callable
from typing import Any

from corrigible.declarations import Declaration, declaration_of
from corrigible.penalties.activation_evidence import activation_evidence
from corrigible.penalties.activation_norm import activation_norm
from corrigible.penalties.attribution_graph import attribution_graph
from corrigible.penalties.attribution_smoothness import attribution_smoothness
from corrigible.penalties.attribution_sparsity import attribution_sparsity
from corrigible.penalties.bounded_gradient import bounded_gradient
from corrigible.penalties.bounded_group_loss import bounded_group_loss
from corrigible.penalties.concept_gradient import concept_gradient
from corrigible.penalties.contextual_decomposition import contextual_decomposition
from corrigible.penalties.contrastive import contrastive
from corrigible.penalties.counterexamples import counterexamples
from corrigible.penalties.demographic_parity import demographic_parity
from corrigible.penalties.energy_outside import energy_outside
from corrigible.penalties.equal_opportunity import equal_opportunity
from corrigible.penalties.equalized_odds import equalized_odds
from corrigible.penalties.expected_gradients_on_marks import expected_gradients_on_marks
from corrigible.penalties.grad_cam_overlap import grad_cam_overlap
from corrigible.penalties.gradient_size import gradient_size
from corrigible.penalties.group_calibration import group_calibration
from corrigible.penalties.kl_divergence import kl_divergence
from corrigible.penalties.l0_norm import l0_norm
from corrigible.penalties.layer_sparsity import layer_sparsity
from corrigible.penalties.local_independence import local_independence
from corrigible.penalties.no_change_evidence import no_change_evidence
from corrigible.penalties.noise_consistency import noise_consistency
from corrigible.penalties.right_for_better_reasons import right_for_better_reasons
from corrigible.penalties.right_reasons import right_reasons
from corrigible.penalties.should_matter import should_matter
from corrigible.penalties.similarity_preserving import similarity_preserving
from corrigible.penalties.weight_norm import weight_norm
from corrigible.penalties.worst_case import worst_case
from corrigible.penalties.zero_activation_evidence import zero_activation_evidence

PENALTIES: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        right_reasons,
        bounded_gradient,
        expected_gradients_on_marks,
        grad_cam_overlap,
        activation_evidence,
        energy_outside,
        concept_gradient,
        contextual_decomposition,
        right_for_better_reasons,
        noise_consistency,
        worst_case,
        no_change_evidence,
        zero_activation_evidence,
        should_matter,
        counterexamples,
        gradient_size,
        attribution_sparsity,
        attribution_smoothness,
        attribution_graph,
        local_independence,
        weight_norm,
        activation_norm,
        l0_norm,
        kl_divergence,
        layer_sparsity,
        contrastive,
        similarity_preserving,
        demographic_parity,
        equal_opportunity,
        equalized_odds,
        group_calibration,
        bounded_group_loss,
    )
}


def _declaring(has: Callable[[Declaration], bool]) -> dict[str, Callable[..., Any]]:
    return {name: function for name, function in PENALTIES.items() if has(declaration_of(function))}


ON_REVIEWED_ROWS = _declaring(lambda declares: declares.rows == "reviewed")
FEEDBACK_PENALTIES = _declaring(lambda declares: declares.kind == "penalty" and "irrelevant" in declares.serves)
RELEVANCE_PENALTIES = _declaring(lambda declares: declares.kind == "penalty" and declares.serves == {"relevant"})
FEEDBACK_LOSSES = _declaring(lambda declares: declares.kind == "label loss")
MODEL_PENALTIES = _declaring(lambda declares: declares.rows == "labelled")
