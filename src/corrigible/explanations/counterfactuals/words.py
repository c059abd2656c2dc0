"""A change of a row as people say it: raise income by 3,200 and change housing from rent to own."""

import numpy as np
from jaxtyping import Bool, Float

from corrigible.explanations.counterfactuals.schema import FeatureFacts, Schema


def changes_in_words(
    schema: Schema,
    before: Float[np.ndarray, " feature"],
    after: Float[np.ndarray, " feature"],
    acted: Bool[np.ndarray, " feature"],
) -> str:
    """What is changed, and what follows from it, in the units and names of the table."""
    differs = (before != after) & ~np.isnan(after)
    steps = [_step(schema, at, before[at], after[at]) for at in np.flatnonzero(differs & acted).tolist()]
    effects = [_effect(schema.features[at], before[at], after[at]) for at in np.flatnonzero(differs & ~acted).tolist()]
    said = _listed(steps)
    return f"{said}, which makes {_listed(effects)}" if effects else said


def _step(schema: Schema, at: int, before: float, after: float) -> str:
    feature = schema.features[at]
    if feature.is_category:
        return f"change {feature.name} from {feature.levels[int(before)]} to {feature.levels[int(after)]}"
    named = dict(schema.columns.words)
    held = [named.get(f"{feature.name}={value:g}") for value in (before, after)]
    if None not in held:
        return f"change {feature.name} from {held[0]} to {held[1]}"
    verb = "raise" if after > before else "lower"
    amount, to = _amount(feature, abs(after - before)), _amount(feature, after)
    start = _amount(feature, before)
    return f"{verb} {feature.name} by {amount} from {start} to {to}"


def _effect(feature: FeatureFacts, before: float, after: float) -> str:
    if feature.is_category:
        return f"{feature.name} {feature.levels[int(after)]} in place of {feature.levels[int(before)]}"
    return f"{feature.name} {_amount(feature, after)} in place of {_amount(feature, before)}"


def _amount(feature: FeatureFacts, value: float) -> str:
    text = f"{value:,.{feature.decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text} {feature.unit}" if feature.unit else text


def _listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
