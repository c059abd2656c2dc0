"""What the verbs yield: a ``Record``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from corrigible.workflow.looking_records import AskedNext, Audited, Changed, Proposed, Suspected, Taught

if TYPE_CHECKING:
    from corrigible.explanations.shards.writing import ShardsPlanned, ShardWritten
    from corrigible.protocols.corrections.correction import Progress
    from corrigible.regions.shifts import Shift


@dataclass(frozen=True)
class Ahead:
    """The work that lies ahead of a verb, before it begins."""

    verb: str
    runs: tuple[str, ...]
    """The models that are to be trained, in their order; and the epochs of each."""
    epochs: tuple[int, ...]
    note: str = ""
    """What comes beside them."""


@dataclass(frozen=True)
class Started:
    """The training of a model begins."""

    verb: str
    label: str
    num_rows: int
    """Labelled rows that the model is trained on."""
    num_reviewed: int = 0
    """Rows with feedback."""


@dataclass(frozen=True)
class Finished:
    """Something was written and is complete; ``result`` and ``next`` mean the same in other records."""

    verb: str
    path: str
    page: str = ""
    """A page to look at; empty if there is none."""
    result: str = ""
    """What came out, in one plain sentence; empty where another record says it."""
    next: tuple[str, ...] = ()
    """What to do next: commands, each with a comment that says what for, and advice."""


@dataclass(frozen=True)
class Forgotten(Finished):
    """A model that has forgotten rows."""

    outcome: str = ""
    """"failed" where it lost too much on kept rows."""


@dataclass(frozen=True)
class Influenced(Finished):
    """Which training rows taught predictions was found out."""

    doubts: tuple[str, ...] = ()
    """Why the answer may be wrong, one sentence each."""


@dataclass(frozen=True)
class Measured:
    """One metric of one model."""

    model: str
    metric: str
    part: str
    value: float | None
    low: float | None
    high: float | None
    count: int
    note: str
    unit: str = ""
    """Of the value, for a metric in the unit of the labels."""
    is_better: bool | None = None
    """Of a corrected model, whether it is better than before the correction by more than chance; None where neither
    is clear."""


@dataclass(frozen=True)
class FeatureShare:
    """A feature's share of the absolute attribution of all explained rows, in [0, 1]."""

    feature: str
    share: float
    title: str = ""
    """The words for the feature in the recipe's [labels]; empty where there are none."""


@dataclass(frozen=True)
class Listed:
    """One piece of feedback in the store."""

    number: int
    scope: str
    polarity: str
    split: str
    row: int | None
    label: int | None
    region: str
    author: str
    at: str
    note: str
    is_retracted: bool
    file: str = ""
    """The row's file; empty if rows are no files."""
    class_name: str = ""
    """The name of the class ``label``; empty if it has none."""


@dataclass(frozen=True)
class Answered:
    """What a reviewer answered about one row; ``file`` is empty if rows are no files."""

    number: int
    answer: str
    split: str
    row: int
    author: str
    at: str
    note: str
    file: str


@dataclass(frozen=True)
class Noted:
    """The numbers of feedback that was stored, retracted or imported."""

    verb: str
    numbers: tuple[int, ...]
    num_known: int = 0
    """How many of those to import were there already, and were not stored again."""
    doubts: tuple[str, ...] = ()
    """What a person should check about it."""
    result: str = ""
    next: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sealed:
    """A sealed folder and the hash that can be quoted."""

    path: str
    root: str
    num_files: int
    outcome: str = ""
    """Of the verdict on a sealed correction; empty where there is none."""
    result: str = ""
    next: tuple[str, ...] = ()
    head: str = ""
    """Hash of the newest attestation of a signed seal; empty for one that is not signed."""


@dataclass(frozen=True)
class SealDiffers:
    """One thing that two seals say differently."""

    about: str
    name: str
    first: str
    second: str


@dataclass(frozen=True)
class Verified:
    """Whether a folder is unchanged since it was written."""

    path: str
    root: str
    problems: tuple[str, ...]
    result: str = ""
    next: tuple[str, ...] = ()
    head: str = ""
    """The hash that fixes the seal with all attestations; empty for a study."""
    signer: str = ""
    """SHA-256 of the public key with which signatures were checked; empty where none was given."""


@dataclass(frozen=True)
class MethodCompared:
    """The results of one method in a comparison; None where it could not be applied or measured."""

    method: str
    run: str = ""
    outcome: str = ""
    """Of the verdict; empty where there is none."""
    swap_score: float | None = None
    swapped_accuracy: float | None = None
    accuracy: float | None = None
    worst_class_accuracy: float | None = None
    attribution_overlap: float | None = None
    flip_rate: float | None = None
    low: float | None = None
    """Ends of the 95 % interval of ``swapped_accuracy``."""
    high: float | None = None
    measured: Mapping[str, float | None] = field(default_factory=dict)
    """For labels that are no classes, the metrics of the task."""
    unit: str = ""
    """Of the labels, and so of some of ``measured``."""
    step_cost: float | None = None
    """Time of a step divided by that of plain training."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """The weights of penalties that were chosen by swap score."""
    note: str = ""
    """Why the method could not be applied."""


@dataclass(frozen=True)
class Method:
    """One member of a family, as ``corrigible methods`` lists it."""

    family: str
    name: str
    summary: str
    settings: str


@dataclass(frozen=True)
class Line:
    """A sentence to print, of a demo."""

    text: str


OwnRecord = (
    Ahead
    | Started
    | Finished
    | Measured
    | FeatureShare
    | Audited
    | Suspected
    | Proposed
    | AskedNext
    | Changed
    | Taught
    | Listed
    | Answered
    | Noted
    | Sealed
    | SealDiffers
    | Verified
    | MethodCompared
    | Method
    | Line
)
"""What is defined here."""
if TYPE_CHECKING:
    LongRecord = Progress | Shift | ShardsPlanned | ShardWritten
    """What long work yields, which loads PyTorch."""
    Record = OwnRecord | LongRecord
    """What any verb or demo yields; to be told apart with ``match``, and written as JSON with its class's name."""
else:  # The quick verbs yield own records alone, and need no PyTorch for it.

    def __getattr__(name: str) -> Any:
        if name not in ("LongRecord", "Record"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from corrigible.explanations.shards.writing import ShardsPlanned, ShardWritten
        from corrigible.protocols.corrections.correction import Progress
        from corrigible.regions.shifts import Shift

        long_record = Progress | Shift | ShardsPlanned | ShardWritten
        return long_record if name == "LongRecord" else OwnRecord | long_record
