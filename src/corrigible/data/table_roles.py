"""The names of a table's columns, and which of them are no features; it loads no PyTorch."""

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from corrigible.errors import DataError

OF_CLASSES = ("classes", "ordered_classes")
"""Tasks whose labels are classes; those of all others are numbers."""


class Roles(NamedTuple):
    """The columns that are no features, and the task of the labels."""

    target: str | tuple[str, ...]
    """The column with the labels; for several labels, one column for each."""
    group: str | tuple[str, ...] | None = None
    """The column of the sensitive attribute, or several."""
    weight: str | None = None
    exposure: str | None = None
    query: str | None = None
    drop: tuple[str, ...] = ()
    task: str = "classes"

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns with the labels."""
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def groups(self) -> tuple[str, ...]:
        """The columns of sensitive attributes."""
        return columns_of_groups(self.group)

    @property
    def beside(self) -> tuple[str, ...]:
        """The columns that stand beside the labels."""
        return tuple(name for name in (self.weight, self.exposure, self.query) if name is not None)

    @property
    def read(self) -> tuple[str, ...]:
        """The columns that are read although they need not be features."""
        return (*self.targets, *self.groups, *self.beside)

    def may_be_feature(self, name: str) -> bool:
        """Whether the column may be a feature."""
        return name not in (*self.targets, *self.beside, *self.drop)


def columns_of_groups(group: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """The names of one column, of several or of none."""
    return () if group is None else (group,) if isinstance(group, str) else group


def roles_of(
    target: Any, *, drop: Sequence[str] = (), task: str = "classes", group: Any = None, **beside: str | None
) -> Roles:
    """The roles of a table's columns; the target is None for a table without labels.

    Raises:
        DataError: a target that is no name, or several for a task of one; groups that are no names.
    """
    if isinstance(group, list | tuple):
        if not group or len(set(group)) < len(group) or not all(isinstance(name, str) for name in group):
            raise DataError(f"group is {group!r}; expected the name of a column, or a list of different names")
        group = tuple(group)
    beside["group"] = group
    if target is None:
        return Roles((), drop=tuple(drop), task=task, **beside)
    names = (target,) if isinstance(target, str) else target
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) for name in names):
        raise DataError(f"target is {target!r}; expected the name of a column, or for several labels a list of names")
    if len(names) > 1 and task != "several_labels":
        raise DataError(f"target names {len(names)} columns; the task {task!r} expects one")
    return Roles(target if isinstance(target, str) else tuple(names), drop=tuple(drop), task=task, **beside)


def require_once(names: Sequence[str]) -> None:
    """Raises DataError for names of which two are the same."""
    repeated = next((name for name, count in Counter(names).items() if count > 1), None)
    if repeated is not None:
        raise DataError(f"column {repeated!r} occurs more than once; expected different names")


def require_columns(names: Sequence[str], wanted: Sequence[str]) -> None:
    """Raises DataError if the table lacks one of these columns."""
    for name in wanted:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f": did you mean {near[0]!r}?" if near else ""
            shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
            raise DataError(f"the table has no column {name!r}{hint}; it has {shown}")


@contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """A context that puts the file's name in front of errors about its content."""
    try:
        yield
    except DataError as error:
        raise error if str(path) in str(error) else DataError(f"{path.name}: {error}") from error
