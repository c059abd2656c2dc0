"""The page of ``suspect``: each suspected region where it lies, and what to say if it must not matter."""

from dataclasses import dataclass

from markupsafe import Markup

from corrigible.rendered import rendered


@dataclass(frozen=True)
class SuspectExample:
    """A row in which the model relies on the region, or one to compare with."""

    name: str
    label: str
    drawing: Markup
    is_beside: bool = False
    """Whether it is a row of another class, to compare with."""


@dataclass(frozen=True)
class SuspectCard:
    """One suspected region."""

    rank: int
    title: str
    sentence: str
    """What was measured."""
    examples: tuple[SuspectExample, ...]
    commands: tuple[tuple[str, str], ...] = ()
    """(where it must not matter, the command that says so); none for a region that does not tell the label."""


@dataclass(frozen=True)
class SuspectPage:
    """All that the page shows; the regions that tell the label stand apart from the others."""

    title: str
    kind: str
    """image, table or text."""
    about: tuple[str, ...]
    telling: tuple[SuspectCard, ...]
    others: tuple[SuspectCard, ...]


def render_suspected(page: SuspectPage) -> str:
    """The page as one HTML text that loads nothing from elsewhere; equal content gives equal text."""
    return rendered("suspect.html.jinja", page=page)
