"""Whether an explanation deserves trust: axioms, sanity checks and attacks."""

from corrigible.explanations.trust.attack import Attacked, attack_explanation, explanation_robustness
from corrigible.explanations.trust.axioms import AXIOMS, AxiomResult, axiom_markdown, axiom_table, check_axioms
from corrigible.explanations.trust.edge_detector import edge_detector
from corrigible.explanations.trust.randomisation import (
    cascading_randomisation,
    depends_on_weights,
    independent_randomisation,
)
from corrigible.explanations.trust.similarity import Comparison

__all__ = [
    "AXIOMS",
    "Attacked",
    "AxiomResult",
    "Comparison",
    "attack_explanation",
    "axiom_markdown",
    "axiom_table",
    "cascading_randomisation",
    "check_axioms",
    "depends_on_weights",
    "edge_detector",
    "explanation_robustness",
    "independent_randomisation",
]
