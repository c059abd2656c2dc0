"""What somebody said about which region of the input; it loads no PyTorch, so that saying it is quick."""

import base64
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from corrigible.errors import FeedbackError
from corrigible.html_table import table_html
from corrigible.notebook import html_of

Polarity = Literal["irrelevant", "relevant"]
Scope = Literal["row", "class", "dataset"]
Judgement = Literal["marked", "nothing wrong", "label is wrong", "not sure", "skipped"]
LONGEST_SIDE = 48
"""Of the small picture of a mask, in pixels of the screen."""
MARKED, UNMARKED = (196, 81, 11), (238, 241, 244)


@dataclass(frozen=True)
class Pixels:
    """A region given as a boolean array: the shape of one input, (height, width) of an image or (token,) of a text."""

    mask: NDArray[np.bool_]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pixels) and np.array_equal(self.mask, other.mask)

    def __hash__(self) -> int:
        return hash((self.mask.shape, self.mask.tobytes()))

    def __str__(self) -> str:
        what = "positions" if self.mask.ndim == 1 else "pixels" if self.mask.ndim == 2 else "values"
        return f"{int(self.mask.sum())} of {self.mask.size} {what}"

    def __repr__(self) -> str:
        return f"Pixels({self})"

    def _repr_html_(self) -> str:
        picture = _picture(self.mask) if self.mask.ndim in (2, 3) and self.mask.size else Markup("")
        return picture + Markup(" {}").format(str(self))


@dataclass(frozen=True)
class Features:
    """A region given as names of a table's features."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.names)


@dataclass(frozen=True)
class Phrase:
    """A region given as consecutive words of a text: every place where they occur in this order."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.words)


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
    if hasattr(region, "detach"):  # A tensor.
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

    @property
    def about(self) -> str:
        """Which rows it is about, in words."""
        split = "" if self.split == "train" else f" of {self.split}"
        known = {"row": f"row {self.row}{split}", "class": f"class {self.label}", "dataset": "every row"}
        return known.get(self.scope, f"scope {self.scope!r}")

    def __repr__(self) -> str:
        by = f", by {self.author}" if self.author else ""
        note = f", {self.note!r}" if self.note else ""
        return f"Feedback({self.polarity}: {self.region}, {self.about}{by}{note})"

    def _repr_html_(self) -> str:
        return statements_html([self])


@dataclass(frozen=True)
class Proposal:
    """A region that a model looks at on some rows, for a person to accept with one click or to pass over."""

    region: Region
    share: float
    """The region's share of the absolute attribution of these rows, from 0 to 1."""
    area: float
    """The region's share of the inputs: pixels, features or words, from 0 to 1."""
    rows: tuple[int, ...]
    """Positions in the data of the rows that it is about: one, or all that share the region."""
    effect: float | None = None
    """How far the prediction falls when the region holds other rows' content; None where that was not measured."""
    method: str = ""
    """The explainer whose attribution the share is of."""

    @property
    def id(self) -> str:
        """A name that the same region on the same rows always has: 12 digits of a hash."""
        region = self.region
        what = (region.mask.shape, region.mask.tobytes()) if isinstance(region, Pixels) else region
        return hashlib.sha256(repr((type(region).__name__, what, self.rows)).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Answer:
    """What a reviewer answered about one row, whether or not anything was marked on it."""

    row: int
    answer: Judgement
    split: str = "train"
    key: str = ""
    """Chosen by whoever sends it, such as a UUID: the same key again is the same answer. Empty for one made when it is
    stored."""
    seconds: float | None = None
    """How long the reviewer looked; None if it was not measured."""
    fingerprint: str | None = None
    """Hash of the row that was looked at."""
    author: str = ""
    at: datetime | None = None
    note: str = ""
    shown: tuple[str, ...] = ()
    """The proposals that the reviewer saw."""
    feedback: tuple[int, ...] = ()
    """The ids of the feedback that was stored with it."""


def statements_html(feedback: Iterable[Feedback], **columns: list[str]) -> str:
    """A table of what was said, for a notebook; ``columns`` stand before it."""
    said = list(feedback)
    cells: dict[str, list[str]] = {
        **columns,
        "says": [one.polarity for one in said],
        "of": [html_of(one.region) for one in said],
        "in": [one.about for one in said],
        "by": [one.author for one in said],
        "note": [one.note for one in said],
    }
    shown = {name: column for name, column in cells.items() if name not in ("by", "note") or any(column)}
    return table_html(list(shown), list(zip(*shown.values(), strict=True)))


def _picture(mask: NDArray[np.bool_]) -> Markup:
    """A small picture of a mask of shape (height, width) or (channel, height, width), marked pixels in colour."""
    from PIL import Image

    is_marked = np.asarray(mask if mask.ndim == 2 else mask.any(axis=0))
    colours = np.where(is_marked[..., None], MARKED, UNMARKED).astype(np.uint8)
    written = io.BytesIO()
    Image.fromarray(colours).save(written, format="PNG")
    scale = LONGEST_SIDE / max(is_marked.shape)
    height, width = (max(1, round(scale * side)) for side in is_marked.shape)
    return Markup(
        '<img width="{}" height="{}" alt="" src="data:image/png;base64,{}"'
        ' style="image-rendering:pixelated;display:inline-block;margin:0;vertical-align:middle">'
    ).format(width, height, base64.b64encode(written.getvalue()).decode())
