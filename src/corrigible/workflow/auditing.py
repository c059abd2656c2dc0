"""The verb ``audit``: a study's latest model on its test rows, or any function on the rows of a file."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from torch import nn

from corrigible.auditing.audited import Audit
from corrigible.auditing.auditor import audit as audited
from corrigible.data.dataset import TensorData, all_rows, task_of
from corrigible.data.original_rows import frame_of_rows, rows_of_frame
from corrigible.data.protocol import class_named, class_names_of
from corrigible.errors import DataError, RecipeError, StudyError
from corrigible.files import MOST_ROWS, opened
from corrigible.models.devices import device_named
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.predictive import all_outputs
from corrigible.named_functions import function_named
from corrigible.printable import plural
from corrigible.recipe import load_data
from corrigible.recipe_keys import content_of
from corrigible.study import Study, open_study
from corrigible.types import Task
from corrigible.workflow.after_audit import after_audit, marked_columns
from corrigible.workflow.audited_attributes import attributes_of
from corrigible.workflow.looking_records import Audited
from corrigible.workflow.making import load_model
from corrigible.workflow.records import Finished

PAGE_FILE = "audit.html"
FACTS_FILE = "audit.json"
TASKS = ("classes", "ordered_classes", "amounts", "counts", "positive_amounts")
"""Whose prediction is one class or one number."""


def audit(
    place: Path,
    *,
    model: str = "",
    target: str = "",
    groups: Sequence[str] = (),
    exposure: str = "",
    forbidden: Sequence[str] = (),
    rising: Sequence[str] = (),
    falling: Sequence[str] = (),
    run: str | None = None,
    seed: int | None = None,
    device: str = "cpu",
) -> Iterator[Audited | Finished]:
    """Audit the model of a study on the rows that it is evaluated on, or a function on the rows of a file.

    Args:
        place: a study, or a CSV or Parquet file.
        model: of a file, ``module:function``: a function of a frame, as `corrigible.audit` takes it.
        target, exposure: of a file, the columns of labels and of exposure, which the function does not see.
        groups: sensitive attributes; of a study beside that of the recipe.
        rising, falling: columns with which predictions must not fall, or must not rise.

    Raises:
        RecipeError: options that belong to the other kind of place, or columns that are not there.
        DataError: rows that cannot be read, or that no audit reads.
    """
    if both := sorted(set(rising) & set(falling)):
        raise RecipeError(f"{both[0]!r} is given for --rising and for --falling; expected one of them")
    stated = {"forbidden": tuple(forbidden), "directions": {**dict.fromkeys(rising, 1), **dict.fromkeys(falling, -1)}}
    if not (place.exists() or place.suffix) and (model or target or exposure):
        raise DataError(f"there is no file {place}; expected a CSV or Parquet file for --model and --target")
    if place.is_dir() or not (place.exists() or place.suffix):
        if model or target or exposure:
            raise RecipeError(
                "--model, --target and --exposure are of a file; a study's recipe says them: leave them out"
            )
        yield from _of_study(open_study(place), tuple(groups), stated, run=run, seed=seed, device=device)
        return
    if not model or not target:
        raise RecipeError(f"{place} is a file; expected --model module:function and --target, the column of labels")
    if run:
        raise RecipeError("--run is of a study; leave it out")
    found = _of_file(place, model, target, groups, exposure, stated, seed or 0)
    page = found.save(Path.cwd() / f"{place.stem}-{PAGE_FILE}", title=f"Audit of {model} on {place.name}")
    yield from _records(found)
    yield Finished("audit", str(page), result=_result(found))


def _of_file(
    path: Path, model: str, target: str, groups: Sequence[str], exposure: str, stated: Mapping[str, Any], seed: int
) -> Audit:
    frame = _read(path)
    _require_columns(path, frame, {"--target": [target], "--exposure": [exposure] * bool(exposure), "--group": groups})
    features = frame.drop(columns=[name for name in (target, exposure) if name])
    return audited(
        function_named(model, "model"),
        features,
        frame[target],
        sensitive_features=features[list(groups)] if groups else None,
        exposure=frame[exposure] if exposure else None,
        seed=seed,
        **stated,
    )


def _require_columns(path: Path, frame: pd.DataFrame, named: Mapping[str, Sequence[str]]) -> None:
    """Each option names columns of the file, and none that another one names."""
    by: dict[str, str] = {}
    for option, names in named.items():
        for name in names:
            if name not in frame.columns:
                raise RecipeError(f"{option}: {path.name} has no column {name!r}; it has {', '.join(frame.columns)}")
            if name in by:
                raise RecipeError(f"{option}: column {name!r} is that of {by[name]} already; expected another one")
            by[name] = option


def _read(path: Path) -> pd.DataFrame:
    try:
        with opened(path, most=MOST_ROWS) as file:
            found = pd.read_parquet(file) if path.suffix in (".parquet", ".pq") else pd.read_csv(file)
    except (OSError, ValueError, ImportError) as error:
        raise DataError(f"cannot read {path} ({error}); expected a CSV or Parquet file with a header") from error
    found.columns = found.columns.map(str)
    if len(found.columns) == 1:
        raise DataError(f"{path} has one column, {found.columns[0]!r}; expected several, which a CSV divides by commas")
    return found


def _of_study(
    study: Study, groups: tuple[str, ...], stated: Mapping[str, Any], *, run: str | None, seed: int | None, device: str
) -> Iterator[Audited | Finished]:
    recipe = study.recipe
    seed = recipe.seed if seed is None else seed
    source = study.run_named(run) if run else study.latest("train", "correct")
    split = recipe.evaluate.split
    data = all_rows(load_data(recipe, study.folder, split))
    frame = _frame(data)
    asked = {"groups": list(groups), **stated}
    with study.new_run("audit", parent=source.name, seed=seed, device=device, split=split, asked=asked) as draft:
        network = load_model(source, recipe).to(device_named(device))
        attributes = attributes_of(data, frame, groups, recipe.data.get("group", "group"))
        task = task_of(data)
        found = audited(
            _model(network, data, task),
            frame,
            _labels(data, task),
            sensitive_features=attributes,
            exposure=_exposure(data, task),
            causes=content_of(study.recipe_text).get("causes"),
            seed=seed,
            **stated,
        )
        title = f"Audit of {source.name}: {recipe.title or study.folder.name}"
        found.save(draft.folder / PAGE_FILE, title=title)
        draft.write_json(FACTS_FILE, [dataclasses.asdict(part) for part in found.sections])
    yield from _records(found)
    assert draft.published is not None
    page = str(draft.published / PAGE_FILE)
    following = after_audit(found, study.folder, marked_columns(study), is_corrected=source.verb == "correct")
    yield Finished("audit", str(draft.published), page, _result(found), following)


def _frame(data: TensorData) -> pd.DataFrame:
    task = task_of(data)
    if data.columns is None:
        raise StudyError('the rows have no named columns; an audit reads tables: expected [data] kind = "table"')
    if task.name not in TASKS:
        raise StudyError(f"an audit reads one class or number per row; the task is {task.name!r}: expected one of "
                         f"{', '.join(TASKS)}")  # fmt: skip
    return frame_of_rows(data.x, data.columns)


def _model(network: nn.Module, data: TensorData, task: Task) -> Any:
    """The network as a model of frames."""
    columns = data.columns
    assert columns is not None

    def asked(frame: pd.DataFrame) -> Any:
        x = like_parameters(rows_of_frame(frame, columns), network)
        with evaluating(network), torch.no_grad():
            observed = task.observed(all_outputs(network, x, task=task).cpu().double())
        return (observed["predicted"] if task.logits is None else observed["probs"]).numpy()

    if task.logits is None:
        return _OfAmounts(asked, task)
    count = task.observed(all_outputs(network, like_parameters(data.x[:1], network), task=task))["probs"].shape[1]
    names = tuple(class_named(place, class_names_of(data)) for place in range(count))
    return SimpleNamespace(predict_proba=asked, predict=asked, classes_=names)


class _OfAmounts(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A function of a frame as a regressor, whose answers are amounts whatever the labels are."""

    def __init__(self, asked: Callable[[pd.DataFrame], Any], task: Task) -> None:
        self.asked = asked
        self.task = task

    @property
    def _labels_mean(self) -> Task:
        return self.task

    def predict(self, frame: pd.DataFrame) -> Any:
        return self.asked(frame)


def _labels(data: TensorData, task: Task) -> "pd.Series[Any]":
    if task.logits is None:
        return pd.Series(data.y.double().numpy(), name="the label")
    names = class_names_of(data)
    return pd.Series([class_named(label, names) for label in data.y.tolist()], name="the label", dtype=object)


def _exposure(data: TensorData, task: Task) -> Any:
    held = data.extra.get("exposure")
    return None if held is None or "exposure" not in task.extra else held.double().numpy().astype(np.float64)


def _records(found: Audit) -> Iterator[Audited]:
    for part in found.sections:
        if part.not_measured:
            yield Audited(part.title, f"not measured: {part.not_measured}", is_first=True)
        for place, finding in enumerate(part.findings):
            yield Audited(part.title, finding.text, finding.is_concern, is_first=place == 0)


def _result(found: Audit) -> str:
    if not found.num_concerns:
        return "no finding is a concern; look at what was not measured"
    verb = "is a concern" if found.num_concerns == 1 else "are concerns"
    return f"{plural(found.num_concerns, 'finding')} {verb}: look at each before the model is used"
