"""The page of ``audit``: each part with its findings and tables, and which part answers which heading."""

from dataclasses import dataclass

from markupsafe import Markup

from corrigible.rendered import rendered


@dataclass(frozen=True)
class AuditedTable:
    """Numbers behind findings."""

    title: str
    """Empty where the part has one table that needs none."""
    html: Markup


@dataclass(frozen=True)
class AuditedPart:
    """One part of the audit."""

    key: str
    title: str
    question: str
    findings: tuple[tuple[str, bool], ...]
    """(sentence, whether it is a concern)."""
    tables: tuple[AuditedTable, ...]
    not_measured: str
    """Why nothing was measured; empty if something was."""

    @property
    def num_concerns(self) -> int:
        return sum(is_concern for _, is_concern in self.findings)


@dataclass(frozen=True)
class HeadingRow:
    """A heading of a supervisor's text."""

    source: str
    heading: str
    parts: tuple[tuple[str, str], ...]
    """(key, title) of the parts that answer it."""
    not_measured: str
    """What is not measured of it, and why."""


@dataclass(frozen=True)
class AuditPage:
    """All that the page shows."""

    title: str
    about: tuple[str, ...]
    parts: tuple[AuditedPart, ...]
    headings: tuple[HeadingRow, ...]


def render_audited(page: AuditPage) -> str:
    """The page as one HTML text that loads nothing from elsewhere; equal content gives equal text."""
    return rendered("audit.html.jinja", page=page)
