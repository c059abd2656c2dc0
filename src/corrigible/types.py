"""The shared nouns: what is passed between stages or written down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from corrigible.figures import number
from corrigible.html_table import table_html
from corrigible.printable import plural
from corrigible.said import Features as Features
from corrigible.said import Feedback as Feedback
from corrigible.said import Phrase as Phrase
from corrigible.said import Pixels as Pixels
from corrigible.said import Polarity as Polarity
from corrigible.said import Proposal as Proposal
from corrigible.said import Region as Region
from corrigible.said import Scope as Scope
from corrigible.said import region_of as region_of


class Task(NamedTuple):
    """What a model's outputs and the labels mean: the functions that differ from one kind of label to another.

    The model's raw output is first brought into the shape (batch, output), floats as the model gives them; the other
    functions take these outputs. ``extra`` holds further tensors with one entry per row, such as "exposure".
    """

    name: str
    outputs: Callable[[Any], Tensor]
    """The raw output as (batch, output); raises UnsupportedModelError if it has another shape."""
    num_outputs: int
    logits: Callable[[Tensor], Tensor] | None
    """(batch, num_classes), whose softmax is the probability of each class; None if a label is not one class."""
    values: Callable[[Tensor], Tensor]
    """(batch, value): the prediction as a person reads it, in the unit of the labels, or probabilities."""
    observed: Callable[[Tensor], dict[str, Tensor]]
    """What metrics ask for by name, one entry per row; "predicted" is always among them."""
    standard: Callable[[Tensor], Tensor]
    """The outputs in units in which 1 is a large difference, whatever the unit of the labels."""
    combined: Callable[[Tensor], Tensor]
    """(pass, batch, output) -> (batch, output): the outputs whose prediction is the mean over several passes."""
    loss: Callable[[Tensor, Tensor, Mapping[str, Tensor]], Tensor]
    """(outputs, y, extra) -> (batch,): minus the log-likelihood of each label up to a constant, or the task's loss."""
    quality: Callable[[Tensor, Tensor, Mapping[str, Tensor]], Tensor]
    """(outputs, y, extra) -> (batch,): how good each prediction is, at most 1; NaN if it cannot be measured. The mean
    of the best guess without inputs is ``chance``."""
    moved: Callable[[Tensor, Tensor], Tensor]
    """(outputs, others) -> (batch,): the distance between the two predictions of each row, from 0 to 1."""
    drawn: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    """(outputs, others, y, other_y) -> (batch,): the move from ``others`` to ``outputs``, positive from ``y`` towards
    ``other_y``, from -1 to 1."""
    target: Callable[[Tensor], Tensor]
    """The class, label or number that is explained if the caller names none, (batch,)."""
    check: Callable[[Any], Tensor]
    """The labels in the type that the loss needs; raises DataError for labels that do not fit."""
    strata: Callable[[Tensor], Tensor]
    """A class for each label, (row,): the label itself, or for amounts the quarter that it lies in. When a correction
    is judged, content is exchanged between different strata."""
    score: str
    """The name of the score that is explained by default."""
    start: tuple[tuple[float, ...], tuple[float, ...]]
    """Centre and scale of each output: where a fresh network should begin; the centres are the best constant guess.
    Empty for classes, whose outputs begin at 0."""
    metrics: tuple[str, ...]
    """What is measured by default."""
    quality_name: str
    """What ``quality`` measures, in words."""
    moved_as: str
    """What ``moved`` measures, in words, with {} for 100 times its value."""
    chance: float
    """The mean quality of the best guess that looks at no input; 0 for classes, where it depends on their balance."""
    written: Callable[[float], str]
    """One of ``values`` as text, with its unit."""
    is_likelihood: bool = True
    """Whether the loss is minus a log-likelihood."""
    reads: Literal["logits", "logarithms", "numbers"] = "numbers"
    """What the outputs must be: logits of probabilities, logarithms of means, or the numbers themselves."""
    extra: tuple[str, ...] = ()
    """The tensors of ``extra`` that the loss reads: "exposure", or "query" if it compares rows with each other."""

    def __repr__(self) -> str:
        return f"Task({self.name!r})"


@dataclass(frozen=True)
class Batch:
    """Rows of a data set with their feedback as masks; every tensor is row-aligned."""

    index: Int[Tensor, " batch"]
    """Position of each row in its data set."""
    x: Float[Tensor, " batch *input"]
    y: Tensor
    irrelevant: Bool[Tensor, " batch *input"] | None = None
    """True where the input must not matter."""
    relevant: Bool[Tensor, " batch *input"] | None = None
    """True where the input should matter."""
    group: Int[Tensor, " batch"] | None = None
    """Value of the sensitive attribute."""
    weight: Float[Tensor, " batch"] | None = None
    """Sample weight."""
    extra: Mapping[str, Tensor] = field(default_factory=dict)
    """Further tensors with one entry per row, such as "exposure"."""
    columns: "Columns | None" = None
    """For a table: which columns of ``x`` make up which feature."""
    task: Task | None = None
    """What outputs and labels mean; None for classes."""

    def to(self, device: Any) -> "Batch":
        """The same batch on another device."""
        moved = {
            f.name: getattr(self, f.name).to(device) for f in fields(self) if isinstance(getattr(self, f.name), Tensor)
        }
        return replace(self, **moved, extra={name: value.to(device) for name, value in self.extra.items()})

    def taken(self, places: Int[Tensor, " taken"]) -> "Batch":
        """The rows at these places of the batch; one may be taken several times."""
        tensors = {
            f.name: getattr(self, f.name)[places] for f in fields(self) if isinstance(getattr(self, f.name), Tensor)
        }
        return replace(self, **tensors, extra={name: value[places] for name, value in self.extra.items()})


@dataclass(frozen=True)
class Columns:
    """Which columns of a table's encoded ``x`` make up which feature."""

    names: tuple[str, ...]
    """One name per column, e.g. ``site=2``."""
    feature: tuple[str, ...]
    """The feature that each column belongs to, e.g. ``site``."""
    one_hot: tuple[bool, ...]
    """True where the column is one of the one-hot columns of a category."""
    shift: tuple[float, ...] = field(default=(), compare=False)
    """How each column was encoded: as (value − ``shift``) / ``scale``; empty where nothing was changed."""
    scale: tuple[float, ...] = field(default=(), compare=False)
    words: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    """What readers are shown in place of values of columns of numbers: ``("smoker=1", "smokes")``."""

    @property
    def features(self) -> tuple[str, ...]:
        """The feature names in the order of their first column."""
        return tuple(dict.fromkeys(self.feature))

    @property
    def has_categories(self) -> bool:
        return any(self.one_hot)


@dataclass(frozen=True)
class Measurement:
    """The value of one metric, with its 95 % interval and the number of rows it was measured on."""

    metric: str
    value: float | None
    """None when the metric could not be measured; ``note`` says why."""
    low: float | None = None
    high: float | None = None
    count: int = 0
    part: str = ""
    """The class or group it is about; empty for all rows."""
    note: str = ""

    def __str__(self) -> str:
        name = f"{self.metric} of {self.part}" if self.part else self.metric
        if self.value is None:
            return f"{name}: {self.note or 'not measured'}"
        interval = "" if self.low is None or self.high is None else f"{number(self.low)} to {number(self.high)}, "
        note = f"; {self.note}" if self.note else ""
        return f"{name}: {number(self.value)} ({interval}{plural(self.count, 'row')}){note}"

    def __repr__(self) -> str:
        return f"Measurement({self})"

    def _repr_html_(self) -> str:
        return Measurements([self])._repr_html_()


class Measurements(list[Measurement]):
    """Measurements, which a notebook shows as a table; ``pandas.DataFrame(measured)`` is a data frame of them."""

    def __repr__(self) -> str:
        return "\n".join(map(str, self)) or "no measurements"

    def _repr_html_(self) -> str:
        shown = (
            ("part", [m.part for m in self]),
            ("note", [m.note or ("not measured" if m.value is None else "") for m in self]),
        )
        columns = {
            "metric": [m.metric for m in self],
            "value": ["–" if m.value is None else number(m.value) for m in self],
            "95 % interval": [
                "" if m.low is None or m.high is None else f"{number(m.low)} to {number(m.high)}" for m in self
            ],
            "rows": [f"{m.count:,}" if m.value is not None else "" for m in self],
            **{name: cells for name, cells in shown if any(cells)},
        }
        return table_html(list(columns), list(zip(*columns.values(), strict=True)))
