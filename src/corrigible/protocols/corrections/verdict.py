"""The verdict: how a correction went, in one sentence with its figures, or in a few lines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from markupsafe import Markup
from torch import Tensor

from corrigible.data.protocol import class_named
from corrigible.figures import percent
from corrigible.printable import plural
from corrigible.protocols.corrections.judged import Judged
from corrigible.types import Task

Outcome = Literal["corrected", "partly corrected", "no reliance found", "failed"]

LITTLE = 0.05
"""Reliance, in probability, below which the outcome is "no reliance found"."""
FELL = 0.25
"""Largest share of the reliance before that is a clear fall; twice that if the attraction fell to this share."""
CLEARLY = 0.8
"""Of the reliance before, above which it is said not to have fallen, unless the attraction fell to half."""
NO_SPREAD = 0.02
"""Spread of the standardised predictions below which they are nearly the same for every row."""
FAR_BELOW = 1.0
"""How far below that of a constant the quality of a model must be, so that its outputs may have another unit."""
KEPT = 0.01
"""Balanced accuracy that a correction may cost before it counts as failed."""
COLLAPSED = 0.25
"""Share of a class's fair share of predictions, below which it counts as hardly ever predicted."""
NAMED = "class {} is hardly ever"
"""How a reason names a class."""
MEANS = {
    "corrected": "what was marked hardly matters any more.",
    "partly corrected": "what was marked matters less than before, and still matters.",
    "no reliance found": "the model hardly used what was marked, so there was little to correct.",
}
"""What an outcome means; of a failed correction, the reasons say it."""
OF_GAP = "A gap between groups was to be closed as well, and {}."
"""What is said of the cost of both."""
TO_TRY = {
    "failed": "look again at what was marked, which must not be what shows the label; train longer (epochs=…, "
    "learning_rate=…); or let corrigible.compare(model, data, feedback, test=…) try other methods",
    "partly corrected": "train longer (epochs=…), mark more rows, or let "
    "corrigible.compare(model, data, feedback, test=…) try other methods",
    "no reliance found": "corrigible.suspects(model, data) shows what the model does rely on",
}
"""What to try next in Python."""


@dataclass(frozen=True)
class Verdict:
    """How a correction went; everything but ``as_found_…`` is measured with marked content exchanged between rows."""

    outcome: Outcome
    sentence: str
    """The outcome with its figures, for a person to read."""
    reliance_before: float
    """How far predictions move when marked content is exchanged, in [0, 1] (`Task.moved`), each class equally."""
    reliance_after: float
    accuracy_before: float
    """Balanced over classes, with marked content exchanged; for other tasks what ``measured`` says, over all parts."""
    accuracy_after: float
    accuracy_fine_tuned: float | None
    """The same for the model trained on for as many epochs without feedback; None if there is none."""
    as_found_before: float
    """Balanced accuracy on the same rows as found; a good correction may lower it on rows that hold the confounder."""
    as_found_after: float
    worst_class: str
    """The class on which the corrected model is least accurate; empty for labels that are not classes."""
    worst_class_accuracy: float | None
    """None for labels that are not classes."""
    num_rows: int
    """Rows that the verdict was measured on; a row that is exchanged in two ways counts once."""
    where: str
    """The kind of these rows: "validation", "training", "test", or "training and validation"."""
    reasons: str = ""
    """Why the correction failed; empty if it did not."""
    measured: str = "accuracy"
    """What the fields named accuracy hold, in words."""
    moved_as: str = "predictions by {} %"
    """What the fields named reliance measure, in words, with {} for 100 times their value."""
    cost: str = ""
    """What a correction that was also to close a gap between groups does less well than before; otherwise empty."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The outcome and what it means; then on how many rows, what was measured, and each percentage of what."""
        means = MEANS.get(self.outcome, f"{self.reasons}.")
        return f"{self.outcome[0].upper()}{self.outcome[1:]}: {means}", *self._figures()

    @property
    def to_try(self) -> str:
        """What to try next; empty for a correction that went well."""
        return TO_TRY.get(self.outcome, "")

    def _figures(self) -> Iterator[str]:
        moved = self.moved_as.format(f"{100 * self.reliance_after:.1f}")
        tuned = self.accuracy_fine_tuned
        beside = "" if tuned is None else f"; trained on without feedback, {_percent(tuned)}"
        now, before = _percent(self.accuracy_after), _percent(self.accuracy_before)
        found_now, found_before = _percent(self.as_found_after), _percent(self.as_found_before)
        if self.cost:
            yield OF_GAP.format(self.cost)
        yield f"On {self.num_rows:,} {self.where} rows drawn to compare, with what was marked exchanged:"
        yield f"- that moves {moved}; before, {100 * self.reliance_before:.1f}"
        if self.worst_class_accuracy is None:
            yield f"- the {self.measured} is {now}; before, {before}{beside}"
            yield f"On these rows as they are, it is {found_now}; before, {found_before}."
            return
        yield f"- {now} are predicted right; before, {before}{beside}"
        yield f"- least often right is class {self.worst_class}: {_percent(self.worst_class_accuracy)} of its rows"
        yield f"On these rows as they are, {found_now} are predicted right; before, {found_before}."
        yield "(Each class counts the same.)"

    def __str__(self) -> str:
        return "\n".join([*self.lines, *([f"To try next: {self.to_try}."] if self.to_try else [])])

    def __repr__(self) -> str:
        return f"Verdict({self.sentence})"

    def _repr_html_(self) -> str:
        colour = {"corrected": "#00755a", "failed": "#b3261e"}.get(self.outcome, "#9a5b00")
        first, *others = str(self).splitlines()
        outcome = Markup('<b style="color:{}">{}</b>{}').format(
            colour, first[: len(self.outcome)], first[len(self.outcome) :]
        )
        return Markup(
            '<div style="border-left:4px solid {};padding:2px 0 2px 12px;max-width:70em;line-height:1.5">{}</div>'
        ).format(colour, Markup("<br>").join([outcome, *others]))


def _percent(share: float) -> str:
    """With a plain space, like the words that tasks have for moves."""
    return percent(share).replace("\u00a0", " ")


def verdict(
    before: Judged,
    after: Judged,
    task: Task,
    *,
    rows: tuple[int, str],
    fine_tuned: Judged | None = None,
    class_names: Sequence[str] = (),
    closes_gap: bool = False,
) -> Verdict:
    """Compare a model before and after a correction on the same judged rows.

    Args:
        rows: how many rows of the data these are, and of which kind (`Exchanges`).
        closes_gap: whether the model was also trained to close a gap between groups. Quality that is lost is then told
            as the cost of both, and does not make the correction a failure.
    """
    reasons, losses = _collapses(before, after, task, class_names), _losses(before, after, fine_tuned, task)
    cost = "; ".join(losses) if closes_gap else ""
    of_gap = f" {OF_GAP.format(cost)}" if cost else ""
    reasons += [] if closes_gap else losses
    outcome = "failed" if reasons else _outcome(before, after)
    if outcome == "failed" and not reasons:
        reasons = ["the reliance on what was marked did not fall"]
    if outcome in ("corrected", "partly corrected") and (than_guessing := beside_chance(after, task)):
        outcome, reasons = "failed", [f"with what was marked exchanged it predicts {than_guessing}"]
    recalls = after.by_class(after.hits)
    worst = min(recalls, key=lambda label: float(recalls[label]))
    tuned = None if fine_tuned is None else fine_tuned.accuracy
    return Verdict(
        outcome,
        _sentence(outcome, reasons, before, after, tuned=tuned, task=task, rows=rows) + of_gap,
        before.reliance,
        after.reliance,
        before.accuracy,
        after.accuracy,
        tuned,
        before.balanced(before.found_hits),
        after.balanced(after.found_hits),
        class_named(worst, class_names) if task.logits is not None else "",
        float(recalls[worst]) if task.logits is not None else None,
        *rows,
        "; ".join(reasons),
        task.quality_name,
        task.moved_as,
        cost,
    )


def _outcome(before: Judged, after: Judged) -> Outcome:
    """The outcome by the reliance on what was marked, if nothing else got worse."""
    if before.reliance < LITTLE:
        return "no reliance found"
    if fell_clearly(before, after):
        return "corrected"
    is_partly = after.reliance <= CLEARLY * before.reliance or is_drawn_half_as_much(before, after)
    return "partly corrected" if is_partly else "failed"


def fell_clearly(before: Judged, after: Judged) -> bool:
    """Whether the reliance on marked content fell to a quarter, or to half of `LITTLE`.

    Content that hides something moves predictions whatever it shows, but has no attraction to the class it is from. So
    a fall to half is enough if the attraction fell to a quarter.
    """
    if after.reliance <= max(FELL * before.reliance, LITTLE / 2):
        return True
    is_drawn_no_more = after.attraction <= FELL * before.attraction
    return after.reliance <= 2 * FELL * before.reliance and is_drawn_no_more


def is_drawn_half_as_much(before: Judged, after: Judged) -> bool:
    """Whether the attraction to the class that the content is from fell to half; what only hides something has none."""
    return before.attraction >= LITTLE / 2 and after.attraction <= 2 * FELL * before.attraction


def _collapses(before: Judged, after: Judged, task: Task, class_names: Sequence[str]) -> list[str]:
    """The classes that are hardly predicted any more, or that predictions hardly differ between rows any more."""
    if task.logits is None:
        spread, was = (float(judged.predicted.std(dim=0).max()) for judged in (after, before))
        collapsed = spread < NO_SPREAD <= was and spread < COLLAPSED * was
        return ["it predicts nearly the same for every row"] if collapsed else []
    reasons, labels = [], after.y.unique().tolist()
    for label in labels:
        share = float(_shares(after)[label])
        if share < COLLAPSED / len(labels) and share < float(_shares(before)[label]):
            reasons.append(f"{NAMED.format(class_named(label, class_names))} predicted any more")
    return reasons


def _losses(before: Judged, after: Judged, tuned: Judged | None, task: Task) -> list[str]:
    """What the corrected model does less well than others, by more than `KEPT` and, for amounts, than by chance."""
    what = "it is less often right" if task.logits is not None else f"its {task.quality_name} is smaller"
    reasons = []
    if after.accuracy < before.accuracy - _kept(before, after, task):
        reasons.append(f"with what was marked exchanged {what} than before")
    elif task.logits is not None and after.accuracy_at_random < before.accuracy_at_random - KEPT:
        now, then = (_percent(judged.accuracy_at_random) for judged in (after, before))
        reasons.append(f"with what was marked drawn at random {what} than before: {now} against {then}")
    if tuned is not None and after.accuracy < tuned.accuracy - 2 * _kept(tuned, after, task):
        reasons.append("training on without feedback does better")
    return reasons


def _kept(before: Judged, after: Judged, task: Task) -> float:
    """The quality that a correction may cost; of amounts, whose errors may be large, at least two standard errors."""
    return KEPT if task.logits is not None else max(KEPT, 2 * after.error_of(after.hits - before.hits))


def beside_chance(judged: Judged, task: Task) -> str:
    """How good an accuracy about that of a guess, or a quality about that of a constant, is; empty above it.

    A constant is measured on the same rows, and is clearly as good only within two standard errors of the difference:
    a few rows with large amounts say little.
    """
    chance, error = 1 / max(1, len(judged.y.unique())), 0.0
    if task.logits is None:
        chance, error = judged.balanced(judged.guessed), 2 * judged.error_of(judged.hits - judged.guessed)
    if judged.accuracy > chance + KEPT - error:
        return ""
    return "no better than guessing" if judged.accuracy >= chance - KEPT - error else "worse than guessing"


def _shares(judged: Judged) -> Tensor:
    """How often each class is predicted, with equal weight for each class of labels."""
    return torch.stack(list(judged.by_class(judged.predicted).values())).mean(dim=0)


def _sentence(
    outcome: Outcome,
    reasons: Sequence[str],
    before: Judged,
    after: Judged,
    *,
    tuned: float | None,
    task: Task,
    rows: tuple[int, str],
) -> str:
    moved = task.moved_as.format(f"{100 * before.reliance:.1f}")
    moved = f"exchanging what was marked moved {moved} before, {100 * after.reliance:.1f} now"
    is_of_classes = task.logits is not None
    on, of_rows = ("on ", " of rows") if is_of_classes else ("", "")
    now, then = (f"{on}{_percent(judged.accuracy)}" for judged in (after, before))
    measured = "the model is right" if is_of_classes else f"the {task.quality_name} is"
    right = f"with it exchanged {measured} {now}{of_rows}, before {then}"
    than_guessing = beside_chance(after, task)
    if than_guessing and not any(than_guessing in reason for reason in reasons):
        right += f", which is {than_guessing}"
    if tuned is not None:
        right += f", trained on without feedback {on}{_percent(tuned)}"
    then_found = before.balanced(before.found_hits)
    now, then = (f"{on}{_percent(judged.balanced(judged.found_hits))}" for judged in (after, before))
    found = f"on the rows as they are {now}, before {then} ({plural(rows[0], 'row')}, {rows[1]})"
    if task.logits is None and then_found < task.chance - FAR_BELOW:
        found += "; as they are, the model was far worse than a constant: do its outputs have the unit of the labels?"
    why = f" ({'; '.join(reasons)})" if reasons else ""
    return f"{outcome[0].upper()}{outcome[1:]}{why}: {moved}; {right}; {found}."
