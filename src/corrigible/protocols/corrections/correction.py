"""Train a model again so that what people marked no longer matters.

Only the weight of a penalty is chosen, by the judge of exchanged rows. The number of epochs is fixed and the last
weights are kept. The same judge gives the verdict at the end.
"""

import logging
from collections.abc import Generator, Iterator, Sequence
from typing import Any, TypeVar

from torch import nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import as_dataset, labelled, require_different
from corrigible.data.protocol import Dataset, class_names_of, columns_of, files_of
from corrigible.data.trained_columns import remember_columns
from corrigible.feedback.checks import as_list
from corrigible.feedback.extent import doubtful_extents
from corrigible.losses import LossChoice
from corrigible.methods import ConfiguredMethod
from corrigible.models.bayes.layers import is_bayesian
from corrigible.models.devices import device_named
from corrigible.models.modes import device_of
from corrigible.models.networks import copied, trainable_network
from corrigible.objective import PenaltySettings, Term, terms_of
from corrigible.progress import shown
from corrigible.protocols.careful import careful_step
from corrigible.protocols.corrections.chosen_weights import with_chosen_weights
from corrigible.protocols.corrections.defaults import MethodChosen, default_method
from corrigible.protocols.corrections.judge import Judge
from corrigible.protocols.corrections.judged_rows import JudgedRows, rows_to_judge
from corrigible.protocols.corrections.label_conflicts import label_conflicts
from corrigible.protocols.corrections.mask_checks import FeedbackDoubted, beside_the_cue, shows_the_class
from corrigible.protocols.corrections.reaching import require_reached_marks
from corrigible.protocols.corrections.usable_feedback import require_marked, usable_marks, warn_if_corrected
from corrigible.protocols.corrections.verdict import Verdict, verdict
from corrigible.protocols.corrections.weight import WeightChoice, WeightTrial
from corrigible.protocols.fairness.enforced import Enforced
from corrigible.protocols.fairness.enforcing import About, enforced_record
from corrigible.protocols.privacy.drawn_privately import require_correctable
from corrigible.protocols.schedule import OptimizerFactory, Schedule, Validation, require_fit, run
from corrigible.protocols.steps import StepChoice
from corrigible.protocols.training_facts import AugmentSettings, Known, augments_of, changes_of, provided
from corrigible.training import Epoch

log = logging.getLogger(__name__)


Network = TypeVar("Network", bound=nn.Module)
Progress = Epoch | MethodChosen | WeightTrial | WeightChoice | FeedbackDoubted | Enforced | Verdict


def correct(
    model: Network,
    data: Any,
    feedback: Any,
    *,
    augment: AugmentSettings | None = None,
    penalties: PenaltySettings | None = None,
    loss: LossChoice = "task_loss",
    optimizer: str | OptimizerFactory = "Adam",
    step: StepChoice | None = None,
    epochs: int = 24,
    batch_size: int | None = None,
    learning_rate: float = 1e-3,
    validation: Any = None,
    device: Any = None,
    seed: Any = 0,
    progress: bool | None = None,
) -> Network:
    """A corrected copy of the model; the model itself is left as it is.

    Of a wrapped model (compiled, DataParallel, an average of weights) it is a copy of the network inside. If the
    feedback was used, the copy has an attribute ``verdict`` (`Verdict`), which says with figures how the
    correction went, and what to try next. Any outcome other than "corrected" is also logged as a warning.

    Args:
        model: gives logits of shape (batch, num_classes), or one logit per row for two classes.
        data: what the model was trained on: ``(x, y)`` arrays or frames, a map-style data set of (x, y), or a
            DataLoader, whose data set is taken.
        feedback: what people said about rows of ``data``.
        augment: name or function -> settings of changes of the label batches, such as ``{"transplant": {}}``.
        penalties: name or function -> weight, or -> {"weight": …, setting: …}; the weight "auto" is chosen by swap
            score, or beside a ``gap`` between groups so that it is reached. A function declares what it sees and needs
            with `corrigible.declarations.declared`. If neither ``augment`` nor ``penalties`` is given,
            `default_method` chooses the method.
        loss: the label loss: a name in ``LOSSES``, {"name": …, setting: …}, or (forward, batch) -> one loss per row.
            Rows are weighted by the data set's ``weight``.
        optimizer: a class of torch.optim by its name, or (parameters, lr=…, weight_decay=…) -> optimizer.
        step: number of steps -> one optimisation step (`corrigible.training.Step`), or {"name": a name in ``STEPS``,
            setting: …}, such as "private"; None for careful steps: the learning rate warms up and falls, and gradients
            are clipped.
        epochs: passes over ``data``; choosing a weight costs about as many per trial, of which there are at most nine.
        batch_size: rows per step; None for 64, or fewer if an epoch would otherwise have less than a dozen steps.
        validation: rows that were not trained on and may hold the confounder; weights and the verdict are judged on
            them. None judges on training rows.
        device: where to train, such as "cuda"; the copy comes back to the device of ``model``. None for that device.
        progress: whether a line of the standard error says how far the work is, in a notebook a bar, which ends as the
            chosen weights and the verdict; None for only on a terminal or in a notebook.

    Raises:
        FeedbackError: no feedback, or feedback that does not fit the data, contradicts itself or leaves no input.
        DataError: data with one class only, NaN or infinite inputs.
        RecipeError: an unknown penalty, augmentation or setting.
        NoGradientError: a penalty has no gradient with respect to any parameter, or follows gradients that do not lead
            to what was marked.
        TrainingDivergedError: the loss became NaN or infinite.
        CorrectionRefusedError: every weight of a penalty would make the model worse.
    """
    how: dict[str, Any] = {"loss": loss, "optimizer": optimizer, "step": step, "learning_rate": learning_rate}
    schedule = Schedule(epochs=epochs, batch_size=batch_size, **how)
    asked: dict[str, Any] = {"augment": augment, "penalties": penalties, "validation": validation, "seed": seed}
    there = model if device is None else copied(trainable_network(model)).to(device_named(device))
    running = correction(there, data, feedback, schedule=schedule, **asked)
    with shown(progress) as view:
        while True:
            try:
                record = next(running)
            except StopIteration as finished:
                corrected: Network = finished.value
                return corrected if device is None else corrected.to(device_of(trainable_network(model)))
            if said := _said(record):
                view.clear()
                # Without a handler, logging prints warnings, which would repeat what the notebook shows.
                is_seen = view.keep(record if isinstance(record, Verdict) else said[1])
                if not is_seen or log.hasHandlers():
                    log.log(*said)


def _said(record: Progress) -> tuple[int, str] | None:
    """The level and the words of what is logged of a record; None where nothing is."""
    match record:
        case MethodChosen():
            return logging.INFO, record.message
        case WeightChoice():
            return logging.INFO if record.weight else logging.WARNING, record.message
        case FeedbackDoubted():
            return logging.WARNING, record.message
        case Enforced() if record.ruin:
            return logging.WARNING, record.line
        case Verdict():
            # Without the figures, which the verdict itself shows.
            told = f"{record.lines[0].removesuffix('.')}; print the corrected model's verdict for more"
            return logging.WARNING if record.to_try else logging.INFO, told
        case _:
            return None


def correction(
    model: Network,
    data: Any,
    feedback: Any,
    *,
    augment: AugmentSettings | Sequence[ConfiguredMethod] | None = None,
    penalties: PenaltySettings | Sequence[Term] | None = None,
    schedule: Schedule,
    validation: Any = None,
    watch: Validation | None = None,
    seed: Any = 0,
) -> Generator[Progress, None, Network]:
    """Like `correct`, but yields progress records, the verdict last. ``watch`` is reported after each epoch."""
    model, dataset, feedback = trainable_network(model), labelled(as_dataset(data)), as_list(feedback)
    require_different(dataset)
    require_fit(model, dataset)
    seed, marks = whole_number("seed", seed), usable_marks(feedback, dataset)
    terms, changes = terms_of(penalties or {}, may_be_auto=True), changes_of(augment or {})
    learning = [*(term.method for term in terms), *changes]
    require_marked(marks, feedback, dataset, learning)
    yield from (FeedbackDoubted(d.rows, len(feedback), d.words) for d in doubtful_extents(feedback, dataset))
    if (augment is None and penalties is None) or _only_close_gaps(learning):
        method = default_method(dataset, marks)
        terms, changes = (*terms_of(method.penalties, may_be_auto=True), *terms), changes_of(method.augment)
        yield method
    else:
        _warn_where_none_learns(learning)
    rows, known = rows_to_judge(dataset, marks, feedback, validation), Known(model, dataset, marks, seed)
    corrected = _copy_to_correct(model, dataset, terms, schedule)
    watched: dict[str, Any] = {"validation": watch, "seed": seed}
    if not terms and not changes:
        yield from run(corrected, dataset, schedule, **watched)
        return corrected
    judge = rows.judge(schedule, seed)
    require_reached_marks(model, dataset, marks, [term.method for term in terms])
    terms, about = yield from with_chosen_weights(rows, provided(terms, known), changes, schedule, known)
    taught = {"penalties": terms, "marks": marks if terms else None, "augment": augments_of(changes, known), **watched}
    yield from run(corrected, dataset, schedule, step=careful_step, **taught)
    yield from _enforced(model, corrected, rows, about, seed)
    yield from _looked_back(model, corrected, rows, judge, seed, about=about)
    return corrected


def _copy_to_correct(model: Network, dataset: Dataset, terms: Sequence[Term], schedule: Schedule) -> Network:
    require_correctable(model, terms, schedule.step_factory(None))
    warn_if_corrected(model)
    _warn_without_prior(model, terms)
    corrected = copied(model)
    corrected.__dict__.pop("verdict", None)  # The verdict of an earlier correction.
    remember_columns(corrected, columns_of(dataset))
    return corrected


def _only_close_gaps(methods: Sequence[ConfiguredMethod]) -> bool:
    """Whether all close gaps between groups, so that a method that learns from the feedback is to stand beside."""
    return bool(methods) and all(method.declaration.gap is not None for method in methods)


def _warn_where_none_learns(methods: Sequence[ConfiguredMethod]) -> None:
    if methods and not any(method.declaration.serves for method in methods):
        names = ", ".join(method.name for method in methods)
        log.warning(f"nothing of {names} learns from the feedback; name transplant, or a penalty that does, beside it")


def _warn_without_prior(model: nn.Module, terms: Sequence[Term]) -> None:
    if any(map(is_bayesian, model.modules())) and not any(term.method.declaration.is_own for term in terms):
        log.warning(
            "the network has weights with a distribution, and no penalty keeps them near their prior; expected "
            "kl_divergence among the penalties: name it"
        )


def _enforced(
    model: nn.Module, corrected: nn.Module, rows: JudgedRows, about: About | None, seed: int
) -> Iterator[Enforced]:
    """What became of the gap that a penalty's weight was to reach, also as an attribute of the corrected model."""
    if about is not None:
        found = enforced_record(model, corrected, rows.validation or rows.dataset, about, seed)
        corrected.enforced = found  # type: ignore[assignment]
        yield found


def _looked_back(
    model: nn.Module, corrected: nn.Module, rows: JudgedRows, judge: Judge, seed: int, *, about: About | None
) -> Generator[Progress, None, None]:
    """Yield the feedback to doubt and then the verdict, which the corrected model keeps."""
    before, after = judge.judged(model), judge.judged(corrected)
    files = files_of(rows.dataset)
    found = (
        beside_the_cue(judge, before, files),
        shows_the_class(judge, after, files),
        label_conflicts(corrected, rows.dataset, rows.marks, seed=seed),
    )
    yield from (doubt for doubt in found if doubt is not None)
    closes_gap = about is not None and about.search.chosen.weight > 0
    how: dict[str, Any] = {"class_names": class_names_of(rows.dataset), "closes_gap": closes_gap}
    result = verdict(before, after, judge.task, rows=judge.rows, **how)
    corrected.verdict = result  # type: ignore[assignment]
    yield result
