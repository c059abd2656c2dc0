"""Rules about a table's features, checked against the names of its features and classes alone."""

from collections.abc import Mapping
from typing import Any

from corrigible.data.naming import Names, class_number
from corrigible.data.table_outline import TableOutline, table_outline
from corrigible.data.table_roles import roles_of
from corrigible.errors import FeedbackError, unknown
from corrigible.feedback.wording import MOST, marks_most
from corrigible.recipe_keys import content_of
from corrigible.said import Features, Feedback
from corrigible.study import Study


def outline_of(study: Study) -> TableOutline | None:
    """The features and classes of a study's table; None for other data, and where the recipe needs a closer look.

    Raises:
        DataError: the training table is missing, not a table, or lacks a column.
    """
    content = content_of(study.recipe_text)
    data, task = dict(content["data"]), content.get("task", {}).get("name", "classes")
    if data.pop("kind", None) != "table" or not isinstance(task, str):
        return None
    columns = [data.get(name) for name in ("group", "weight", "exposure", "query")]
    is_plain = all(name is None or isinstance(name, str) for name in columns)
    if set(data) - {"target", "group", "weight", "exposure", "query", "drop"} or not is_plain:
        return None
    drop = data.pop("drop", [])
    if "target" not in data or not isinstance(drop, list) or not all(isinstance(name, str) for name in drop):
        return None
    return table_outline(study.folder / "data", roles_of(data.pop("target"), drop=drop, task=task, **data))


def checked_rule(
    region: Features, label: int | str | None, outline: TableOutline, about: Mapping[str, Any]
) -> tuple[Feedback, tuple[str, ...]]:
    """The rule as feedback, and what a person should check about it.

    Raises:
        FeedbackError: an unknown feature or class.
    """
    for name in region.names:
        if name not in outline.num_columns:
            raise FeedbackError(unknown("feature", name, outline.num_columns))
    number = None if label is None else class_number(label, outline.class_names)
    said = Feedback(region, scope="dataset" if label is None else "class", label=number, **about)
    share = sum(outline.num_columns[name] for name in set(region.names)) / sum(outline.num_columns.values())
    return said, (marks_most([said], share, Names((), outline.class_names)),) if share > MOST else ()
