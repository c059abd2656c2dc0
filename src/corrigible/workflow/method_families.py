"""Every method by family: what a recipe can name, and what is called from Python; it loads every method."""

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from corrigible.augment import ATTACKS, AUGMENTS
from corrigible.explanations import EXPLAINERS
from corrigible.explanations.active_units import active_unit_overlap, active_units
from corrigible.explanations.concepts import concept_sensitivity, concept_test, concept_vector
from corrigible.explanations.examples import EXAMPLES
from corrigible.explanations.explaining import SHARED_SETTINGS
from corrigible.explanations.interactions import INTERACTIONS
from corrigible.explanations.layers import LAYER_EXPLAINERS, unit_importance
from corrigible.explanations.quality import QUALITIES
from corrigible.explanations.scores import PROJECTIONS, SCORES
from corrigible.explanations.strongest_interactions import strongest_interactions
from corrigible.explanations.summaries import SUMMARIES
from corrigible.explanations.surrogates import SURROGATES
from corrigible.explanations.trees import tree_shap
from corrigible.explanations.trust import (
    attack_explanation,
    cascading_randomisation,
    check_axioms,
    explanation_robustness,
    independent_randomisation,
)
from corrigible.explanations.words import explain_texts, explain_words
from corrigible.losses import LOSSES
from corrigible.methods import settings_of
from corrigible.metrics import METRICS
from corrigible.models import MODELS, with_gates, without_gates
from corrigible.models.concept_projection import project_out
from corrigible.penalties import FEEDBACK_LOSSES, FEEDBACK_PENALTIES, MODEL_PENALTIES, RELEVANCE_PENALTIES
from corrigible.protocols.baselines.adversarial_debiasing import adversarial_debiasing
from corrigible.protocols.baselines.adversarial_labels import adversarial_labels
from corrigible.protocols.baselines.group_dro import group_dro
from corrigible.protocols.baselines.just_train_twice import just_train_twice
from corrigible.protocols.baselines.last_layer_retraining import last_layer_retraining
from corrigible.protocols.calibrating.conformal import conformal_sets
from corrigible.protocols.calibrating.temperature import temperature_scaled
from corrigible.protocols.comparisons.comparing import compare
from corrigible.protocols.corrections.correction import correct
from corrigible.protocols.distilling import distil
from corrigible.protocols.fresh_training import train
from corrigible.protocols.influence.contrasting_example import contrasting_example
from corrigible.protocols.influence.feedback_influence import feedback_influence
from corrigible.protocols.influence.influence import influence
from corrigible.protocols.influence.influence_all import influence_all
from corrigible.protocols.influence.self_influence import self_influence
from corrigible.protocols.influence.verify import verify
from corrigible.protocols.limiting.limit_influence import limit_influence
from corrigible.protocols.retraining.find_another_explanation import find_another_explanation
from corrigible.protocols.retraining.label_randomisation import label_randomisation
from corrigible.protocols.retraining.remove_and_retrain import remove_and_retrain
from corrigible.protocols.robustness.certified_accuracy import certified_accuracy
from corrigible.protocols.robustness.distillation import distilling
from corrigible.protocols.robustness.robust_accuracy import robust_accuracy
from corrigible.protocols.robustness.row_checks import row_checks
from corrigible.protocols.unlearning.judging import judge_unlearning
from corrigible.protocols.unlearning.unlearning import UNLEARNING, unlearn
from corrigible.regions.clusters import cluster_explanations
from corrigible.regions.proposals import proposals
from corrigible.regions.queries import QUERIES
from corrigible.regions.region_test import region_test
from corrigible.regions.suspects import suspects
from corrigible.surgery import clamped_inputs
from corrigible.tasks import OF_ROWS, TASKS
from corrigible.tasks.cut_points import class_at, kappa_cut_points
from corrigible.workflow.records import Method

TRUST_CHECKS = (
    *(check_axioms, cascading_randomisation, independent_randomisation),
    *(attack_explanation, explanation_robustness),
)
PROTOCOLS = (
    *(train, distil, correct, compare, find_another_explanation),
    *(group_dro, adversarial_debiasing, adversarial_labels, just_train_twice, last_layer_retraining),
    *(remove_and_retrain, label_randomisation, robust_accuracy, certified_accuracy, distilling, limit_influence),
    *(temperature_scaled, conformal_sets, unlearn, judge_unlearning),
    *(influence, influence_all, self_influence, contrasting_example, feedback_influence, verify),
    row_checks,
)
"""What trains several times, or gives a model of its own."""
OF_UNITS = (unit_importance, active_units, active_unit_overlap)
FAMILIES: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "explainer": EXPLAINERS,
    "text or tree explainer": {f.__name__: f for f in (explain_texts, explain_words, tree_shap)},
    "layer explainer": LAYER_EXPLAINERS,
    "interaction": INTERACTIONS,
    "summary": {**SUMMARIES, **{f.__name__: f for f in (*OF_UNITS, strongest_interactions)}},
    "surrogate": SURROGATES,
    "example": EXAMPLES,
    "explanation quality": QUALITIES,
    "trust check": {f.__name__: f for f in TRUST_CHECKS},
    "score": {**SCORES, **PROJECTIONS},
    "feedback penalty": FEEDBACK_PENALTIES,
    "relevance penalty": RELEVANCE_PENALTIES,
    "feedback loss": FEEDBACK_LOSSES,
    "model penalty": MODEL_PENALTIES,
    "augmentation": AUGMENTS,
    "attack": ATTACKS,
    "suspects": {f.__name__: f for f in (suspects, region_test, cluster_explanations, proposals)},
    "query strategy": QUERIES,
    "concept": {f.__name__: f for f in (concept_vector, concept_sensitivity, concept_test, project_out)},
    "task": TASKS,
    "cut point": {f.__name__: f for f in (kappa_cut_points, class_at)},
    "metric": METRICS,
    "loss": LOSSES,
    "model": MODELS,
    "change of a model": {f.__name__: f for f in (with_gates, without_gates, clamped_inputs)},
    "protocol": {f.__name__: f for f in PROTOCOLS},
    "method of unlearning": UNLEARNING,
}


def listed() -> Iterator[Method]:
    """Every method of every family with its first sentence and its settings."""
    for family, members in FAMILIES.items():
        for name, function in members.items():
            yield Method(family, name, summary(function), settings(function))


def home(function: Callable[..., Any]) -> str:
    """The shortest public module that the function can be imported from."""
    parts = function.__module__.split(".")
    modules = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    return next(m for m in modules if getattr(importlib.import_module(m), function.__name__, None) is function)


def summary(function: Callable[..., Any]) -> str:
    """The first sentence of the docstring."""
    text = (inspect.getdoc(function) or "").partition("\n\n")[0]
    return " ".join(text.split())


def settings(function: Callable[..., Any]) -> str:
    """The settings that a recipe may give, with their defaults."""
    filled_in = (*SHARED_SETTINGS, *OF_ROWS)
    own = {name: default for name, default in settings_of(function).items() if name not in filled_in}
    return ", ".join(
        name if default is inspect.Parameter.empty else f"{name}={default!r}" for name, default in own.items()
    )
