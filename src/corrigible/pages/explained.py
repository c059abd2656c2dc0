"""The page of ``explain``: rows with their prediction, their label, and what speaks for the prediction."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from corrigible.figures import signed
from corrigible.rendered import rendered


@dataclass(frozen=True)
class ExplainedRow:
    """One row as the page shows it."""

    name: str
    """Its file, or its number."""
    predicted: str
    label: str
    drawing: Markup
    """Pictures, bars or coloured words; empty if its inputs cannot be drawn."""
    certainty: str = ""
    """The probability of the prediction; empty where there is none."""
    error: str = ""
    """How far the prediction is from the label; empty for classes."""
    is_wrong: bool = False


@dataclass(frozen=True)
class ExplainedGroup:
    """Rows that are shown for the same reason."""

    title: str
    rows: tuple[ExplainedRow, ...]
    num_rows: int
    """How many rows there are of this kind, shown or not."""


@dataclass(frozen=True)
class ExplainedPage:
    """All that the page shows."""

    title: str
    kind: str
    """image, table, text, or another kind, whose inputs are not drawn."""
    about: tuple[str, ...]
    """Sentences: what was explained of which model, and how it is to be read."""
    legend: Markup
    groups: tuple[ExplainedGroup, ...]


def render_explained(page: ExplainedPage) -> str:
    """The page as one HTML text that loads nothing from elsewhere; equal content gives equal text."""
    return rendered("explain.html.jinja", page=page)


LEAST_SHARE = 0.0005
"""Of the longest bar; a smaller value is written as 0."""


def feature_bars(values: Sequence[tuple[str, float]], *, longest: float, num_others: int, others: float) -> Markup:
    """One bar for each feature, to the right of the middle where it speaks for the prediction.

    Args:
        longest: the value of a bar over half of the width.
        num_others: features that have no bar of their own, and their sum.
    """
    named = [*values, *([(f"{num_others} others together", others)] if num_others else [])]
    return Markup('<div class="bars">{}</div>').format(
        Markup("").join(_bar(name, value, min(abs(value) / longest, 1.0)) for name, value in named)
    )


def _bar(name: str, value: float, share: float) -> Markup:
    side = "for" if value >= 0 else "against"
    return Markup(
        '<div class="bar"><span class="name">{}</span><span class="track"><i class="{}" style="width:{:.1f}%"></i>'
        '</span><span class="number">{}</span></div>'
    ).format(name, side, 50 * share, _beside(value, share))


def _beside(value: float, share: float) -> str:
    """The value with its sign; 0 where it is nothing beside the longest bar."""
    return "0" if share < LEAST_SHARE else signed(value)
