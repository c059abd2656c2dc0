"""What an audit says: sections of sentences and tables, which a terminal, a notebook and a page show alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from corrigible.figures import number, percent


@dataclass(frozen=True)
class Finding:
    """One sentence of what was found."""

    text: str
    is_concern: bool = False
    """Whether somebody should look at it before the model is used."""


@dataclass(frozen=True)
class FoundTable:
    """Numbers behind the findings."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """One part of an audit."""

    key: str
    title: str
    question: str
    """What the part answers, in plain words."""
    findings: tuple[Finding, ...] = ()
    tables: tuple[FoundTable, ...] = ()
    not_measured: str = ""
    """Why nothing was measured; empty if something was."""

    @property
    def num_concerns(self) -> int:
        return sum(finding.is_concern for finding in self.findings)


TITLES = {
    "quality": ("Quality", "How good is the model on these rows?"),
    "groups": ("Groups", "Is it worse for some people, or does it treat them differently?"),
    "leaks": ("Leak suspects", "Does a column hold what was only known after the decision?"),
    "proxies": ("Proxies", "Which other columns tell the sensitive attribute?"),
    "reliance": ("Reliance on forbidden columns", "How far do predictions move with columns that must not count?"),
    "flips": ("Counterfactual flips", "How would predictions move if a person’s attribute were another?"),
    "jumps": ("Small steps", "How far does a prediction move when one input moves a little?"),
    "directions": ("Directions", "Do predictions rise and fall as they should?"),
    "erratic": ("Unusual input", "What does the model answer to cells that nobody should send?"),
}
"""The title of each part, and what it answers."""


def section(
    key: str, findings: Sequence[Finding] = (), tables: Sequence[FoundTable] = (), *, not_measured: str = ""
) -> Section:
    """A part of an audit, by its key."""
    return Section(key, *TITLES[key], tuple(findings), tuple(tables), not_measured)


def interval(value: float, low: float, high: float) -> str:
    """A value with its interval."""
    return f"{number(value)} ({number(low)} to {number(high)})"


def move(size: float, *, of_classes: bool) -> str:
    """How far a prediction moves, in words: points of probability, or the unit of the labels."""
    return f"{100 * size:.1f} points" if of_classes else number(size)


def prediction(value: float, *, of_classes: bool) -> str:
    """A prediction in words."""
    return percent(value) if of_classes else number(value)
