"""Ross, Hughes and Doshi-Velez 2017, Right for the right reasons, section 4.2: find another explanation.

Train again and again, each time penalising the inputs that the earlier models relied on, until the remaining inputs no
longer predict the label.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from corrigible.batches import collate
from corrigible.data.dataset import TensorData, all_rows, as_dataset, require_different, rows_of, strata_of, task_of
from corrigible.data.swapping import draw_donors, some_rows
from corrigible.explanations.scores import score_named
from corrigible.feedback.masks import Marks, Masks
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.forward import Forward
from corrigible.models.fresh_weights import untrained
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.networks import trainable_network
from corrigible.objective import terms_of
from corrigible.protocols.corrections.starting_weight import starting_weight
from corrigible.protocols.corrections.swap_score import swap_score
from corrigible.protocols.corrections.weight import NUM_FIRST, on_grid
from corrigible.protocols.mean_quality import mean_quality
from corrigible.protocols.schedule import Schedule, require_fit, require_range, result_of, run
from corrigible.protocols.steps import require_ordinary
from corrigible.protocols.training_facts import Known
from corrigible.training import Epoch

PENALTY = "right_reasons"
HELD_OUT = 0.2
"""Share of the rows held out to measure accuracy if no validation rows are given."""
NUM_JUDGED_ROWS = 200
USUAL = Schedule()


@dataclass(frozen=True)
class Explanation:
    """One model that was trained not to rely on what earlier models relied on, and whether it succeeded."""

    number: int
    """From 1."""
    model: nn.Module
    relied_on: Bool[Tensor, " row *input"]
    """True where the model relied on an input of a training row."""
    accuracy: float
    """On the validation rows; for other tasks than classes the mean quality (`Task.quality`)."""
    weight: float
    """Of the penalty on what earlier models relied on; 0 for the first."""
    swapped_accuracy: float
    """The same when the inputs that earlier models relied on hold other validation rows' values."""
    is_kept: bool
    """Whether its accuracy reaches the threshold without relying on what earlier models relied on."""


@dataclass(frozen=True)
class Explanations:
    """All explanations of the labels that the search found in the data, in the order in which they were found."""

    models: tuple[nn.Module, ...]
    masks: tuple[Bool[Tensor, " row *input"], ...]
    """For each model, True where it relied on an input of a training row."""
    accuracies: tuple[float, ...]
    """Each model's accuracy on the validation rows; a last, extra one is that of a model that was not kept."""
    threshold: float

    @property
    def count(self) -> int:
        """How many models were kept: each reaches the threshold without what the earlier ones relied on."""
        return len(self.models)


@dataclass(frozen=True, kw_only=True)
class Search:
    """What counts as relied on, and when to stop."""

    share: float = 2 / 3
    """An input is relied on where its gradient is at least this share of the largest one."""
    scope: Literal["row", "dataset"] = "row"
    """``row``: the largest gradient in each row, as in the paper; ``dataset``: compare mean sizes over all rows, for
    data in which an input means the same in each row."""
    tolerance: float = 0.25
    """Share of the first model's accuracy above chance that a later model may lose."""
    most: int = 10
    """Most models to train."""
    weight: float | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        require_range(self, "share", 0.0, 1.0)
        require_range(self, "tolerance", 0.0, 1.0)
        require_range(self, "most", 1, 10**6)
        if self.weight != "auto":
            require_range(self, "weight", 0.0, 1e300)


def find_another_explanation(
    model: nn.Module,
    data: Any,
    *,
    validation: Any = None,
    search: Search = Search(),
    schedule: Schedule = USUAL,
    seed: int = 0,
) -> Explanations:
    """Train models one after the other that predict the label from different inputs, until none is left to find.

    Each model starts from fresh weights and is trained with `right_reasons` against every input that an earlier model
    relied on. If the penalty's weight is "auto", it is the best by swap score of 1, 3, 10, 30 and 100 times the ratio
    of gradient norms of the previous model. The search ends when accuracy falls below the threshold, when every input
    is marked, or after ``search.most`` models. For ``scope="dataset"`` it also ends when swapping the inputs that
    earlier models relied on costs a model more than half of its accuracy above chance; masks that differ from row to
    row say too little about that.

    Args:
        model: the network to train; its weights are not used, and it is left unchanged.
        data: ``(x, y)`` arrays or a map-style data set of (x, y), which must fit in memory.
        validation: rows to measure accuracy on; they may hold every confounder. None holds out a fifth of ``data``,
            drawn from the seed.

    Raises:
        DataError: data with one class only.
        RecipeError: a setting out of its range.
        TrainingDivergedError: the loss became NaN or infinite.
    """
    running = finding_explanations(model, data, validation=validation, search=search, schedule=schedule, seed=seed)
    return result_of(running)


def finding_explanations(
    model: nn.Module,
    data: Any,
    *,
    validation: Any = None,
    search: Search = Search(),
    schedule: Schedule = USUAL,
    seed: int = 0,
) -> Generator[Epoch | Explanation, None, Explanations]:
    """Like `find_another_explanation`, but yields progress: each epoch of each run, and each trained model."""
    require_ordinary(schedule.step_factory(None), "find_another_explanation")
    model, (train, held_out) = trainable_network(model), _parts(data, validation, seed)
    require_different(train)
    require_fit(model, train)
    found: list[Explanation] = []
    chance, threshold = _chance(held_out), 0.0
    irrelevant, hidden = (torch.zeros(part.x.shape, dtype=torch.bool) for part in (train, held_out))
    for number in range(1, search.most + 1):
        before = found[-1].model if found else None
        trained, weight = yield from _trained(model, before, train, irrelevant, search, schedule, seed + number)
        accuracy = mean_quality(trained, held_out)
        swapped = mean_quality(trained, _swapped(held_out, hidden, seed))
        if number == 1:
            threshold = accuracy - search.tolerance * max(0.0, accuracy - chance)
        is_its_own = search.scope == "row" or swapped - chance >= (accuracy - chance) / 2
        is_kept = accuracy >= threshold and is_its_own
        relied = relied_on(trained, train, share=search.share, scope=search.scope)
        found.append(Explanation(number, trained, relied, accuracy, weight, swapped, is_kept))
        yield found[-1]
        irrelevant |= relied
        hidden |= relied_on(trained, held_out, share=search.share, scope=search.scope)
        if not is_kept or bool(irrelevant.all()):
            break
    kept = [explanation for explanation in found if explanation.is_kept]
    return Explanations(
        tuple(e.model for e in kept), tuple(e.relied_on for e in kept), tuple(e.accuracy for e in found), threshold
    )


def relied_on(
    model: nn.Module, rows: TensorData, *, share: float, scope: Literal["row", "dataset"]
) -> Bool[Tensor, " row *input"]:
    """True where the gradient of the summed log-probabilities is at least this share of the largest one.

    For tasks without classes it is the gradient of the summed outputs. All channels of a pixel are marked together. A
    row whose gradient is 0 everywhere has no input marked.
    """
    x = rows.x
    sizes = []
    num_at_once = rows_that_fit(model, like_parameters(x[:1], model))
    with evaluating(model):
        for index in torch.arange(len(x)).split(num_at_once):
            forward = Forward(model, collate(rows, index))
            score = score_named("summed_log_prob", forward)
            gradient = forward.input_gradient(score, forward.target, create_graph=False)
            sizes.append(gradient.abs().cpu())
    size = torch.cat(sizes)
    size = size.amax(dim=1, keepdim=True) if x.ndim == 4 else size
    size = size.mean(dim=0, keepdim=True) if scope == "dataset" else size
    largest = size.flatten(1).amax(dim=1).reshape(-1, *[1] * (size.ndim - 1))
    return ((size >= share * largest) & (size > 0)).expand(x.shape).clone()


def _trained(
    model: nn.Module,
    before: nn.Module | None,
    train: TensorData,
    irrelevant: Tensor,
    search: Search,
    schedule: Schedule,
    seed: int,
) -> Generator[Epoch, None, tuple[nn.Module, float]]:
    """A model trained not to use irrelevant inputs, and the penalty's weight: the best of several by swap score."""
    marks = Marks(_masks(irrelevant), _masks(torch.zeros_like(irrelevant)))
    rows = some_rows(marks.irrelevant.rows(strata_of(train)), NUM_JUDGED_ROWS, seed)
    weights: tuple[float, ...] = (0.0,)
    if before is not None and len(rows):
        weights = _weights(Known(before, train, marks, seed), search, schedule)
    trials = []
    for weight in weights:
        fresh = untrained(model, seed=seed).requires_grad_(True)
        given: dict[str, Any] = {"marks": marks, "penalties": {PENALTY: weight}} if weight else {}
        yield from run(fresh, train, schedule, seed=seed, **given)
        score = swap_score(fresh, train, marks, rows, seed=seed) if len(weights) > 1 else 0.0
        trials.append((score, fresh, weight))
    _, best, weight = max(trials, key=lambda trial: trial[0])
    return best, weight


def _weights(known: Known, search: Search, schedule: Schedule) -> tuple[float, ...]:
    if search.weight != "auto":
        return (float(search.weight),)
    (term,) = terms_of({PENALTY: 1.0})
    start = starting_weight(term, known, schedule)
    return tuple(on_grid(start, place) for place in range(NUM_FIRST)) if start else (0.0,)


def _swapped(data: TensorData, hidden: Tensor, seed: int) -> TensorData:
    donors = data.x[draw_donors(len(data), len(data), seed)]
    return replace(data, x=torch.where(hidden, donors, data.x))


def _masks(mask: Bool[Tensor, " row *input"]) -> Masks:
    if bool((mask == mask[:1]).all()):
        return Masks(mask[0], {}, {})
    return Masks(torch.zeros_like(mask[0]), {}, {row: of_row for row, of_row in enumerate(mask) if of_row.any()})


def _parts(data: Any, validation: Any, seed: int) -> tuple[TensorData, TensorData]:
    train = all_rows(as_dataset(data))
    if validation is not None:
        return train, all_rows(as_dataset(validation, task=task_of(train)))
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
    num_held_out = max(1, round(HELD_OUT * len(train)))
    rows = order[num_held_out:].sort().values, order[:num_held_out].sort().values
    kept, held_out = (
        replace(rows_of(train, r), class_names=train.class_names, group=None, group_names=()) for r in rows
    )
    return kept, held_out


def _chance(rows: TensorData) -> float:
    """Accuracy of always predicting the most frequent class; for other tasks the quality of the best guess."""
    task = task_of(rows)
    return task.chance if task.logits is None else float(rows.y.bincount().max() / len(rows))
