"""Neural networks you can correct.

Train, explain, review, correct, evaluate, seal: each step is one function, loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from corrigible.auditing.auditor import audit as audit
    from corrigible.data.dataset import TensorData as TensorData
    from corrigible.data.table import encode as encode
    from corrigible.data.table import encoder_of as encoder_of
    from corrigible.data.text import text_data as text_data
    from corrigible.errors import CorrigibleError as CorrigibleError
    from corrigible.estimators.classifier import TabularClassifier as TabularClassifier
    from corrigible.estimators.regressor import TabularRegressor as TabularRegressor
    from corrigible.evaluation import evaluate as evaluate
    from corrigible.explanations.counterfactuals.finding import counterfactuals as counterfactuals
    from corrigible.explanations.counterfactuals.unlike import nearest_unlike as nearest_unlike
    from corrigible.explanations.explaining import explain as explain
    from corrigible.explanations.words import explain_texts as explain_texts
    from corrigible.feedback.store import FeedbackStore as FeedbackStore
    from corrigible.prices.discrimination_free import discrimination_free_price as discrimination_free_price
    from corrigible.prices.price_changes import price_changes as price_changes
    from corrigible.prices.price_level import predicted_over_observed as predicted_over_observed
    from corrigible.prices.transport import transported_prices as transported_prices
    from corrigible.protocols.calibrating.conformal import conformal_sets as conformal_sets
    from corrigible.protocols.calibrating.temperature import temperature_scaled as temperature_scaled
    from corrigible.protocols.comparisons.comparing import compare as compare
    from corrigible.protocols.corrections.correction import correct as correct
    from corrigible.protocols.corrections.verdict import Verdict as Verdict
    from corrigible.protocols.distilling import distil as distil
    from corrigible.protocols.fairness.enforcing import enforce as enforce
    from corrigible.protocols.fresh_training import train as train
    from corrigible.protocols.influence.feedback_influence import feedback_influence as feedback_influence
    from corrigible.protocols.influence.influence import influence as influence
    from corrigible.protocols.limiting.limit_influence import limit_influence as limit_influence
    from corrigible.protocols.privacy.attribute_inference import attribute_inference as attribute_inference
    from corrigible.protocols.privacy.membership_inference import membership_inference as membership_inference
    from corrigible.protocols.retraining.find_another_explanation import (
        find_another_explanation as find_another_explanation,
    )
    from corrigible.protocols.robustness.certified_accuracy import certified_accuracy as certified_accuracy
    from corrigible.protocols.robustness.robust_accuracy import robust_accuracy as robust_accuracy
    from corrigible.protocols.unlearning.judging import judge_unlearning as judge_unlearning
    from corrigible.protocols.unlearning.unlearning import unlearn as unlearn
    from corrigible.regions.suspects import suspects as suspects
    from corrigible.reviewing import review as review
    from corrigible.sealing import seal as seal
    from corrigible.sealing import verify as verify
    from corrigible.training import fit as fit
    from corrigible.types import Batch as Batch
    from corrigible.types import Columns as Columns
    from corrigible.types import Feedback as Feedback
    from corrigible.types import Measurement as Measurement

_HOME = {
    "Batch": "types",
    "Columns": "types",
    "CorrigibleError": "errors",
    "Feedback": "types",
    "FeedbackStore": "feedback.store",
    "Measurement": "types",
    "TabularClassifier": "estimators.classifier",
    "TabularRegressor": "estimators.regressor",
    "TensorData": "data.dataset",
    "Verdict": "protocols.corrections.verdict",
    "attribute_inference": "protocols.privacy.attribute_inference",
    "audit": "auditing.auditor",
    "certified_accuracy": "protocols.robustness.certified_accuracy",
    "compare": "protocols.comparisons.comparing",
    "conformal_sets": "protocols.calibrating.conformal",
    "correct": "protocols.corrections.correction",
    "counterfactuals": "explanations.counterfactuals.finding",
    "discrimination_free_price": "prices.discrimination_free",
    "distil": "protocols.distilling",
    "encode": "data.table",
    "encoder_of": "data.table",
    "enforce": "protocols.fairness.enforcing",
    "evaluate": "evaluation",
    "explain": "explanations.explaining",
    "explain_texts": "explanations.words",
    "feedback_influence": "protocols.influence.feedback_influence",
    "find_another_explanation": "protocols.retraining.find_another_explanation",
    "fit": "training",
    "influence": "protocols.influence.influence",
    "judge_unlearning": "protocols.unlearning.judging",
    "limit_influence": "protocols.limiting.limit_influence",
    "membership_inference": "protocols.privacy.membership_inference",
    "nearest_unlike": "explanations.counterfactuals.unlike",
    "predicted_over_observed": "prices.price_level",
    "price_changes": "prices.price_changes",
    "review": "reviewing",
    "robust_accuracy": "protocols.robustness.robust_accuracy",
    "seal": "sealing",
    "suspects": "regions.suspects",
    "temperature_scaled": "protocols.calibrating.temperature",
    "text_data": "data.text",
    "train": "protocols.fresh_training",
    "transported_prices": "prices.transport",
    "unlearn": "protocols.unlearning.unlearning",
    "verify": "sealing",
}

__all__ = ["__version__", *_HOME]


if not TYPE_CHECKING:  # which would take any name for one that is here

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
