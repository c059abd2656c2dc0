"""Counterfactuals: which change of a row would give another answer, under constraints that say what may change."""

from corrigible.explanations.counterfactuals.allowed import Allowed, allowed_by
from corrigible.explanations.counterfactuals.constraints import (
    Causal,
    Constraint,
    Immutable,
    MaxChanges,
    Monotone,
    Ordinal,
    Range,
)
from corrigible.explanations.counterfactuals.finding import counterfactuals
from corrigible.explanations.counterfactuals.relation import Relation
from corrigible.explanations.counterfactuals.result import Counterfactuals
from corrigible.explanations.counterfactuals.schema import FeatureFacts, Schema, schema_of
from corrigible.explanations.counterfactuals.trees import tree_counterfactuals
from corrigible.explanations.counterfactuals.unlike import nearest_unlike

__all__ = [
    "Allowed",
    "Causal",
    "Constraint",
    "Counterfactuals",
    "FeatureFacts",
    "Immutable",
    "MaxChanges",
    "Monotone",
    "Ordinal",
    "Range",
    "Relation",
    "Schema",
    "allowed_by",
    "counterfactuals",
    "nearest_unlike",
    "schema_of",
    "tree_counterfactuals",
]
