"""The shared nouns: what is passed between stages or written down."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from corrigible.errors import FeedbackError

Polarity = Literal["irrelevant", "relevant"]
Scope = Literal["row", "class", "dataset"]


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


@dataclass(frozen=True)
class Columns:
    """Which columns of a table's encoded ``x`` make up which feature."""

    names: tuple[str, ...]
    """One name per column, e.g. ``site=2``."""
    feature: tuple[str, ...]
    """The feature that each column belongs to, e.g. ``site``."""
    one_hot: tuple[bool, ...]
    """True where the column is one of the one-hot columns of a category."""

    @property
    def features(self) -> tuple[str, ...]:
        """The feature names in the order of their first column."""
        return tuple(dict.fromkeys(self.feature))

    @property
    def has_categories(self) -> bool:
        return any(self.one_hot)


@dataclass(frozen=True)
class Pixels:
    """A region given as a boolean array: the shape of one input, (height, width) of an image or (token,) of a text."""

    mask: NDArray[np.bool_]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pixels) and np.array_equal(self.mask, other.mask)

    def __hash__(self) -> int:
        return hash((self.mask.shape, self.mask.tobytes()))


@dataclass(frozen=True)
class Features:
    """A region given as names of a table's features."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Phrase:
    """A region given as consecutive words of a text: every place where they occur in this order."""

    words: tuple[str, ...]


Region = Pixels | Features | Phrase


def region_of(region: Any) -> Region:
    """A region from what people write: an array of truth values, or one or several feature names.

    An array or an image that holds two values, 0 and 1 or 0 and 255, is True where it is above 0.

    Raises:
        FeedbackError: something else, or numbers that could also be positions.
    """
    if isinstance(region, Pixels | Features | Phrase):
        return region
    if isinstance(region, str):
        return Features((region,))
    if hasattr(region, "getbands"):
        return Pixels(_marked_of_image(region))
    if isinstance(region, Tensor):
        region = region.detach().cpu()
        region = (region.float() if region.is_floating_point() else region).numpy()
    if not isinstance(region, np.ndarray) and isinstance(region, Iterable):
        region = list(region)
    if isinstance(region, list) or (isinstance(region, np.ndarray) and region.dtype.kind in "UO" and region.ndim == 1):
        names = list(region)
        if names and all(isinstance(name, str) for name in names):
            return Features(tuple(map(str, names)))
    return Pixels(_marked(region))


def _marked_of_image(image: Any) -> NDArray[np.bool_]:
    """True where an image of the package Pillow is not black."""
    if len(image.getbands()) > 1 or image.mode == "P":
        raise FeedbackError(
            f"the mask is an image of mode {image.mode!r}; expected one channel: np.asarray(image.convert('L')) > 0"
        )
    return _marked(np.asarray(image))


def _marked(region: Any) -> NDArray[np.bool_]:
    expected = "expected a boolean array of the shape of one input, or feature names"
    try:
        array = np.asarray(region)
    except ValueError as error:
        raise FeedbackError(f"the region is a ragged list; {expected}") from error
    if array.dtype == np.bool_:
        return array.copy()  # The caller may change the array later.
    if array.dtype.kind not in "iuf" or array.ndim == 0 or array.size == 0:
        what = type(region).__name__ if array.ndim == 0 or array.size == 0 else f"array of {array.dtype}"
        raise FeedbackError(f"the region is {'an empty' if array.size == 0 else 'a'} {what}; {expected}")
    if array.ndim == 1 and array.dtype.kind in "iu":
        raise FeedbackError(
            "the region is a list of whole numbers, which may be positions; write mask > 0, or give names"
        )
    values = set(np.unique(array).tolist())
    if not values <= {0, 1} and not values <= {0, 255}:
        other = next(value for value in values if value not in (0, 1, 255)) if values - {0, 1, 255} else 255
        raise FeedbackError(f"the mask holds numbers such as {other:g}; expected True and False: write mask > 0")
    return array > 0


@dataclass(frozen=True)
class Feedback:
    """One thing somebody said about a region of the input."""

    region: Any
    """Given as a boolean array of the shape of one input, a mask of two values, feature names or a Phrase; kept as a
    Region."""
    polarity: Polarity = "irrelevant"
    row: int | None = None
    """The row that the feedback is about; None for a rule."""
    split: str = "train"
    """The split of the data that ``row`` is an index of."""
    scope: Scope = "row"
    """Which rows it applies to: that row, every row of one class, or every row."""
    label: int | None = None
    """The class, for ``scope="class"``."""
    fingerprint: str | None = None
    """Hash of the row that the feedback is about; a mismatch is an error."""
    author: str = ""
    at: datetime | None = None
    note: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "region", region_of(self.region))


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
