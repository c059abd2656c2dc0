"""Read recipes: TOML that says what a study is about and how its models are trained, corrected and measured."""

import inspect
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from corrigible.data.dataset import (
    Dataset,
    all_labels,
    as_dataset,
    class_names_of,
    labelled,
    require_different,
    shape_of,
)
from corrigible.data.kinds import KINDS
from corrigible.errors import DataError, RecipeError, unknown
from corrigible.explanations import EXPLAINERS
from corrigible.explanations.explaining import SHARED_SETTINGS
from corrigible.folders import require_plain
from corrigible.methods import method_named, settings_of, with_settings
from corrigible.metrics import METRICS
from corrigible.models import MODELS
from corrigible.models.modes import PrivateRandomness
from corrigible.protocols.baselines import Baseline
from corrigible.protocols.schedule import MOST, Schedule, require_range
from corrigible.protocols.written import written_augment, written_for_training, written_penalties

RECIPE_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """How predictions are explained."""

    method: str = "input_gradient"
    split: str = "test"
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What is measured, on which rows."""

    split: str = "test"
    metrics: tuple[str, ...] = ("accuracy", "flip_rate", "attribution_overlap", "expected_calibration_error")
    num_donors: int = 50
    num_resamples: int = 1000
    """Number of resamples of the rows, for the intervals."""

    def __post_init__(self) -> None:
        require_range(self, "num_donors", 1, MOST)
        require_range(self, "num_resamples", 0, MOST)


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
    explain: Explanation
    evaluate: Evaluation

    @staticmethod
    def parse(text: str) -> "Recipe":
        """Read a recipe.

        Raises:
            RecipeError: the text is not TOML, has a newer format, or names something unknown.
        """
        return _parse(text)


def _parse(text: str) -> Recipe:
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError also for numbers of thousands of digits.
        raise RecipeError(f"recipe.toml is not valid TOML: {error}") from error
    _check_keys(content)
    data, model = dict(content["data"]), dict(content["model"])
    is_default = "penalty" not in content and "augment" not in content
    penalties = None if is_default else written_penalties(content.get("penalty", []))
    augment = None if is_default else written_augment(content.get("augment", []))
    train = dict(content.get("train", {}))
    train_augment, train_penalties = written_for_training(train.pop("augment", []), train.pop("penalty", []))
    kind = data.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise RecipeError(f"[data] {unknown('kind', str(kind), KINDS)}")
    if not isinstance(data.get("source", ""), str):
        raise RecipeError(f"[data]: source is {data['source']!r}; expected module:function")
    if not isinstance(model.get("name"), str):
        raise RecipeError(f"[model] has no name; expected one of {', '.join(MODELS)} or module:function")
    return Recipe(
        text=text,
        title=content.get("title", ""),
        notes=_notes(content.get("notes", [])),
        seed=content.get("seed", 0),
        validation_split=content.get("validation_split", ""),
        kind=kind,
        source=data.pop("source", None),
        data=data,
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
    )


_EXPECTED: dict[str, type] = {
    "format": int,
    "title": str,
    "notes": list,
    "seed": int,
    "validation_split": str,
    "data": dict,
    "model": dict,
    "train": dict,
    "correct": dict,
    "augment": list,
    "penalty": list,
    "baseline": list,
    "explain": dict,
    "evaluate": dict,
}


def _check_keys(content: Mapping[str, Any]) -> None:
    version = content.get("format")
    if isinstance(version, int) and not 1 <= version <= RECIPE_FORMAT:
        raise RecipeError(
            f"recipe format {version}; this version reads 1 to {RECIPE_FORMAT}: upgrade corrigible if it is newer"
        )
    for name, value in content.items():
        if name not in _EXPECTED:
            raise RecipeError(unknown("part of a recipe", name, _EXPECTED))
        if type(value) is not _EXPECTED[name]:
            raise RecipeError(f"{name} is {value!r}; expected a {_WORDS[_EXPECTED[name]]}")
        if name in ("augment", "penalty", "baseline") and not all(isinstance(entry, dict) for entry in content[name]):
            raise RecipeError(f"{name} is {value!r}; expected tables, written [[{name}]]")
    for name in ("format", "data", "model"):
        if name not in content:
            raise RecipeError(f"the recipe has no {name}; expected format = {RECIPE_FORMAT}, [data] and [model]")
    if not 0 <= content.get("seed", 0) < 2**31:
        raise RecipeError(f"seed is {content['seed']}; expected a number from 0 to {2**31 - 1}")


_WORDS: dict[type, str] = {int: "whole number", str: "text", dict: "table, written [name]", list: "list"}


def _notes(notes: list[Any]) -> tuple[str, ...]:
    if not all(isinstance(note, str) for note in notes):
        raise RecipeError(f"notes is {notes!r}; expected a list of texts")
    return tuple(notes)


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


def _explanation(content: Mapping[str, Any]) -> Explanation:
    named = {name: content[name] for name in ("method", "split") if name in content}
    settings = {name: value for name, value in content.items() if name not in named}
    explanation: Explanation = _section(Explanation, named, "[explain]")
    method = method_named(explanation.method, EXPLAINERS, "explainer")
    for name in settings:
        if name in SHARED_SETTINGS:
            own = set(settings_of(method)) - set(SHARED_SETTINGS)
            raise RecipeError(f"explainer {explanation.method!r}: {unknown('setting', name, own)}")
    with_settings(method, settings, f"explainer {explanation.method!r}")
    return Explanation(method=explanation.method, split=explanation.split, settings=settings)


def _evaluation(content: Mapping[str, Any]) -> Evaluation:
    metrics = content.get("metrics", list(Evaluation().metrics))
    if not isinstance(metrics, list) or not all(isinstance(name, str) for name in metrics):
        raise RecipeError(f"[evaluate]: metrics is {metrics!r}; expected a list of names")
    for name in metrics:
        method_named(name, METRICS, "metric")
    return _section(Evaluation, {**content, "metrics": tuple(metrics)}, "[evaluate]")  # type: ignore[no-any-return]


def load_data(recipe: Recipe, folder: Any, split: str) -> Dataset:
    """The rows of one split, with their labels in memory, from the recipe's function or the study's ``data`` folder.

    Raises:
        DataError: files that are missing, corrupt or of the wrong form.
        RecipeError: a setting that the loading function does not have.
    """
    if recipe.source is None:
        load = complete(KINDS[recipe.kind].load, recipe.data, "[data]")
        loaded = load(folder / "data", _plain(split))
    else:
        load = complete(method_named(recipe.source, {}, "data source"), recipe.data, "[data]")
        loaded = load(split)
    try:
        return labelled(as_dataset(loaded))
    except DataError as error:
        raise DataError(f"split {split!r}: {error}") from error


def _plain(split: str) -> str:
    try:
        require_plain(split)
    except ValueError as error:
        raise DataError(f"cannot load this split: {error}") from error
    return split


def model_facts(data: Dataset) -> dict[str, int]:
    """Facts about the data by name; a model's function gets those that its arguments name."""
    y = all_labels(data)
    require_different(data)
    shape = shape_of(data)
    num_classes = max(len(class_names_of(data)), int(y.max()) + 1)
    sizes = {"channels": shape[0], "inputs": math.prod(shape), "columns": shape[-1], "dimension": shape[-1]}
    return {**sizes, "num_classes": num_classes}


def build_model(recipe: Recipe, facts: Mapping[str, int], seed: int) -> nn.Module:
    """The recipe's network with fresh weights.

    Raises:
        RecipeError: an unknown model or setting, or settings that the model refuses.
    """
    function = with_settings(
        method_named(recipe.model, MODELS, "model"), recipe.model_settings, f"model {recipe.model!r}"
    )
    wanted = inspect.signature(function).parameters
    given = {name: value for name, value in facts.items() if name in wanted}
    try:
        with PrivateRandomness(seed):
            model = function(**given)
    except (TypeError, ValueError, RuntimeError) as error:
        asked = {**given, **recipe.model_settings}
        raise RecipeError(
            f"model {recipe.model!r} cannot be built from {asked} ({error}); check its settings"
        ) from error
    if not isinstance(model, nn.Module):
        raise RecipeError(f"model {recipe.model!r} gave a {type(model).__name__}; expected a torch.nn.Module")
    return model
