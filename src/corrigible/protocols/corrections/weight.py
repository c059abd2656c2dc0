"""Choose a penalty's weight by how the model is then judged, from short runs on a logarithmic grid."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from corrigible.data.dataset import task_of
from corrigible.data.protocol import class_named, class_names_of
from corrigible.errors import CorrectionRefusedError, TrainingDivergedError
from corrigible.figures import number, percent, short_number
from corrigible.objective import Term
from corrigible.protocols.corrections.judged import Judged
from corrigible.protocols.corrections.starting_weight import starting_weight
from corrigible.protocols.corrections.trials import Trials
from corrigible.protocols.training_facts import Known
from corrigible.types import Task

NUM_FIRST = 5
"""Size of a fixed grid, used where there is no search: the first weight times 1, 3, 10, 30 and 100."""
MOST_TRIALS = 9
NUM_LOSSES = 2
"""Number of consecutive places without gain that end the search in a direction."""
FLAT = 0.005
"""Difference of swap scores in nats, or of reliances in probability, that counts as none."""
NUM_ROWS_WITH_ERROR = 10


@dataclass(frozen=True)
class WeightTrial:
    """One short run with one weight."""

    penalty: str
    weight: float
    swap_score: float
    """Balanced log-likelihood of the label with marked content exchanged (`Judged.score`)."""
    accuracy: float
    """Balanced accuracy with marked content exchanged; for other tasks than classes the quality (`Task.quality`)."""
    as_found: float
    """The same on the rows as found."""
    is_refused: bool
    """True if a class is clearly worse than with the uncorrected model."""
    number: int
    num_trials: int
    """The largest number of trials there can be."""
    measured: str = "accuracy"
    """What ``accuracy`` and ``as_found`` hold, in words."""


@dataclass(frozen=True)
class WeightChoice:
    """The weight that was chosen for a penalty, and why."""

    penalty: str
    weight: float
    message: str
    trials: tuple[WeightTrial, ...] = ()


@dataclass
class _Search:
    """The places on the grid of weights that have been tried, and their results."""

    name: str
    start: float
    uncorrected: Judged
    found: dict[int, Judged] = field(default_factory=dict)
    trials: dict[int, WeightTrial] = field(default_factory=dict)
    too_large: int = 1_000
    """The lowest place at which training diverged."""

    def best(self) -> int:
        """The place with the best swap score, among those that are not refused if there are any."""
        allowed = [place for place, trial in self.trials.items() if not trial.is_refused] or list(self.trials)
        return max(allowed, key=lambda place: self.trials[place].swap_score)

    def next_place(self) -> int | None:
        """The next place to try: upwards, then downwards, each until two consecutive places gain nothing."""
        if not self.trials:
            return 0 if self.too_large > 0 else None if self.too_large < -MOST_TRIALS else self.too_large - 1
        if len(self.trials) >= MOST_TRIALS:
            return None
        for step in (1, -1):
            end = max(self.trials) if step > 0 else min(self.trials)
            if end + step < self.too_large and not self._is_lost(end, step):
                return end + step
        return None

    def _is_lost(self, end: int, step: int) -> bool:
        places = [end - step * back for back in range(NUM_LOSSES)]
        return all(place in self.trials and self._gains_nothing(place, step) for place in places)

    def _gains_nothing(self, place: int, step: int) -> bool:
        """Whether a place is clearly worse than the best, or neither better nor less reliant than its predecessor."""
        best, found, before = self.best(), self.found[place], self.found.get(place - step)
        if place == best:
            return False
        is_flat = before is not None and found.score <= before.score + FLAT and found.reliance >= before.reliance - FLAT
        return is_flat or is_clearly_below(found, self.found[best])


def choose_weight(
    term: Term, others: Sequence[Term], trials: Trials, known: Known
) -> Iterator[WeightTrial | WeightChoice]:
    """Choose one penalty's weight while the others keep theirs: yields each trial, and last the choice.

    A penalty whose gradient is zero gets weight 0: the model does not rely on what it forbids. Once training diverges
    with a weight, no weight of that size or larger is tried. A weight is refused if it makes the label clearly less
    likely than the uncorrected model does on the exchanged rows of any class.

    Raises:
        TrainingDivergedError: training diverged with every weight.
        CorrectionRefusedError: every weight is refused.
    """
    name = term.name
    uncorrected = trials.uncorrected(known.model)
    start = starting_weight(term, known, trials.schedule)
    if not start:
        is_relevance = term.declaration.serves == {"relevant"}
        why = "ranks the relevant inputs first" if is_relevance else "does not rely on the marked inputs"
        message = f"{name} has no gradient: the model {why}, or nothing else is left to look at; weight 0"
        yield WeightChoice(name, 0.0, message)
        return
    search = _Search(name, start, uncorrected)
    diverged = None
    while (place := search.next_place()) is not None:
        weighted = [*others, replace(term, weight=on_grid(start, place))]
        try:
            found = trials.run(weighted, known)
        except TrainingDivergedError as error:
            search.too_large, diverged = place, error
            continue
        yield _noted(search, place, found, task_of(known.dataset).quality_name)
    if not search.trials:
        assert diverged is not None
        raise diverged
    yield _choice(search, trials, task_of(known.dataset), class_names_of(known.dataset))


def _noted(search: _Search, place: int, found: Judged, measured: str) -> WeightTrial:
    number = len(search.trials) + 1
    trial = WeightTrial(
        search.name,
        on_grid(search.start, place),
        found.score,
        found.accuracy,
        found.balanced(found.found_hits),
        bool(worse_classes(found, search.uncorrected)),
        number,
        MOST_TRIALS,
        measured,
    )
    search.found[place], search.trials[place] = found, trial
    return trial


def _choice(search: _Search, trials: Trials, task: Task, class_names: tuple[str, ...]) -> WeightChoice:
    allowed = {place: found for place, found in search.found.items() if not search.trials[place].is_refused}
    before = search.uncorrected
    if not allowed:
        best = search.found[search.best()]
        label = min(worse_classes(best, before), key=lambda label: float(_gain(best, before)[label]))
        now, then = (float(judged.by_class(judged.log_likelihood)[label]) for judged in (best, before))
        what = "labels" if task.logits is None else f"class {class_named(label, class_names)}"
        worse = "predictions" if task.logits is None else "a class"
        raise CorrectionRefusedError(
            f"{search.name} makes {worse} worse with each of {len(search.trials)} weights; with the best of them the "
            f"log-likelihood of {what} is {number(now)}, uncorrected {number(then)}: "
            "use another method, review more rows, or look at the masks again"
        )
    place = least_reliant_of_the_best(allowed)
    chosen, found = search.trials[place], allowed[place]
    message = (
        f"{search.name} gets weight {short_number(chosen.weight)}: swap score {number(found.score)} ± "
        f"{found.error:.3f}, uncorrected {number(before.score)}; {task.quality_name} {percent(found.accuracy, 0)} "
        f"with marked content exchanged (uncorrected {percent(before.accuracy, 0)}), {percent(chosen.as_found, 0)} on "
        "these rows as they are"
    )
    if not trials.are_held_out:
        message += "; too few rows are reviewed to hold any back: these rows taught it"
    return WeightChoice(search.name, chosen.weight, message, tuple(search.trials.values()))


def worse_classes(found: Judged, before: Judged) -> list[int]:
    """The classes whose labels are less likely than before, by over two standard errors, and not right more often.

    A class that is less likely but right more often shows only that the network grew more certain.
    """
    difference = found.log_likelihood - before.log_likelihood
    deviation = float(difference.std(correction=0))
    errors = {label: 2 * deviation / int((found.y == label).sum()) ** 0.5 for label in found.y.unique().tolist()}
    gained = found.by_class(found.hits - before.hits)
    return [
        label
        for label, mean in found.by_class(difference).items()
        if float(mean) < -errors[label] - FLAT and float(gained[label]) <= 0
    ]


def _gain(found: Judged, before: Judged) -> dict[int, Tensor]:
    return found.by_class(found.log_likelihood - before.log_likelihood)


def is_clearly_below(found: Judged, best: Judged) -> bool:
    """Whether the score of ``found`` is below that of ``best`` by more than one standard error of their differences."""
    behind = best.log_likelihood - found.log_likelihood
    return best.balanced(behind) > best.error_of(behind)


def least_reliant_of_the_best(found: Mapping[int, Judged]) -> int:
    """Among the places not clearly below the best one, the place whose model relies least on what was marked.

    Clearly means by more than one standard error of the rows' differences (the one-standard-error rule of Breiman,
    Friedman, Olshen and Stone 1984, who use it for the size of a tree). If labels hardly depend on the marked inputs,
    all weights score alike, and the one that removes the reliance is wanted. Of places that rely equally little, the
    smallest weight is chosen. With fewer than 10 rows there is no meaningful error, and the best place is chosen.
    """
    best = max(found, key=lambda place: found[place].score)
    if len(found[best].y) < NUM_ROWS_WITH_ERROR:
        return best
    equal = {place for place, judged in found.items() if not is_clearly_below(judged, found[best])} | {best}
    least = min(found[place].reliance for place in equal)
    return min(place for place in equal if found[place].reliance <= least + FLAT)


def on_grid(start: float, place: int) -> float:
    """The weight at a place of the grid: the first weight times 1, 3, 10, 30, … from place 0 up; 0.3, 0.1, … below.

    Rounded to two significant digits: more would claim a precision that the choice does not have.
    """
    return float(f"{start * 10.0 ** (place // 2) * (3 if place % 2 else 1):.1e}")
