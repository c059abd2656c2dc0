"""What the verbs yield that say where to look: audit, suspect, propose, queue, counterfactuals and influence."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Audited:
    """One sentence that ``corrigible audit`` found, or why a part was not measured."""

    part: str
    text: str
    is_concern: bool = False
    """Whether somebody should look at it before the model is used."""
    is_first: bool = False
    """Whether it is the first of its part."""


@dataclass(frozen=True)
class Suspected:
    """A region that a person should look at, as ``corrigible suspect`` ranks it."""

    rank: int
    region: str
    """The region in the form that ``feedback add`` takes."""
    label: str
    """The class, or the part of the labels, that it is about; empty for several."""
    score: float
    effect: float
    """Mean fall of the score of the prediction when the region holds other rows' values."""
    low: float
    high: float
    ratio: float
    """The effect divided by that of other regions."""
    p_value: float
    agreement: float
    """How well the region alone predicts the label on rows that rely on it, from 0 (as by chance) to 1."""
    size: int
    rows: tuple[int, ...]
    files: tuple[str, ...] = ()
    """Those of ``rows``; empty if rows are no files."""
    tells_label: bool = True
    """Whether the region predicts the label by itself. If not, it may be the object itself that is seen there."""
    suspicion: str = ""
    """The score in per cent of the first one's, by which suspects are ordered."""
    moved_as: str = ""
    """Where labels are no classes, what the effect measures, with {} for 100 times its value."""


@dataclass(frozen=True)
class Proposed:
    """A region to accept with one click, as ``corrigible propose`` ranks them."""

    rank: int
    """First those that several rows share, then those of one row, each by their share."""
    id: str
    """The name of the proposal, by which an answer says that it was seen."""
    region: str
    """The region in the form that ``feedback add`` takes."""
    rows: tuple[int, ...]
    """The row that it is about, or all that share it."""
    share: float
    """Of the absolute attribution, from 0 to 1."""
    area: float
    """The share of the inputs that it covers, from 0 to 1."""
    effect: float | None = None
    """How far the prediction falls when the region holds other rows' content; None where that was not measured."""
    files: tuple[str, ...] = ()
    """Those of ``rows``; empty if rows are no files."""
    title: str = ""
    """The region in words."""
    method: str = ""
    """The explainer whose attribution the share is of."""


@dataclass(frozen=True)
class AskedNext:
    """A row to ask a person about, as ``corrigible queue`` lists it."""

    rank: int
    split: str
    row: int
    reason: str
    """Why, in plain words."""
    score: float
    """How much the strategy wants to ask about it; comparable within one strategy only."""
    file: str = ""
    """The row's file; empty if rows are no files."""


@dataclass(frozen=True)
class Changed:
    """A change of a row that would give another prediction, by ``corrigible counterfactuals``; or why there is none."""

    split: str
    row: int
    status: str
    """"found", "already", "impossible" or "not found", as `corrigible.counterfactuals` says it."""
    prediction: str
    """What the model predicts of the row as it is."""
    change: str = ""
    """What is changed, in the units and words of the table; without a change why there is none."""
    features: tuple[str, ...] = ()
    """The columns that are changed."""
    answer: str = ""
    """What the model predicts after the change."""
    cost: float | None = None
    """The length of the change; None without one."""
    is_plausible: bool | None = None
    """Whether the changed row is as near to rows of data as is usual among these; None where that is not measured."""


@dataclass(frozen=True)
class TaughtBy:
    """A training row that taught a prediction, or taught against it."""

    row: int
    value: float
    """By how much the loss of what was asked about would change without the row."""
    label: str
    prediction: str
    file: str = ""
    """The row's file; empty if rows are no files."""


@dataclass(frozen=True)
class Taught:
    """The training rows that taught the prediction of a row, as ``corrigible influence`` lists them."""

    split: str
    row: int
    label: str
    prediction: str
    helpful: tuple[TaughtBy, ...]
    """Those without which its loss would rise most, the strongest first; and those without which it would fall most."""
    harmful: tuple[TaughtBy, ...]
    titles: tuple[str, str]
    """What is said of either, in words."""
    unit: str = "loss"
    """Of the values; "gradient product" is the loss up to a factor."""
    file: str = ""
    """The row's file; empty if rows are no files."""
