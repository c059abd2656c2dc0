"""Choose a penalty's weight by swap score, from short runs on a logarithmic grid."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.batches import collate
from corrigible.data.dataset import Dataset, all_labels
from corrigible.errors import NoGradientError, TrainingDivergedError
from corrigible.feedback.masks import Marks, marks_to_swap
from corrigible.losses import cross_entropy
from corrigible.models.forward import Forward
from corrigible.models.modes import device_of, evaluating
from corrigible.objective import parameter_gradient, terms_of
from corrigible.penalties import RELEVANCE_PENALTIES
from corrigible.protocols.schedule import Schedule, run
from corrigible.protocols.swap_score import swap_log_likelihoods, swapped_batches

NUM_FIRST = 5
"""Weights on the grid that are always tried: the first weight times 1, 3, 10, 30 and 100."""
NUM_BEYOND = 4
"""How many further ones may be tried at either end, as long as the one at the end is the best."""
NUM_ROWS_WITH_ERROR = 10
NUM_SWAPS = 20_000
NUM_ROWS = 64
"""Rows with irrelevant inputs whose gradients give the first weight."""


@dataclass(frozen=True)
class WeightTrial:
    """One short run with one weight."""

    penalty: str
    weight: float
    swap_score: float
    number: int
    num_trials: int
    """As far as is known: further ones follow where the best weight is the least or the largest."""


@dataclass(frozen=True)
class WeightChoice:
    """The weight a penalty got, and why."""

    penalty: str
    weight: float
    message: str
    trials: tuple[WeightTrial, ...] = ()


@dataclass(frozen=True)
class Judge:
    """The rows on which weights are compared."""

    dataset: Dataset
    marks: Marks
    rows: Tensor

    def score(self, model: nn.Module, seed: int) -> float:
        return float(self.log_likelihoods(model, seed).mean())

    def log_likelihoods(self, model: nn.Module, seed: int) -> Float[Tensor, " row"]:
        """Each row's own part of the swap score.

        Raises:
            TrainingDivergedError: one is NaN; it would stand first among weights.
        """
        # Rows differ more than donors do: many rows need few donors each.
        num_donors = min(50, max(10, NUM_SWAPS // len(self.rows)))
        found = swap_log_likelihoods(model, self.dataset, self.marks, self.rows, num_donors=num_donors, seed=seed)
        if bool(found.isnan().any()):
            row = int(self.rows[found.isnan()][0])
            raise TrainingDivergedError(
                f"the swap score of row {row} is not a number; lower the learning rate or the weights"
            )
        return found


def choose_weight(
    model: nn.Module,
    dataset: Dataset,
    marks: Marks,
    schedule: Schedule,
    *,
    name: str,
    penalties: dict[str, Any],
    judge: Judge,
    seed: int,
) -> Iterator[WeightTrial | WeightChoice]:
    """Yields each trial and last the choice for ``penalties[name]``, the other penalties keeping their weights.

    A penalty whose gradient is zero gets weight 0: the model does not rely on what it forbids. Weights as large as one
    with which training diverged are not tried.

    Raises:
        TrainingDivergedError: with the smallest weight already.
    """
    start = starting_weight(model, dataset, marks, name=name, settings=penalties[name], seed=seed)
    if not start:
        why = "ranks the relevant inputs first" if name in RELEVANCE_PENALTIES else "does not rely on the marked inputs"
        message = f"{name} has no gradient: the model {why}; weight 0"
        yield WeightChoice(name, 0.0, message)
        return
    short = replace(schedule, epochs=max(1, schedule.epochs // 2))
    trials: dict[int, WeightTrial] = {}
    found: dict[int, Tensor] = {}
    most = NUM_FIRST + NUM_BEYOND
    while (place := _next_place(trials, most)) is not None:
        weight = on_grid(start, place)
        tried = copy.deepcopy(model)
        weighted = penalties | {name: {**penalties[name], "weight": weight}}
        try:
            for _ in run(tried, dataset, short, marks=marks, penalties=weighted, seed=seed):
                pass
            found[place] = judge.log_likelihoods(tried, seed)
        except TrainingDivergedError:
            if not trials:
                raise
            most = place  # So would it with larger weights.
            continue
        number = len(trials) + 1
        trials[place] = WeightTrial(name, weight, float(found[place].mean()), number, max(number, NUM_FIRST))
        yield trials[place]
    chosen = trials[largest_of_the_best(found)]
    message = f"{name} gets weight {chosen.weight:g}, swap score {chosen.swap_score:.3f}"
    yield WeightChoice(name, chosen.weight, message, tuple(trials.values()))


def largest_of_the_best(found: Mapping[int, Float[Tensor, " row"]]) -> int:
    """The last place whose rows' log-likelihoods are not clearly below those of the best place in the mean.

    Clearly: by more than one standard error of the rows' differences (the one-standard-error rule of Breiman, Friedman,
    Olshen and Stone 1984, there for the size of a tree). Where a model hardly relies on what must not matter, all
    weights score alike, and a person who said so wants the larger one. Fewer than 10 rows have no error to speak of: of
    these the best place is taken.
    """
    best = max(found, key=lambda place: float(found[place].mean()))
    if len(found[best]) < NUM_ROWS_WITH_ERROR:
        return best
    behind = {place: found[best] - of_rows for place, of_rows in found.items()}
    equal = [place for place, rows in behind.items() if rows.mean() <= rows.std(correction=0) / len(rows) ** 0.5]
    return max([best, *equal])


def _next_place(trials: Mapping[int, WeightTrial], most: int) -> int | None:
    """Where on the grid to try next: its first places in order, then beyond the end that is the best so far."""
    first = range(min(NUM_FIRST, most))
    if untried := [place for place in first if place not in trials]:
        return untried[0]
    best = max(trials, key=lambda place: trials[place].swap_score)
    if best == min(trials) and -NUM_BEYOND < best <= most:
        return best - 1
    return best + 1 if best == max(trials) and best + 1 < most else None


def starting_weight(
    model: nn.Module, dataset: Dataset, marks: Marks, *, name: str, settings: dict[str, Any], seed: int
) -> float | None:
    """Norm of the gradient of the label loss over that of the penalty; None when the penalty's is zero.

    The label loss is taken on swapped rows: a fooled model has almost no label gradient left on rows that hold the
    confounder.

    Raises:
        NoGradientError: the penalty reaches no parameter.
    """
    labels = all_labels(dataset)
    swaps = marks_to_swap(marks, labels)
    rows = some_rows(swaps.irrelevant.rows(labels), NUM_ROWS, seed)
    about = some_rows(marks.relevant.rows(labels), NUM_ROWS, seed) if name in RELEVANCE_PENALTIES else rows
    (term,) = terms_of({name: {**settings, "weight": 1.0}})
    with evaluating(model):
        reviewed = collate(dataset, about, marks).to(device_of(model))
        gradients = parameter_gradient(model, term.penalty(Forward(model, reviewed, seed=seed), reviewed))
        if all(gradient is None for gradient in gradients):
            raise NoGradientError(f"penalty {name!r} does not reach the model's parameters: it would teach nothing")
        penalty_norm = _norm(gradients)
        if penalty_norm == 0.0:
            return None
        label_norm = _norm(_swapped_label_gradient(model, dataset, swaps, rows, seed))
    return label_norm / penalty_norm


def _swapped_label_gradient(
    model: nn.Module, dataset: Dataset, marks: Marks, rows: Tensor, seed: int
) -> list[Tensor | None]:
    total: list[Tensor | None] = [None] * sum(p.requires_grad for p in model.parameters())
    num_donors = min(10, len(dataset))
    for batch in swapped_batches(dataset, marks, rows, num_donors=num_donors, seed=seed):
        batch = batch.to(device_of(model))
        loss = cross_entropy(Forward(model, batch, track_input=False), batch).sum() / (num_donors * len(rows))
        found = parameter_gradient(model, loss)
        total = [b if a is None else a if b is None else a + b for a, b in zip(total, found, strict=True)]
    return total


def some_rows(rows: Tensor, most: int, seed: int) -> Tensor:
    """At most so many of the rows, drawn from the seed: data sets are often sorted by class."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    return rows[order[:most]]


def _norm(gradients: list[Tensor | None]) -> float:
    squares = [gradient.cpu().double().square().sum() for gradient in gradients if gradient is not None]
    return torch.stack(squares).sum().sqrt().item() if squares else 0.0


def on_grid(start: float, place: int) -> float:
    """The first weight times 1, 3, 10, 30 and so on, and below place 0 times 0.3, 0.1, 0.03 and so on.

    Two significant digits: more would claim a precision that the choice does not have.
    """
    return float(f"{start * 10.0 ** (place // 2) * (3 if place % 2 else 1):.1e}")
