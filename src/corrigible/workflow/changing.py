"""The verb ``counterfactuals``: which change of a row would give another prediction."""

import dataclasses
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from corrigible.arguments import whole_number
from corrigible.data.naming import class_number
from corrigible.data.protocol import class_names_of
from corrigible.data.shown_names import columns_in_words, tell_unused
from corrigible.data.swapping import some_rows
from corrigible.errors import DataError, FeedbackError
from corrigible.explanations.counterfactuals import Counterfactuals, Immutable, Schema, allowed_by, schema_of
from corrigible.explanations.counterfactuals.result_frame import name_beside
from corrigible.explanations.counterfactuals.wishes import wish_of
from corrigible.models.devices import device_named
from corrigible.recipe import load_data
from corrigible.study import Study, open_study
from corrigible.workflow.changed_rows import changes_of
from corrigible.workflow.looking_records import Changed
from corrigible.workflow.records import Finished
from corrigible.workflow.reviews.subject import Subject, subject_of
from corrigible.workflow.reviews.tables import columns_in
from corrigible.workflow.row_texts import outputs_of

NUM_ROWS = 20
"""Rows that are drawn if none is named."""
INSTEAD = {
    "image": "`corrigible propose` finds the regions on which a prediction rests",
    "text": "`corrigible explain` shows the words on which a prediction rests",
}


def counterfactuals(
    folder: Path,
    *,
    rows: Sequence[int] = (),
    split: str | None = None,
    run: str | None = None,
    k: int = 1,
    starts: int = 2,
    seed: int | None = None,
    device: str = "cpu",
    **wanted: Any,
) -> Iterator[Changed | Finished]:
    """Find small changes of rows of a table with which a run's model would predict something else.

    The constraints are those of the recipe's part [counterfactuals]. The run holds the changed rows in the columns and
    units of the table, and what was said of them.

    Args:
        rows: positions in the split; 20 rows without the wanted answer, drawn by the seed, if none is given.
        split: None for that of the recipe.
        k: how many changes of each row, each of another set of columns.
        starts: with how many first steps the search begins; more may find cheaper changes.
        wanted: see `settings_for`.

    Raises:
        StudyError: images or texts.
        FeedbackError: a row or class that is not there.
        RecipeError, DataError, UnsupportedModelError: as `corrigible.counterfactuals`.
    """
    study = open_study(folder)
    whole_number("k", k, least=1)
    subject = subject_in(study, run, seed=seed, device=device, split=split)
    split = split or study.recipe.counterfactuals.split
    settings = settings_for(study, subject, **wanted)
    index = _rows(subject, split, rows, settings)
    asked = {
        "rows": index,
        "k": k,
        "starts": starts,
        **{name: value for name, value in wanted.items() if value not in (None, "", ())},
    }
    origin = {"parent": subject.run, "seed": subject.seed, "device": device, "split": split, "asked": asked}
    with study.new_run("counterfactuals", **origin) as draft:
        found = changes_of(subject, subject.rows(split, index), k=k, starts=starts, **settings)
        records = _records(subject, found, split, index)
        frame = found.frame()
        frame[name_beside(found.schema, "row")] = np.repeat(index, k)
        frame.to_csv(draft.folder / "counterfactuals.csv", index=False)
        draft.write_json("counterfactuals.json", [dataclasses.asdict(record) for record in records])
    yield from records
    result = str(found).removeprefix("counterfactuals of ")
    yield Finished("counterfactuals", str(draft.published), result=result, next=_next(records, folder))


def subject_in(study: Study, run: str | None, *, seed: int | None, device: str, split: str | None = None) -> Subject:
    """The run's model, by default that of the latest, and the rows of a table.

    Raises:
        StudyError: images or texts.
    """
    recipe = study.recipe
    if recipe.kind in INSTEAD:
        raise DataError(
            f"this study holds {recipe.kind}s, and counterfactuals change columns of a table; {INSTEAD[recipe.kind]}"
        )
    source = study.run_named(run) if run else study.latest("train", "correct")
    subject = subject_of(study, source)
    split = split or recipe.counterfactuals.split
    data = subject.data if split in subject.data else {**subject.data, split: load_data(recipe, study.folder, split)}
    model = subject.model.to(device_named(device))
    seed = recipe.seed if seed is None else seed
    tell_unused(recipe.labels, columns_in(subject, subject.rows("train", [0])), class_names_of(subject.first) or ())
    return replace(subject, data=data, model=model, seed=seed)


def settings_for(
    study: Study,
    subject: Subject,
    *,
    target: str = "",
    below: float | None = None,
    above: float | None = None,
    keep: Sequence[str] = (),
) -> dict[str, Any]:
    """The settings of a search for the rows: the schema with its units, the constraints, and what is wanted.

    Args:
        target: the class that is wanted, by its name, its words or its number; empty for any other than the predicted.
        below, above: for labels that are numbers, bounds that the prediction should keep.
        keep: columns that stay as they are, beside those of the recipe.

    Raises:
        FeedbackError: a class that there is not.
        RecipeError, DataError: constraints that do not fit the table.
    """
    written = study.recipe.counterfactuals
    schema = schema_of(columns_in(subject, subject.rows("train", [0])), subject.sample, units=written.units)
    constraints = [*written.constraints, *map(Immutable, keep)]
    allowed_by(constraints, schema)
    place = None if not target else _place(subject, target)
    return {"schema": schema, "constraints": constraints, "target": place, "below": below, "above": above}


def _place(subject: Subject, target: str) -> Any:
    """The number of the class; the text itself where labels are no classes, which the search refuses."""
    if subject.task.logits is None:
        return target
    if target in subject.class_names:
        return subject.class_names.index(target)
    return class_number(target, class_names_of(subject.first) or subject.class_names)


def _rows(subject: Subject, split: str, given: Sequence[int], settings: dict[str, Any]) -> list[int]:
    """The rows that were named, or some that do not have the wanted answer."""
    data = subject.data[split]
    if wrong := [row for row in given if row >= len(data)]:
        raise FeedbackError(f"row {wrong[0]}; the {split} rows are 0 to {len(data) - 1}")
    if given:
        return list(dict.fromkeys(given))
    outputs = outputs_of(subject.model, data)
    wish = wish_of(subject.task, outputs, **{name: settings[name] for name in ("target", "below", "above")})
    lacking = (wish.margin(outputs, torch.arange(len(data))) <= 0).nonzero().flatten()
    if not len(lacking):
        raise FeedbackError(f"all {len(data)} {split} rows have the wanted answer already; ask for another one")
    return some_rows(lacking, NUM_ROWS, subject.seed).sort().values.tolist()


def _records(subject: Subject, found: Counterfactuals, split: str, index: Sequence[int]) -> list[Changed]:
    """One record for each change, and one for each row without any."""
    told, records = replace(found, schema=_in_words(subject, found.schema)), []
    said = subject.said(split, subject.rows(split, index), index)
    for row, (position, now) in enumerate(zip(index, said, strict=True)):
        about: dict[str, Any] = {"split": split, "row": int(position), "prediction": now["prediction"]}
        for place, status in enumerate(found.status[row]):
            if status == "found":
                names = [found.schema.names[at] for at in found.acted[row, place].nonzero().flatten().tolist()]
                changed = Changed(
                    **about,
                    status=status,
                    change=told.change_in_words(row, place),
                    features=tuple(names),
                    answer=told.answer(row, place),
                    cost=float(found.cost[row, place]),
                    is_plausible=found.is_plausible[row][place],
                )
                records.append(changed)
            elif place == 0:
                records.append(Changed(**about, status=status, change=told.in_words(row)))
    return records


def _in_words(subject: Subject, schema: Schema) -> Schema:
    """The schema with the recipe's words for columns and categories in place of their names."""
    if not subject.labels:
        return schema
    units = {subject.in_words(feature.name): feature.unit for feature in schema.features if feature.unit}
    return schema_of(columns_in_words(schema.columns, subject.labels), subject.sample, units=units)


def _next(records: Sequence[Changed], folder: Path) -> tuple[str, ...]:
    """How to say that the column which is changed most often must not matter."""
    count = Counter(name for record in records for name in record.features)
    if not count:
        return ()
    name = count.most_common(1)[0][0]
    command = f"corrigible feedback add {shlex.quote(str(folder))} --feature {shlex.quote(name)}"
    return (f"{command}  # if {name}, which is changed most often, must not decide",)
