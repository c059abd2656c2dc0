"""Forget rows that a model was trained on, in a fraction of the time of training it again."""

import logging
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from numbers import Real
from typing import Any, TypeVar

from torch import nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import all_rows, as_dataset, labelled, require_different, rows_of, task_of
from corrigible.data.protocol import Dataset, columns_of
from corrigible.data.trained_columns import remember_columns
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.methods import method_of
from corrigible.models.networks import copied, trainable_network
from corrigible.progress import begun, shown
from corrigible.protocols.schedule import require_fit, result_of
from corrigible.protocols.unlearning.fine_tuned import fine_tuned
from corrigible.protocols.unlearning.forgetting import Forgetting
from corrigible.protocols.unlearning.forgotten_rows import CLASS, forgotten_rows
from corrigible.protocols.unlearning.gradient_ascent import gradient_ascent
from corrigible.protocols.unlearning.hybrid import hybrid
from corrigible.protocols.unlearning.memorisation import parts_by_memorisation
from corrigible.protocols.unlearning.newton_step import newton_step
from corrigible.protocols.unlearning.retrained import retrained
from corrigible.protocols.unlearning.small_gradients import small_gradients
from corrigible.protocols.unlearning.teacher_and_student import teacher_and_student
from corrigible.protocols.unlearning.unlearned import Unlearned, changed, described, fingerprints_of, ruin_of
from corrigible.training import Epoch

log = logging.getLogger(__name__)
Network = TypeVar("Network", bound=nn.Module)

UNLEARNING: Mapping[str, Callable[..., Generator[Epoch, None, nn.Module]]] = {
    f.__name__: f
    for f in (hybrid, gradient_ascent, teacher_and_student, newton_step, small_gradients, fine_tuned, retrained)
}


def unlearn(
    model: Network,
    data: Any,
    forget: Any = None,
    *,
    label: int | str | None = None,
    method: str = "hybrid",
    batch_size: int | None = None,
    parts: int = 1,
    most_lost: Any = 0.02,
    seed: Any = 0,
    progress: bool | None = None,
    **settings: Any,
) -> Network:
    """A copy of the model that has forgotten some of the rows it was trained on; the model itself is left as it is.

    The attribute ``unlearned`` of the copy, to be printed, says what was forgotten, how, and what it did to forgotten
    and kept rows. A copy is not a proof: how near it is to a model that never saw the rows is measured with several
    seeds by `judge_unlearning`.

    Args:
        data: the rows that the model was trained on, as `correct` takes them; they must fit in memory.
        forget: positions of rows, a boolean mask over rows, or a class, "class=3". The influence of a feature is taken
            away by `limit_influence`.
        label: instead of ``forget``, the name or number of a class.
        method: "hybrid", or to compare with "gradient_ascent", "teacher_and_student", "newton_step", "small_gradients",
            "fine_tuned" and "retrained".
        batch_size: rows per step; None as in `correct`.
        parts: in how many parts the rows are forgotten, the least memorised first.
        most_lost: by how much the mean quality on kept rows, for classes the accuracy, may fall; if it falls more, a
            warning and the record say so, and `seal` refuses the copy.
        progress: as in `train`.
        settings: of the method, such as ``epochs`` and ``learning_rate``.

    Raises:
        RecipeError: an unknown method or setting, a number out of range, or names of features.
        DataError: rows or a class that the data does not have, all rows, or kept rows of one class only.
        UnsupportedModelError: a model that does not fit the data, or that lacks what the method needs; or a ranking.
        TrainingDivergedError: the loss became NaN or infinite, or the model far worse on the kept rows.
    """
    how: dict[str, Any] = {"method": method, "batch_size": batch_size, "parts": parts, "most_lost": most_lost}
    with shown(progress):
        return result_of(unlearning(model, data, forget, label=label, seed=seed, **how, **settings))  # type: ignore[return-value]


def unlearning(
    model: nn.Module,
    data: Any,
    forget: Any = None,
    *,
    label: int | str | None = None,
    method: str = "hybrid",
    batch_size: int | None = None,
    parts: int = 1,
    most_lost: Any = 0.02,
    seed: Any = 0,
    **settings: Any,
) -> Generator[Epoch, None, nn.Module]:
    """Like `unlearn`, but yields each `Epoch`."""
    chosen = method_of(method, settings, UNLEARNING, "method of unlearning")
    is_number = isinstance(most_lost, Real) and not isinstance(most_lost, bool)
    if not (is_number and 0 <= most_lost <= 1):
        raise RecipeError(f"most_lost is {most_lost!r}; expected a number from 0 to 1")
    given, dataset = trainable_network(model), labelled(as_dataset(data))
    if "query" in task_of(dataset).extra:
        raise UnsupportedModelError("rows of a query are compared with each other, so none has a loss to forget by")
    index = forgotten_rows(dataset, forget, label=label)
    forgetting = _forgetting(given, dataset, index, batch_size, whole_number("seed", seed))
    require_fit(given, forgetting.kept)
    started = time.process_time()
    begun(f"forgetting {described(len(index))}")
    found = yield from _part_by_part(forgetting, chosen.filled, whole_number("parts", parts, 1))
    seconds = time.process_time() - started
    remember_columns(found, columns_of(dataset))
    named = str(label) if label is not None else forget.removeprefix(CLASS) if isinstance(forget, str) else ""
    how: dict[str, Any] = {"what": described(len(index), named), "method": chosen.name, "settings": settings}
    record = _record(forgetting, found, **how, seconds=seconds, most_lost=most_lost)
    log.log(logging.WARNING if record.ruin else logging.INFO, record.line)
    found.unlearned = record  # type: ignore[assignment]
    return found


def _forgetting(model: nn.Module, dataset: Dataset, index: Any, batch_size: int | None, seed: int) -> Forgetting:
    rows = all_rows(dataset)
    is_kept = index.new_ones(len(rows), dtype=bool).index_fill(0, index, 0)
    kept, forgotten = (rows_of(rows, part) for part in (is_kept.nonzero()[:, 0], index))
    require_different(kept)
    copy = copied(model)
    copy.__dict__.pop("privacy", None)  # What was counted does not hold of a copy that saw rows again.
    return Forgetting(copy, kept, forgotten, batch_size, seed)


def _part_by_part(
    forgetting: Forgetting, method: Callable[..., Generator[Epoch, None, nn.Module]], parts: int
) -> Generator[Epoch, None, nn.Module]:
    """Forget the rows in parts; what is to be forgotten later is not learned from in the meantime."""
    found = forgetting.copy()
    for part in parts_by_memorisation(forgetting, parts):
        forgotten = rows_of(forgetting.forgotten, part)
        found = yield from method(replace(forgetting, model=found, forgotten=forgotten))
    return found


def _record(
    forgetting: Forgetting,
    found: nn.Module,
    *,
    what: str,
    method: str,
    settings: Mapping[str, Any],
    seconds: float,
    most_lost: float,
) -> Unlearned:
    name, seed = task_of(forgetting.kept).quality_name, forgetting.seed
    kept, forgotten = (
        changed(forgetting.model, found, rows, rows_name, seed=seed)
        for rows, rows_name in ((forgetting.kept, "kept"), (forgetting.forgotten, "forgotten"))
    )
    return Unlearned(
        method=method,
        settings=dict(settings),
        seed=seed,
        what=what,
        fingerprints=fingerprints_of(forgetting.forgotten),
        kept=kept,
        forgotten=forgotten,
        quality_name=name,
        seconds=seconds,
        ruin=ruin_of(kept, name, most_lost),
    )
