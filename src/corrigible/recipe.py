"""Read recipes: TOML that says what a study is about and how its models are trained, corrected and measured."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from corrigible.data.dataset import all_labels, as_dataset, labelled, rows_of, task_of
from corrigible.data.kinds import KINDS
from corrigible.data.labelling import labelled_as
from corrigible.data.protocol import Dataset, class_names_of
from corrigible.data.table_targets import require_classes, require_target
from corrigible.errors import DataError, RecipeError, unknown
from corrigible.explanations import EXPLAINERS
from corrigible.explanations.counterfactuals.written import WrittenChanges
from corrigible.explanations.explaining import SHARED_SETTINGS
from corrigible.folders import require_plain
from corrigible.intervals import MOST_RESAMPLES
from corrigible.methods import method_named, settings_of, with_settings
from corrigible.metrics import METRICS, gaps_of
from corrigible.models import MODELS
from corrigible.models.building import built
from corrigible.progress import begun
from corrigible.protocols.baselines.recipe_baseline import Baseline
from corrigible.protocols.schedule import Schedule, require_range
from corrigible.protocols.written import written_augment, written_for_training, written_penalties
from corrigible.recipe_keys import USUAL_EXPLAINER, content_of, labels_of, notes_of
from corrigible.tasks import TASKS, named_with_settings

METRICS_OF_CLASSES = ("accuracy", "flip_rate", "attribution_overlap", "expected_calibration_error")
"""What is measured for classes if the recipe does not say; for other tasks it is `Task.metrics`."""


@dataclass(frozen=True, kw_only=True)
class ExplainSettings:
    """How predictions are explained."""

    method: str = USUAL_EXPLAINER
    split: str = "test"
    settings: Mapping[str, Any] = field(default_factory=dict)


MOST_DONORS = 10**4
MOST_ATTACKED = 10**7


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What is measured, on which rows."""

    split: str = "test"
    metrics: tuple[str, ...] = ()
    """Empty for those of the task; see `metrics_of`."""
    num_donors: int = 50
    num_resamples: int = 1000
    """Number of resamples of the rows, for the intervals."""
    epsilon: float | None = None
    """How far attacks on the model may go: for images each input, in units of x; for a table what the changes of a row
    may cost together. None for 8/255 of the range of the inputs, and for 1."""
    num_attacked: int = 500
    """Rows that are attacked, drawn by the seed."""

    def __post_init__(self) -> None:
        require_range(self, "num_attacked", 1, MOST_ATTACKED)
        if self.epsilon is not None:
            require_range(self, "epsilon", 0.0, 1e9)
        require_range(self, "num_donors", 1, MOST_DONORS)
        require_range(self, "num_resamples", 0, MOST_RESAMPLES)


@dataclass(frozen=True)
class Recipe:
    """A parsed and checked recipe; ``text`` is what was written."""

    text: str
    title: str
    notes: tuple[str, ...]
    """What a reader of the report must not conclude."""
    seed: int
    validation_split: str
    """The split whose accuracy is watched and on which rules are judged; empty for none."""
    kind: str
    source: str | None
    data: Mapping[str, Any]
    task: Mapping[str, Any] | None
    """What the labels mean: {"name": …, setting: …}; None for classes, or for what the data source says."""
    model: str
    model_settings: Mapping[str, Any]
    train: Schedule
    train_augment: Mapping[str, Mapping[str, Any]]
    train_penalties: Mapping[str, Mapping[str, Any]]
    """Penalties of the training itself, which use no feedback."""
    correct: Schedule
    augment: Mapping[str, Mapping[str, Any]] | None
    """None, like ``penalties``, if the recipe names neither: then the default method for the data corrects."""
    penalties: Mapping[str, Mapping[str, Any]] | None
    baselines: tuple[Baseline, ...]
    explain: ExplainSettings
    evaluate: Evaluation
    labels: Mapping[str, str]
    """The words for columns, categories and classes, in place of their names."""
    counterfactuals: WrittenChanges = field(default_factory=WrittenChanges)
    """Which changes of a table's rows are allowed."""

    @staticmethod
    def parse(text: str) -> "Recipe":
        """Read a recipe.

        Raises:
            RecipeError: the text is not TOML, has a newer format, or names something unknown.
        """
        return _parse(text)


def _parse(text: str) -> Recipe:
    content = content_of(text)
    data, model = dict(content["data"]), dict(content["model"])
    is_default = "penalty" not in content and "augment" not in content
    penalties = None if is_default else written_penalties(content.get("penalty", []))
    augment = None if is_default else written_augment(content.get("augment", []))
    train = dict(content.get("train", {}))
    train_augment, train_penalties = written_for_training(train.pop("augment", []), train.pop("penalty", []))
    kind, source = _kind_and_source(data)
    task = _task(content.get("task"), kind, source, data)
    if not isinstance(model.get("name"), str):
        raise RecipeError(f"[model] has no name; expected one of {', '.join(MODELS)} or module:function")
    return Recipe(
        text=text,
        title=content.get("title", ""),
        notes=notes_of(content.get("notes", [])),
        seed=content.get("seed", 0),
        validation_split=content.get("validation_split", ""),
        kind=kind,
        source=source,
        data=data,
        task=task,
        model=model.pop("name"),
        model_settings=model,
        train=_section(Schedule, train, "[train]"),
        train_augment=train_augment,
        train_penalties=train_penalties,
        correct=_section(Schedule, content.get("correct", {}), "[correct]"),
        augment=augment,
        penalties=penalties,
        baselines=tuple(_section(Baseline, entry, "[[baseline]]") for entry in content.get("baseline", [])),
        explain=_explanation(content.get("explain", {})),
        evaluate=_evaluation(content.get("evaluate", {})),
        labels=labels_of(content.get("labels", {})),
        counterfactuals=_section(WrittenChanges, content.get("counterfactuals", {}), "[counterfactuals]"),
    )


def _kind_and_source(data: dict[str, Any]) -> tuple[str, str | None]:
    """The kind of data and the function that loads it, both taken out of ``[data]``."""
    kind, source = data.pop("kind", None), data.pop("source", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise RecipeError(f"[data] {unknown('kind', str(kind), KINDS)}")
    if source is not None and not isinstance(source, str):
        raise RecipeError(f"[data]: source is {source!r}; expected module:function")
    return kind, source


def _task(
    content: Mapping[str, Any] | None, kind: str, source: str | None, data: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """The checked part ``[task]``; None if the recipe has none."""
    if "task" in data and source is None:
        raise RecipeError(
            "[data]: unknown setting 'task'; say what the labels mean in a part of its own, [task] name = …"
        )
    if content is None:
        return None
    name = content.get("name")
    if not isinstance(name, str) or name not in TASKS:
        raise RecipeError(f"[task] {unknown('task', str(name), TASKS)}")
    named_with_settings(content)
    if source is None and name not in KINDS[kind].tasks:
        raise RecipeError(
            f"[task] {name!r} with files of kind {kind!r}, which hold one class per row; load the rows and their "
            'labels with a function of your own: [data] source = "my_module:load"'
        )
    return content


def _section(facts: type[Any], content: Mapping[str, Any], where: str) -> Any:
    """The dataclass made from one TOML table, with its keys and values checked."""
    filled = complete(facts, content, where)
    try:
        return filled()
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from error


def complete(function: Callable[..., Any], settings: Mapping[str, Any], where: str) -> Callable[..., Any]:
    """The function with these settings filled in.

    Raises:
        RecipeError: a setting that is unknown or of the wrong type, or a required one that is missing.
    """
    filled = with_settings(function, settings, where)
    for name, default in settings_of(function).items():
        if default is inspect.Parameter.empty and name not in settings:
            raise RecipeError(f"{where} has no {name}; expected {name} = …")
    return filled


def _explanation(content: Mapping[str, Any]) -> ExplainSettings:
    named = {name: content[name] for name in ("method", "split") if name in content}
    settings = {name: value for name, value in content.items() if name not in named}
    explanation: ExplainSettings = _section(ExplainSettings, named, "[explain]")
    method = method_named(explanation.method, EXPLAINERS, "explainer")
    for name in settings:
        if name in SHARED_SETTINGS:
            own = set(settings_of(method)) - set(SHARED_SETTINGS)
            raise RecipeError(f"explainer {explanation.method!r}: {unknown('setting', name, own)}")
    with_settings(method, settings, f"explainer {explanation.method!r}")
    return ExplainSettings(method=explanation.method, split=explanation.split, settings=settings)


def _evaluation(content: Mapping[str, Any]) -> Evaluation:
    metrics = content.get("metrics", [])
    if not isinstance(metrics, list) or not all(isinstance(name, str) for name in metrics):
        raise RecipeError(f"[evaluate]: metrics is {metrics!r}; expected a list of names")
    for name in metrics:
        method_named(name, METRICS, "metric")
    return _section(Evaluation, {**content, "metrics": tuple(metrics)}, "[evaluate]")  # type: ignore[no-any-return]


def metrics_of(recipe: Recipe, data: Dataset) -> tuple[str, ...]:
    """The metrics that the recipe names; otherwise those of the task.

    Of data with groups, a recipe that names no metric, or one difference between groups, gets all of these differences:
    closing one can open another.
    """
    task, named = task_of(data), recipe.evaluate.metrics
    found = named or (METRICS_OF_CLASSES if task.name == "classes" else task.metrics)
    if rows_of(data, torch.tensor([0])).group is None or (named and set(named).isdisjoint(gaps_of(task))):
        return found
    num_classes = len(class_names_of(data) or ()) or int(all_labels(data).max()) + 1
    return tuple(dict.fromkeys([*found, *gaps_of(task, num_classes)]))


def load_data(recipe: Recipe, folder: Any, split: str) -> Dataset:
    """The rows of one split, with their labels in memory, from the recipe's function or the study's ``data`` folder.

    The labels of all splits are read by the same task, with the facts that the training labels define, such as the
    scale of an amount. For that, rows of other tasks than classes are loaded beside the training rows.

    Raises:
        DataError: files that are missing, corrupt or of the wrong form.
        RecipeError: a setting that the loading function does not have.
    """
    split = _plain(split)
    begun(f"loading the {split} rows")
    if recipe.source is not None:
        load = complete(method_named(recipe.source, {}, "data source"), recipe.data, "[data]")
        return labelled_as(load, split, recipe.task)
    require_target(recipe.kind, recipe.data, folder / "data")
    load = complete(KINDS[recipe.kind].load, recipe.data, "[data]")
    if recipe.kind != "table":
        return labelled_as(lambda name: load(folder / "data", name), split, recipe.task)
    # A table reads the task's facts from its training rows, as it does the encoder's.
    loaded = load(folder / "data", split, task=recipe.task or "classes")
    try:
        return require_classes(labelled(as_dataset(loaded)), split, recipe.task)
    except DataError as error:
        raise DataError(f"split {split!r}: {error}") from error


def _plain(split: str) -> str:
    try:
        require_plain(split)
    except ValueError as error:
        raise DataError(f"cannot load this split: {error}") from error
    return split


def build_model(recipe: Recipe, facts: Mapping[str, Any], seed: int) -> nn.Module:
    """The recipe's network with fresh weights.

    Raises:
        RecipeError: an unknown model or setting, or settings that the model refuses.
    """
    return built(recipe.model, recipe.model_settings, facts, seed)
