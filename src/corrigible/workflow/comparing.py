"""The verb ``compare``: several methods on the same feedback, one table and one plot.

Each method is a run of its own, so an interrupted comparison continues with the next method; the last run holds the
table. Methods are ranked by swap score, never by measurements on the evaluation's rows.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from torch import nn

from corrigible.augment import AUGMENTS
from corrigible.comparison import spoken, titled, unit_of
from corrigible.data.dataset import task_of
from corrigible.data.protocol import Dataset
from corrigible.declarations import declaration_of
from corrigible.errors import FeedbackError, RecipeError, unknown
from corrigible.evaluation import measure
from corrigible.feedback.masks import Marks, marks_of
from corrigible.figures import number, short_number
from corrigible.folders import write_atomically
from corrigible.html_table import table_html
from corrigible.models.devices import device_named
from corrigible.models.weights import save_weights
from corrigible.penalties import PENALTIES
from corrigible.plots.method_scatter import MethodResult, method_scatter
from corrigible.plots.page import page
from corrigible.progress import begun
from corrigible.protocols.comparisons.comparing import (
    CANNOT_BE_APPLIED,
    WITHOUT_FEEDBACK,
    Candidate,
    candidate,
    compared_metrics,
    methods_for,
    num_epochs,
)
from corrigible.protocols.comparisons.step_costs import step_costs
from corrigible.protocols.corrections.defaults import default_method
from corrigible.protocols.corrections.trials import short
from corrigible.protocols.corrections.weight import MOST_TRIALS
from corrigible.protocols.schedule import accuracy_on
from corrigible.recipe import load_data, metrics_of
from corrigible.study import Run, Study, open_study
from corrigible.types import Feedback, Task
from corrigible.workflow.backgrounds import with_background
from corrigible.workflow.compared_gaps import frontier_of
from corrigible.workflow.forgotten import training
from corrigible.workflow.making import load_model, logged, training_feedback, validation_rows
from corrigible.workflow.measuring import feedback_about, gathered
from corrigible.workflow.next_steps import next_steps
from corrigible.workflow.records import Ahead, Finished, MethodCompared, Record, Started
from corrigible.workflow.results import compared_in_words
from corrigible.workflow.study_problems import with_hash
from corrigible.workflow.task_words import words_of
from corrigible.workflow.tries import tried
from corrigible.workflow.verdicts import FAILED

OUTCOME_CELL = Markup('<span style="display: block; text-align: left; white-space: nowrap; {}">{}</span>')
WIDE = Markup('<div style="overflow-x: auto">{}</div>')
ALL = "all"
COLUMNS = ("swap_score", "swapped_accuracy", "accuracy", "worst_class_accuracy", "attribution_overlap", "flip_rate")
ABOUT = (
    "Each method corrected the same model with the same feedback. They are ranked by swap score, the mean "
    "log-likelihood of the label when marked inputs hold other rows' values, on rows whose marks taught no method; "
    "those that failed come after those that did not. All else is measured on the rows of the evaluation."
)


@dataclass(frozen=True)
class _Setting:
    """The setting that all methods of one comparison share."""

    study: Study
    trained: Run
    data: Dataset
    feedback: list[Feedback]
    marks: Marks
    test: Dataset
    test_feedback: list[Feedback]
    record: Mapping[str, Any]
    device: str
    validation: Dataset | None

    def model(self) -> nn.Module:
        return load_model(self.trained, self.study.recipe).to(device_named(self.device))


def compare(
    folder: Path,
    *,
    methods: Sequence[str] = (),
    epochs: int | None = None,
    seed: int | None = None,
    device: str = "cpu",
) -> Iterator[Record]:
    """Correct the latest trained model with one method after another, and set what they reached side by side.

    Methods that were compared before, on the same model, feedback, recipe and seed, are not trained again.

    Args:
        methods: names of penalties or augmentations; "all" for every method that can use the feedback; empty for the
            default method of this feedback, which takes no longer than three corrections.
        epochs: in place of those of the recipe's [correct].

    Raises:
        RecipeError: a name that is neither.
        FeedbackError: no feedback, or none that a named method could use.
    """
    setting = _setting(tried(open_study(folder), "correct", epochs=epochs), seed, device)
    runs, reasons = {}, {}
    chosen = _chosen(methods, setting)
    yield _ahead(setting, chosen, is_default=not methods)
    for name, method in chosen.items():
        run = _finished(setting, name, method)
        if run is None:
            try:
                yield from _train(setting, name, method)
            except CANNOT_BE_APPLIED as error:
                reasons[name] = str(error)
                continue
            run = _finished(setting, name, method)
        assert run is not None
        runs[name] = run
    applied = {name: chosen[name] for name in runs}
    schedule = setting.study.recipe.correct
    begun("costs of a step")
    costs = step_costs(setting.model(), setting.data, setting.marks, applied, schedule, seed=setting.record["seed"])
    found = [_result(name, run, costs[name], task_of(setting.test)) for name, run in runs.items()]
    found.sort(key=_rank)
    found += [MethodCompared(name, note=reason) for name, reason in reasons.items()]
    yield from found
    yield from _publish(setting, runs, found)


def _ahead(setting: _Setting, chosen: Mapping[str, Mapping[str, Any]], *, is_default: bool) -> Ahead:
    """A run for each method that was not compared before."""
    names = [name for name, method in chosen.items() if _finished(setting, name, method) is None]
    schedule, seed = setting.study.recipe.correct, setting.record["seed"]
    epochs = num_epochs(setting.data, setting.feedback, setting.validation, schedule, seed)
    notes = []
    if is_default:
        others = [name for name in methods_for(setting.marks, setting.data) if name not in chosen]
        more = f"--only NAME for others ({', '.join(others[:3])}, …), --only all for all {len(others)}"
        notes += [more] if others else []
    if any("auto" in method.values() for method in chosen.values()):
        notes.append(f"a penalty takes up to {MOST_TRIALS} trials of {short(schedule).epochs} epochs more")
    return Ahead("compare", tuple(names), (epochs,) * len(names), "; ".join(notes))


def _setting(study: Study, seed: int | None, device: str) -> _Setting:
    recipe, trained = study.recipe, study.latest("train")
    seed = recipe.seed if seed is None else seed
    known, test = training(study), load_data(recipe, study.folder, recipe.evaluate.split)
    feedback, revision = training_feedback(study)
    data, feedback = known.rows, known.about_kept(feedback)
    test_feedback, _ = feedback_about(study, recipe.evaluate.split)
    record = {"parent": trained.name, "seed": seed, "feedback_revision": revision, "facts": trained.record["facts"]}
    marks = marks_of(feedback, data)
    return _Setting(study, trained, data, feedback, marks, test, test_feedback, record, device, validation_rows(study))


def _chosen(methods: Sequence[str], setting: _Setting) -> dict[str, dict[str, Any]]:
    known = [name for name, method in {**PENALTIES, **AUGMENTS}.items() if declaration_of(method).serves]
    served = methods_for(setting.marks, setting.data)
    if tuple(methods) == (ALL,):
        return {WITHOUT_FEEDBACK: {}, **served}
    for name in methods:
        if name not in known:
            raise RecipeError(unknown("method that feedback serves", name, known))
    for name in methods:
        if name not in served:  # Checked before anything is trained.
            raise FeedbackError(f"{name} has no use for this feedback; it serves {', '.join(served) or 'no method'}")
    named = {name: served[name] for name in methods} or _default(setting)
    return {WITHOUT_FEEDBACK: {}, **named}


def _default(setting: _Setting) -> dict[str, dict[str, Any]]:
    """The default method, and the first part of it alone if it has several."""
    method = default_method(setting.data, setting.marks)
    parts = {**method.augment, **{name: settings["weight"] for name, settings in method.penalties.items()}}
    first = next(iter(parts))
    return {first: {first: parts[first]}, " and ".join(parts): parts}


def _finished(setting: _Setting, name: str, method: Mapping[str, Any]) -> Run | None:
    """The earlier run of this method in the same setting; None if there is none."""
    asked = {"options": dict(setting.study.options) or None, "recipe": setting.study.recipe.text}
    wanted = {**setting.record, "label": name, "method": method, **asked}
    same = (run for run in setting.study.runs() if run.verb == "compare")
    return next((run for run in same if all(run.record.get(key) == value for key, value in wanted.items())), None)


def _train(setting: _Setting, name: str, method: Mapping[str, Any]) -> Iterator[Record]:
    study, recipe, seed = setting.study, setting.study.recipe, setting.record["seed"]
    yield Started("compare", name, len(setting.data), len(setting.marks.reviewed_rows(setting.data)))
    with study.new_run("compare", label=name, method=method, device=setting.device, **setting.record) as draft:
        corrected = candidate(
            setting.model(),
            setting.data,
            setting.feedback,
            method=method,
            schedule=recipe.correct,
            validation=setting.validation,
            watch=None if setting.validation is None else accuracy_on(setting.validation),
            seed=seed,
        )
        found: Candidate = yield from logged(draft, corrected)
        save_weights(found.model, draft.folder / "weights.safetensors")
        draft.record["swap_score"] = found.swap_score
        task = task_of(setting.test)
        metrics = tuple(dict.fromkeys([*compared_metrics(task), *metrics_of(recipe, setting.test)]))
        observations = gathered(with_background(study), found.model, setting.test, setting.test_feedback, metrics, seed)
        measurements = measure(observations, metrics, num_resamples=recipe.evaluate.num_resamples, seed=seed)
        draft.write_json("measurements.json", [dataclasses.asdict(measurement) for measurement in measurements])
    yield Finished("compare", str(draft.published))


def _rank(result: MethodCompared) -> tuple[bool, float]:
    """Sort key: the best swap score first, and failed methods after all others."""
    return result.outcome == FAILED, -result.swap_score if result.swap_score is not None else 0.0


def _result(name: str, run: Run, step_cost: float, task: Task) -> MethodCompared:
    run.require_unchanged()
    measured = {m["metric"]: m for m in run.read("measurements.json") if not m["part"]}
    values: dict[str, Any] = {metric: measured[metric]["value"] for metric in compared_metrics(task)}
    if task.name == "classes":
        values |= {end: measured["swapped_accuracy"][end] for end in ("low", "high")}
    else:
        values = {"measured": values, "unit": words_of(task, ()).unit}
    facts = {"weights": run.record.get("weights", {}), "outcome": run.record.get("verdict", {}).get("outcome", "")}
    score = run.record["swap_score"]
    return MethodCompared(name, run.name, swap_score=score, **values, step_cost=step_cost, **facts)


def _publish(setting: _Setting, runs: Mapping[str, Run], found: Sequence[MethodCompared]) -> Iterator[Finished]:
    names = [run.name for run in runs.values()]
    with setting.study.new_run("comparison", models=names, **setting.record) as draft:
        draft.write_json("comparison.json", [dataclasses.asdict(result) for result in found])
    shown = [
        MethodResult(spoken(m.method), m.swapped_accuracy, m.low, m.high, m.attribution_overlap, m.step_cost)
        for m in found
    ]
    parts: dict[str, Any] = {"What each method reached": WIDE.format(table_html(*_table(found)))}
    if any(m.accuracy is not None and m.overlap is not None for m in shown):
        parts["Accuracy without the confounder against reliance on it"] = method_scatter(shown)
    if (gaps := frontier_of(runs, task_of(setting.test))) is not None:
        parts["Quality against each gap between groups"] = gaps
    target = setting.study.folder / "comparison.html"
    title = f"Methods compared: {setting.study.recipe.title or setting.study.folder.name}"
    page({"How to read this": Markup("<p>{}</p>").format(ABOUT), **parts}, title=title, path=target)
    write_atomically(target, with_hash(target.read_bytes()))
    yield Finished("compare", str(draft.published))
    best = next((one.method for one in found if one.swap_score is not None and one.outcome != FAILED), "")
    steps = next_steps(setting.study.folder, "compare", best=best)
    yield Finished("compare", str(target), result=compared_in_words(found), next=steps)


def _table(found: Sequence[MethodCompared]) -> tuple[list[str], list[list[str]]]:
    others = list(dict.fromkeys(name for result in found for name in result.measured))
    columns = ("swap_score", *others) if others else COLUMNS
    titles = [titled(column, unit_of(column, found[0].unit)) for column in columns]
    header = ["method", OUTCOME_CELL.format("", "outcome"), *titles, "step cost", "weight", "note"]
    rows = []
    for result in found:
        values = [result.measured.get(column, getattr(result, column, None)) for column in columns]
        cells = ["" if value is None else number(value) for value in values]
        cost = "" if result.step_cost is None else f"{result.step_cost:.2f} ×"
        weights = ", ".join(short_number(weight) for weight in result.weights.values())
        mark = Markup("color: #b3261e; font-weight: 650") if result.outcome == FAILED else ""
        outcome = OUTCOME_CELL.format(mark, result.outcome)
        rows.append([spoken(result.method), outcome, *cells, cost, weights, result.note])
    return header, rows
