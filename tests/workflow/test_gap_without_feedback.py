"""A recipe that only closes a gap has no use for `corrigible correct` without feedback, and is told what to do."""

import inspect
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest

from corrigible.errors import FeedbackError
from corrigible.recipe import Recipe
from corrigible.workflow.making import training_feedback
from studies import TABLE_RECIPE


def test_without_feedback_a_gap_is_left_to_enforce() -> None:
    recipe = replace(
        Recipe.parse(TABLE_RECIPE), augment={}, penalties={"demographic_parity": {"weight": "auto", "gap": 0.1}}
    )
    store = SimpleNamespace(revision=1, at_revision=lambda revision: [])
    study = SimpleNamespace(recipe=recipe, folder="loan2", feedback=lambda: nullcontext(store))
    with pytest.raises(FeedbackError, match="no feedback in loan2, and the recipe's penalty closes a gap alone: give"):
        inspect.unwrap(training_feedback)(study)  # type: ignore[arg-type]
