"""Text of rules in terms of the data: feature names, categories, original units, class names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import index

from corrigible.data.original_units import Units, units_in
from corrigible.data.table import MISSING
from corrigible.errors import DataError
from corrigible.explanations.question import Asked
from corrigible.explanations.scores import ClassScore, reads_classes
from corrigible.printable import plural
from corrigible.types import Columns


@dataclass(frozen=True)
class RuleText:
    """The names of columns, their values and classes."""

    columns: Columns
    units: Units
    class_names: tuple[str, ...] = ()

    def of_class(self, number: int, kind: str = "class") -> str:
        """The name of the class or output, or its number if it has no name."""
        return self.class_names[number] if number < len(self.class_names) else f"{kind} {number}"

    def of_asked(self, asked: Asked) -> str:
        """The score with its target, or for a pair "the first rather than the second"; the score alone if it has only
        one target."""
        if asked.num_targets == 1:
            return asked.words
        targets = asked.target if isinstance(asked.target, Sequence) else (asked.target,)
        kind = "class" if reads_classes(asked.score) or isinstance(asked.score, ClassScore) else "output"
        named = [self.of_class(index(target), kind) for target in targets]
        return f"{asked.words} of {' rather than '.join(named)}"

    def of_category(self, column: int) -> str:
        """The value that a one-hot column stands for: ``2`` for ``site=2``."""
        return self.columns.names[column].removeprefix(f"{self.columns.feature[column]}=")

    def of_path(self, path: Mapping[int, tuple[float, float]]) -> str:
        """The conditions that lead to a leaf: each column's value is above the first bound and at most the second."""
        numbers = [self._of_range(column, *ends) for column, ends in path.items() if not self.columns.one_hot[column]]
        asked = {column: low > float("-inf") for column, (low, _) in path.items() if self.columns.one_hot[column]}
        features = dict.fromkeys(self.columns.feature[column] for column in asked)
        return (
            " and ".join([*(self._of_category_among(feature, asked) for feature in features), *numbers]) or "anything"
        )

    def _of_category_among(self, feature: str, asked: Mapping[int, bool]) -> str:
        """``site is 2``, ``site is not 2`` or ``site is 1 or 2``, whichever is shortest."""
        of_feature = [column for column, of in enumerate(self.columns.feature) if of == feature]
        left = [column for column in of_feature if asked.get(column)] or [c for c in of_feature if c not in asked]
        excluded = [column for column in of_feature if column not in left]
        if len(excluded) == 1 and len(left) > 1:
            return f"{feature} is not {self.of_category(excluded[0])}"
        return f"{feature} is {' or '.join(map(self.of_category, left))}"

    def _of_range(self, column: int, low: float, high: float) -> str:
        name = self.columns.names[column]
        if name == f"{self.columns.feature[column]}={MISSING}":
            return f"{self.columns.feature[column]} is {'known' if low == float('-inf') else 'missing'}"
        below = written(self.units.original(column, high))
        above = written(self.units.original(column, low))
        if low == float("-inf"):
            return f"{name} ≤ {below}"
        return f"{name} > {above}" if high == float("inf") else f"{above} < {name} ≤ {below}"


def written(value: float) -> str:
    """With four digits that count, or all before the point."""
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}").replace("-", "−")


def rule_text_of(columns: Columns, units: Units | None, class_names: Sequence[str]) -> RuleText:
    """The names to use in rules about these columns.

    Raises:
        DataError: units of another table.
    """
    units = units_in(columns) if units is None else units
    if not len(units.shift) == len(units.scale) == len(columns.names):
        raise DataError(f"units are those of {plural(len(units.scale), 'column')}; expected {len(columns.names)}")
    return RuleText(columns, units, tuple(class_names))
