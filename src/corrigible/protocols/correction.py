"""Train again with penalties made from feedback.

The weight of a penalty is chosen by the swap score; nothing else is chosen: a fixed number of epochs, the last weights.
"""

import copy
import logging
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from corrigible.data.dataset import Dataset, all_labels, as_dataset, labelled, require_classes
from corrigible.errors import FeedbackError
from corrigible.feedback.masks import Marks, as_rule, marks_of, marks_to_swap
from corrigible.objective import as_settings
from corrigible.penalties import ABOUT_EITHER, FEEDBACK_LOSSES, FEEDBACK_PENALTIES, RELEVANCE_PENALTIES
from corrigible.protocols.doubts import FeedbackDoubted, doubts
from corrigible.protocols.providing import provided
from corrigible.protocols.schedule import Schedule, Validation, require_fit, run
from corrigible.protocols.weight import Judge, WeightChoice, WeightTrial, choose_weight, some_rows
from corrigible.training import Epoch
from corrigible.types import Feedback

log = logging.getLogger(__name__)

DEFAULT_PENALTIES: Mapping[str, Any] = {"energy_outside": "auto"}
NUM_JUDGED_ROWS = 2000

Progress = Epoch | WeightTrial | WeightChoice | FeedbackDoubted


def correct(
    model: nn.Module,
    data: Any,
    feedback: Iterable[Feedback],
    *,
    penalties: Mapping[str, Any] = DEFAULT_PENALTIES,
    epochs: int = 24,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    validation: Any = None,
    seed: int = 0,
) -> nn.Module:
    """A corrected copy of the model; the model itself is left as it is.

    Args:
        model: gives logits of shape (batch, num_classes), or one logit per row for two classes.
        data: what the model was trained on: ``(x, y)`` arrays or a map-style data set of (x, y).
        feedback: what people said about rows of ``data``.
        penalties: name -> weight, or name -> {"weight": …, setting: …}; the weight "auto" is chosen by swap score.
        epochs: passes over ``data`` with the chosen weight; choosing it costs five runs of half of them or more.
        validation: rows for the swap score of feedback that applies to every row; they may hold the confounder.

    Raises:
        FeedbackError: no feedback, or feedback that does not fit the data.
        DataError: data with one class only, NaN or infinite inputs.
        RecipeError: an unknown penalty or setting.
        NoGradientError: a penalty that reaches no parameter.
        TrainingDivergedError: the loss became NaN or infinite.
    """
    schedule = Schedule(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
    running = correction(
        model, data, feedback, penalties=penalties, schedule=schedule, validation=validation, seed=seed
    )
    while True:
        try:
            progress = next(running)
        except StopIteration as finished:
            return finished.value  # type: ignore[no-any-return]
        if isinstance(progress, WeightChoice):
            log.log(logging.INFO if progress.weight else logging.WARNING, progress.message)
        if isinstance(progress, FeedbackDoubted):
            log.warning(progress.message)


def correction(
    model: nn.Module,
    data: Any,
    feedback: Iterable[Feedback],
    *,
    penalties: Mapping[str, Any] = DEFAULT_PENALTIES,
    schedule: Schedule,
    validation: Any = None,
    watch: Validation | None = None,
    seed: int = 0,
) -> Generator[Progress, None, nn.Module]:
    """``correct``, told as it goes; returns the corrected copy. ``watch`` is reported after each epoch."""
    dataset, feedback = labelled(as_dataset(data)), list(feedback)
    labels = all_labels(dataset)
    require_classes(labels)
    require_fit(model, dataset)
    if not feedback:
        raise FeedbackError("no feedback; expected at least one marked region: add feedback, then correct")
    marks = marks_of(feedback, dataset)
    settings = as_settings(penalties)
    require_marked(marks, feedback, labels, settings)
    settings = provided(settings, model, dataset, marks, seed)
    judge = judge_of(dataset, marks, feedback, validation, seed)
    for name, given in settings.items():
        if given.get("weight") == "auto":
            decided = {n: s for n, s in settings.items() if n == name or s.get("weight") != "auto"}
            for progress in choose_weight(
                model, dataset, marks, schedule, name=name, penalties=decided, judge=judge, seed=seed
            ):
                yield progress
            assert isinstance(progress, WeightChoice)
            settings[name] = {**given, "weight": progress.weight}
    corrected = copy.deepcopy(model)
    yield from run(corrected, dataset, schedule, marks=marks, penalties=settings, validation=watch, seed=seed)
    found = doubts(corrected, dataset, marks, seed=seed) if settings else None
    if found is not None:
        yield found
    return corrected


def require_marked(marks: Marks, feedback: list[Feedback], labels: Tensor, settings: Mapping[str, Any]) -> None:
    """Raises FeedbackError where the feedback could teach these penalties nothing."""
    classes = set(labels.tolist())
    absent = [said.label for said in feedback if said.scope == "class" and said.label not in classes]
    if absent:
        raise FeedbackError(f"feedback on class {absent[0]}; the data has {', '.join(map(str, sorted(classes)))}")
    says_irrelevant, says_relevant = (len(masks.rows(labels)) > 0 for masks in (marks.irrelevant, marks.relevant))
    if not says_irrelevant and not says_relevant:
        raise FeedbackError("the feedback marks no input of any row; expected a mask with at least one True")
    for name in settings:
        if name in (FEEDBACK_PENALTIES | FEEDBACK_LOSSES).keys() - ABOUT_EITHER and not says_irrelevant:
            raise FeedbackError(
                f"the feedback only says what should matter; {name} needs to know what must not: "
                "mark some inputs irrelevant"
            )
        if name in RELEVANCE_PENALTIES and not says_relevant:
            raise FeedbackError(
                f"the feedback only says what must not matter; {name} needs to know what should: "
                "mark some inputs relevant"
            )


def judge_of(dataset: Dataset, marks: Marks, feedback: list[Feedback], validation: Any, seed: int) -> Judge:
    """Rules are judged on validation rows where they apply to any, feedback on single rows on those rows.

    Where there are rules and validation rows, feedback on single rows judges nothing.
    """
    rules = [rule for said in feedback if (rule := as_rule(said)) is not None]
    if rules and validation is not None:
        validation = labelled(as_dataset(validation))
        labels = all_labels(validation)
        on_validation = marks_to_swap(marks_of(rules, validation), labels)
        rows = on_validation.irrelevant.rows(labels)
        if len(rows):
            return Judge(validation, on_validation, some_rows(rows, NUM_JUDGED_ROWS, seed))
    marks = marks_to_swap(marks, all_labels(dataset))
    rows = marks.irrelevant.rows(all_labels(dataset))
    return Judge(dataset, marks, some_rows(rows, NUM_JUDGED_ROWS, seed))
