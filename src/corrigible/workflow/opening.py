"""The opening of a report: whether the model now does what was asked, for readers who do not program."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from corrigible.comparison import IN_UNIT, spoken
from corrigible.figures import percent
from corrigible.protocols.corrections.verdict import KEPT
from corrigible.reporting import Opening, ReportedModel
from corrigible.types import Features, Feedback, Measurement, Phrase
from corrigible.workflow.task_words import OF_CLASSES_ALONE, TaskWords, plain
from corrigible.workflow.verdicts import FAILED

TASK = (
    *("accuracy", "auc", "f1", "precision", "recall"),
    *("worst_class_accuracy", "macro_group_accuracy", "worst_group_accuracy"),
    *("r2", "deviance_explained", "label_accuracy", "exact_match", "macro_f1", "macro_auc"),
    *("pair_accuracy", "quadratic_kappa", "gini", "spearman"),
)
"""Metrics of how well the model does its task; higher is better for each."""
RELIANCE = ("attribution_overlap", "flip_rate", "flip_effect", "mean_shift")
STILL, ON_MARKED = 0.01, 0.02
"""Below this flip rate hardly a prediction moves; above this share attributions visibly lie on what was marked."""
MOST_NAMED = 3
GLOSS = {
    "auc": " (0.5 is guessing, 1 is perfect)",
    "accuracy": " (the share of rows predicted right)",
    "r2": " (the share of the variance explained; 1 is perfect)",
    "spearman": " (0 is guessing, 1 is the right order)",
}
MARKED = "what was marked"
FINE_TUNED = "after training on for as long without feedback"
WHAT_TO_TRY = (
    "What to try: check that what was marked is not what shows the label, and mark more rows; let “corrigible compare” "
    "look for a method that works here; or give [correct] in the recipe more epochs or a lower learning rate."
)


@dataclass(frozen=True)
class Change:
    """One metric over all rows, before and after the correction, and for the baselines."""

    metric: str
    before: float
    after: float
    low: float | None
    """Ends of the 95 % interval of the change."""
    high: float | None
    fine_tuned: float | None
    masked: float | None

    @property
    def direction(self) -> Literal["rose", "fell", "did not clearly change", ""]:
        """The direction; empty if it is unknown, or if training on without feedback changed the metric as much."""
        if figure(self.before) == figure(self.after):
            return "did not clearly change"
        if self.low is None or self.high is None:
            return ""
        if self.low <= 0 <= self.high:
            return "did not clearly change"
        is_up = self.after > self.before
        if self.fine_tuned is not None and (self.fine_tuned - self.after) * (1 if is_up else -1) > -0.0005:
            return ""
        return "rose" if is_up else "fell"


def changes_of(
    models: Sequence[ReportedModel], baselines: Sequence[str], changes: Sequence[Measurement]
) -> list[Change]:
    """The measured changes of all rows from the first model to the second.

    Args:
        baselines: the name of each model's baseline as recipes have it; empty for the first two.
    """
    values = [{m.metric: m.value for m in model.measurements if not m.part} for model in models]

    def reached(baseline: str, metric: str) -> float | None:
        found = (of_model.get(metric) for name, of_model in zip(baselines, values, strict=True) if name == baseline)
        return next(found, None)

    found = []
    for change in changes:
        if not change.part and change.value is not None:
            before, after = (float(of_model[change.metric]) for of_model in values[:2])  # type: ignore[arg-type]
            made = (reached(name, change.metric) for name in ("fine_tuned", "masked_inputs"))
            found.append(Change(change.metric, before, after, change.low, change.high, *made))
    return found


def opening(
    verdict: Mapping[str, Any],
    changes: Sequence[Change],
    feedback: Sequence[Feedback],
    class_names: Sequence[str],
    words: TaskWords = OF_CLASSES_ALONE,
) -> Opening:
    """The outcome, what was asked, and the effect on the task."""
    is_failed = verdict["outcome"] == FAILED
    thing = _thing(feedback)
    sentences = [_why_failed(verdict)] if is_failed else []
    sentences.append(_asked(verdict, changes, feedback, words.prediction(class_names), words))
    sentences.append(_task(verdict, changes, thing, words))
    if not is_failed and verdict["as_found_after"] < verdict["as_found_before"] - KEPT:
        sentences.append(_as_found(verdict, thing, words))
    return Opening(verdict["outcome"], (*sentences, *([WHAT_TO_TRY] if is_failed else [])))


def moved(shifts: Sequence[Mapping[str, Any]], words: TaskWords = OF_CLASSES_ALONE) -> Iterator[str]:
    """A sentence for each region that the corrected model relies on more than before, for a person to judge."""
    for shift in shifts:
        region = f"{shift['region'][0].upper()}{shift['region'][1:]}"
        now = f"the model is right on {percent(shift['after'])} of rows, before on {percent(shift['before'])}"
        if words.name != "classes":
            now = f"the {words.quality} is {percent(shift['after'])}, before {percent(shift['before'])}"
        yield f"{region} matters more than before: with other rows’ values there {now}. Should it?"


def details(
    verdicts: Sequence[Mapping[str, Any]], changes: Sequence[Change], words: TaskWords = OF_CLASSES_ALONE
) -> Iterator[str]:
    """One sentence per verdict, the decisive one first, and one per metric, those about reliance first."""
    for verdict in verdicts[:1]:
        yield _judged(verdict, words)
    for verdict in verdicts[1:]:
        if verdict["outcome"] != verdicts[0]["outcome"]:
            yield f"On {verdict['where']} rows: {verdict['sentence']}"
    yield from disagreement(changes)
    for change in sorted(changes, key=lambda change: change.metric not in RELIANCE):
        name = spoken(change.metric)
        interval = ""
        if change.low is not None and change.high is not None:
            interval = f" (95\u00a0% interval of the change {_signed(change.low)} to {_signed(change.high)})"
        unit = f" {words.unit}" if words.unit and change.metric in IN_UNIT else ""
        before, after = figure(change.before) + unit, figure(change.after) + unit
        if change.direction in ("rose", "fell"):
            told = f"{change.direction} from {before} to {after}{interval}"
        elif change.direction:
            told = f"{change.direction}: {before} before, {after} now{interval}"
        else:
            told = f"is {after} now, {before} before{interval}"
        shown = change.metric not in RELIANCE or not change.direction
        beside = "; ".join(["", *_baselines(change, unit=unit)]) if shown else ""
        yield f"{name[0].upper()}{name[1:]} {told}{beside}."


def disagreement(changes: Sequence[Change]) -> Iterator[str]:
    """A sentence where attributions still lie on what was marked, though changing that moves no prediction."""
    found = {change.metric: change for change in changes}
    shown, moved = found.get("attribution_overlap"), found.get("flip_rate") or found.get("flip_effect")
    if shown is None or moved is None or abs(moved.after) >= STILL:
        return
    if shown.after > ON_MARKED and shown.after >= 0.9 * shown.before:
        yield (
            f"These two seem to disagree: {percent(shown.after)} of the attribution lies on {MARKED} now "
            f"({percent(shown.before)} before), though changing it moves hardly any prediction. Attributions also show "
            "small effects on the score, which decide no prediction; for what the model goes by, trust the change."
        )


def _why_failed(verdict: Mapping[str, Any]) -> str:
    reasons = verdict.get("reasons", "")
    return f"Do not use the corrected model: {reasons}." if reasons else str(verdict["sentence"])


def _asked(
    verdict: Mapping[str, Any],
    changes: Sequence[Change],
    feedback: Sequence[Feedback],
    prediction: str,
    words: TaskWords,
) -> str:
    """The effect of changing the marked content; for a table, of flipping the features, if that was measured."""
    before, after = verdict["reliance_before"], verdict["reliance_after"]
    exchange, flip = _exchange(feedback), _flip(changes, feedback)
    if flip is not None and verdict["outcome"] != "no reliance found":
        before, after, exchange = flip.before, flip.after, f"Changing {_thing(feedback)}"
    if verdict["outcome"] == "no reliance found":
        exchange = f"There was hardly anything to correct: {exchange[0].lower()}{exchange[1:]}"
        first, second = words.moves(before, after)
        return f"{exchange} moved {prediction} by only {first} before the correction; now by {second}."
    first, second = words.moves(after, before)
    return f"{exchange} now moves {prediction} by {first}; before, by {second}."


def _exchange(feedback: Sequence[Feedback]) -> str:
    names, phrases = _named(feedback)
    if names:
        return f"Changing {names} to another row’s value"
    if phrases:
        return f"Putting {phrases} in or taking it out"
    if not any(said.polarity == "irrelevant" for said in feedback):
        return "Exchanging all that was not marked as relevant"
    return "Exchanging what was marked"


def _flip(changes: Sequence[Change], feedback: Sequence[Feedback]) -> Change | None:
    is_named = bool(_named(feedback)[0])
    return next((change for change in changes if is_named and change.metric == "flip_effect"), None)


def _thing(feedback: Sequence[Feedback]) -> str:
    names, phrase = _named(feedback)
    return names or phrase or MARKED


def _named(feedback: Sequence[Feedback]) -> tuple[str, str]:
    """The marked content in words: names of a table's features, or one phrase of a text; otherwise empty."""
    regions = [said.region for said in feedback if said.polarity == "irrelevant"]
    if regions and all(isinstance(region, Features) for region in regions):
        names = list(dict.fromkeys(name for region in regions for name in region.names))
        return (_listed(names) if len(names) <= MOST_NAMED else f"the {len(names)} marked features"), ""
    words = {" ".join(region.words) if isinstance(region, Phrase) else "" for region in regions}
    return "", f"“{words.pop()}”" if len(words) == 1 and words != {""} else ""


def _task(verdict: Mapping[str, Any], changes: Sequence[Change], thing: str, words: TaskWords) -> str:
    """The corrected model compared with the uncorrected one and the baselines, on the first metric about the task."""
    change = next((change for change in changes if change.metric in TASK), None)
    if change is None:
        return _exchanged(verdict, words)
    others = _listed([f"{figure(change.before)} before the correction", *_baselines(change, thing)])
    name = spoken(change.metric)
    now = f"{figure(change.after)}{GLOSS.get(change.metric, '')}"
    told = "is"
    if change.direction == "did not clearly change":
        told = "did not clearly change: it is"
    elif change.direction == "rose" or (change.direction == "fell" and verdict["outcome"] == FAILED):
        told = f"{change.direction} to"
    return f"{name[0].upper()}{name[1:]} {told} {now}; it was {others}."


def _baselines(change: Change, thing: str = MARKED, *, unit: str = "") -> list[str]:
    """The values of the baselines, if there are any."""
    found = {f"when retrained without {thing}": change.masked, FINE_TUNED: change.fine_tuned}
    return [f"{figure(value)}{unit} {how}" for how, value in found.items() if value is not None]


def _exchanged(verdict: Mapping[str, Any], words: TaskWords) -> str:
    others = [f"{percent(verdict['accuracy_before'])} before the correction"]
    if verdict["accuracy_fine_tuned"] is not None:
        others.append(f"{percent(verdict['accuracy_fine_tuned'])} {FINE_TUNED}")
    return f"With what was marked exchanged, {words.right(verdict['accuracy_after'])}; it was {_listed(others)}."


def _as_found(verdict: Mapping[str, Any], thing: str, words: TaskWords) -> str:
    before, after = (percent(verdict[f"as_found_{when}"]) for when in ("before", "after"))
    now = f"{after} are now predicted right and {before} were before"
    if words.name != "classes":
        now = f"the {words.quality} is now {after} and was {before} before"
    return f"On these rows as they are, {now}. That is expected where {thing} predicted the label on these rows."


def _judged(verdict: Mapping[str, Any], words: TaskWords) -> str:
    now, before = words.moves(verdict["reliance_after"], verdict["reliance_before"])
    equally = ", each class counting the same" if words.has_classes else ""
    moves = "the predicted chances" if words.name == "classes" else words.prediction(())
    told = (
        f"Judged on {verdict['num_rows']:,} {verdict['where']} rows{equally}: exchanging "
        f"what was marked moves {moves} by {now}; before, by {before}. {_exchanged(verdict, words)}"
    )
    if not words.has_classes:
        return told
    worst = f"“{verdict['worst_class']}”, on {percent(verdict['worst_class_accuracy'])} of its rows"
    return f"{told} Least often right is class {worst}."


def figure(value: float) -> str:
    """The value with three decimals, fewer if it is large."""
    return plain(value) if abs(value) >= 10 else f"{value:.3f}".replace("-", "−")


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + figure(value) if abs(value) >= 10 else f"{value:+.3f}".replace("-", "−")


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
