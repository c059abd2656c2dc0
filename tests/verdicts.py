"""Verdicts and corrections as tests need them, without training for one."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from corrigible.protocols.corrections.correction import FeedbackDoubted
from corrigible.protocols.corrections.verdict import Verdict

CORRECTED = Verdict(
    outcome="corrected",
    sentence="Corrected: exchanging what was marked moved the predicted chances by 14.6 points before, 0.0 now.",
    reliance_before=0.146,
    reliance_after=0.0004,
    accuracy_before=0.6,
    accuracy_after=0.7,
    accuracy_fine_tuned=0.65,
    as_found_before=0.95,
    as_found_after=0.8,
    worst_class="cats",
    worst_class_accuracy=0.55,
    num_rows=500,
    where="test",
)
FAILED = replace(
    CORRECTED,
    outcome="failed",
    sentence="Failed (class dogs is hardly ever predicted any more): exchanging what was marked moved nothing.",
    accuracy_after=0.5,
    reasons="class dogs is hardly ever predicted any more",
)


def correction_with(verdict: Verdict) -> Callable[..., Iterator[Any]]:
    """A correction that changes nothing, doubts the feedback, and is judged like this."""

    def correction(model: Any, data: Any, feedback: Any, **settings: Any) -> Any:
        yield FeedbackDoubted((3, 1), 10, "look again at rows 3, 1")
        yield verdict
        return deepcopy(model)

    return correction
