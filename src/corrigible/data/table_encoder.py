"""What must be known of a training table to read and encode others like it."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from corrigible.data.attributes import Attribute
from corrigible.data.column_reading import Reading
from corrigible.data.number_forms import NumberForm
from corrigible.data.table_features import Categorical, Feature, Numeric, columns_of_feature
from corrigible.data.table_roles import OF_CLASSES as OF_CLASSES
from corrigible.data.table_roles import Roles as Roles
from corrigible.data.table_roles import columns_of_groups
from corrigible.data.table_roles import roles_of as roles_of
from corrigible.errors import DataError
from corrigible.types import Columns


@dataclass(frozen=True)
class TableEncoder:
    """The facts about the training table that are needed to read and encode others like it."""

    features: tuple[Feature, ...]
    target: str | tuple[str, ...]
    """The column with the labels; for several labels, one column for each."""
    class_names: tuple[str, ...]
    """For several labels, the name of each; empty for numbers."""
    group: str | tuple[str, ...] | None = None
    group_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What was read how, a line for each column; also which columns were dropped, and why."""
    weight: str | None = None
    """The column with the weight of each row."""
    task: str = "classes"
    """The name of the task that the labels are for."""
    exposure: str | None = None
    query: str | None = None
    readings: tuple[Reading, ...] = ()
    """How each column is read."""
    attributes: tuple[Attribute, ...] = ()
    """Of several columns of groups, each by itself."""

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns with the labels."""
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def columns(self) -> Columns:
        """Which columns of the encoded ``x`` make up which feature."""
        found = [
            (name, feature.name, is_one_hot, *_encoded_by(feature, name))
            for feature in self.features
            for name, is_one_hot in columns_of_feature(feature)
        ]
        return Columns(*zip(*found, strict=True))

    @property
    def read(self) -> tuple[str, ...]:
        """The columns that are read; those of weights only where there are any."""
        beside = (*columns_of_groups(self.group), *(name for name in (self.exposure, self.query) if name is not None))
        return tuple(dict.fromkeys([*(feature.name for feature in self.features), *self.targets, *beside]))

    def reading(self, name: str) -> Reading:
        """How the column is read."""
        kinds = {feature.name: isinstance(feature, Numeric) for feature in self.features}
        unsaid = Reading(name, "numbers" if kinds.get(name) else "categories", 0, 0)
        return next((reading for reading in self.readings if reading.name == name), unsaid)


def to_json(encoder: TableEncoder) -> str:
    """The encoder as JSON text; every number comes back exactly."""
    return json.dumps(asdict(encoder), indent=1)


def from_json(text: str) -> TableEncoder:
    """The encoder that ``to_json`` wrote.

    Raises:
        DataError: the text is not an encoder.
    """
    try:
        facts = json.loads(text)
        features = tuple(_feature(feature) for feature in facts.pop("features"))
        names: dict[str, Any] = {key: tuple(facts.pop(key)) for key in ("class_names", "group_names", "notes")}
        readings = tuple(_reading(reading) for reading in facts.pop("readings", ()))
        names["attributes"] = tuple(Attribute(name, tuple(values)) for name, values in facts.pop("attributes", ()))
        if isinstance(facts["group"], list):
            names["group"] = tuple(facts.pop("group"))
        if not isinstance(facts["target"], str):
            names["target"] = tuple(facts.pop("target"))
        return TableEncoder(**{"features": features, "readings": readings, **facts, **names})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"not a table encoder ({error!r}); expected the text that to_json writes") from error


def _encoded_by(feature: Feature, column: str) -> tuple[float, float]:
    """What is taken from the column's values, and what they are divided by."""
    is_scaled = isinstance(feature, Numeric) and column == feature.name
    return (feature.mean, feature.sd) if is_scaled else (0.0, 1.0)  # type: ignore[union-attr]


def _feature(facts: dict[str, Any]) -> Feature:
    if "categories" in facts:
        return Categorical(facts["name"], tuple(facts["categories"]))
    return Numeric(**facts)


def _reading(facts: dict[str, Any]) -> Reading:
    return Reading(**{**facts, "form": NumberForm(*facts["form"]), "words": tuple(facts["words"])})
