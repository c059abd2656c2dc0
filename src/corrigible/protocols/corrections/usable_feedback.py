"""Whether feedback can teach anything; said before training."""

import logging
from collections.abc import Sequence

from torch import nn

from corrigible.data.dataset import strata_of
from corrigible.data.protocol import Dataset, class_named, class_names_of
from corrigible.errors import FeedbackError
from corrigible.feedback.checks import checked_all
from corrigible.feedback.extent import require_something_left
from corrigible.feedback.masks import Marks, marks_of
from corrigible.methods import ConfiguredMethod
from corrigible.types import Feedback

log = logging.getLogger(__name__)


def warn_if_corrected(model: nn.Module) -> None:
    """Warn, in the log, that correcting a corrected model may undo the earlier correction."""
    if getattr(model, "verdict", None) is not None:
        log.warning("the model was corrected before, and this may undo it; give all feedback together")


def usable_marks(feedback: list[Feedback], dataset: Dataset) -> Marks:
    """The marks of the feedback on the rows that it is to teach.

    Raises:
        FeedbackError: no feedback, feedback that does not fit or contradicts itself, that is about rows of another
            split, or that leaves no input.
    """
    if not feedback:
        raise FeedbackError("no feedback; expected at least one marked region: add feedback, then correct")
    elsewhere = {said.split for said in checked_all(feedback) if said.scope == "row"} - {"train"}
    if elsewhere:
        raise FeedbackError(
            f"feedback on rows of the split {min(elsewhere)!r} would mark the training rows of the same numbers; "
            "expected the split 'train': give the other feedback to evaluate"
        )
    marks = marks_of(feedback, dataset)
    require_something_left(marks.irrelevant, dataset)
    return marks


def require_marked(
    marks: Marks, feedback: list[Feedback], dataset: Dataset, methods: Sequence[ConfiguredMethod]
) -> None:
    """Raises FeedbackError if the feedback marks nothing that these penalties or augmentations could use."""
    labels, class_names = strata_of(dataset), class_names_of(dataset)
    classes = set(labels.tolist())
    absent = [
        said.label
        for said in feedback
        if said.label is not None and said.scope == "class" and said.label not in classes
    ]
    if absent:
        known = ", ".join(class_named(label, class_names) for label in sorted(classes))
        raise FeedbackError(f"feedback on class {class_named(absent[0], class_names)}; the data has {known}")
    said = marks.said(labels)
    if not said:
        raise FeedbackError(
            f"the feedback ({feedback[0].region}) marks no input of any row; expected marked pixels, features of the "
            "table, or a phrase that stands in some row"
        )
    for method in methods:
        serves = method.declaration.serves
        if serves == {"irrelevant"} and not said & serves:
            raise FeedbackError(
                f"the feedback only says what should matter; {method.name} needs to know what must not: "
                "mark some inputs irrelevant"
            )
        if serves == {"relevant"} and not said & serves:
            raise FeedbackError(
                f"the feedback only says what must not matter; {method.name} needs to know what should: "
                "mark some inputs relevant"
            )
