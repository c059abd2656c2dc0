"""What an audit found: it prints in plain words, a notebook shows tables, and it writes one page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from corrigible.auditing.erratic import Erratic
from corrigible.auditing.flips import Flip
from corrigible.auditing.groups import ByGroup
from corrigible.auditing.headings import HEADINGS, Heading
from corrigible.auditing.jumps import Breach, Jump
from corrigible.auditing.leaks import Leak
from corrigible.auditing.proxies import Proxies
from corrigible.auditing.reliance import Moved
from corrigible.auditing.said_of_inputs import directions_section, erratic_section, jumps_section, leaks_section
from corrigible.auditing.said_of_people import (
    flips_section,
    groups_section,
    proxies_section,
    quality_section,
    reliance_section,
)
from corrigible.auditing.sections import TITLES, FoundTable, Section
from corrigible.auditing.telling import Told
from corrigible.folders import write_atomically
from corrigible.html_table import table_html
from corrigible.pages.audited import AuditedPart, AuditedTable, AuditPage, HeadingRow, render_audited
from corrigible.printable import plural, printable
from corrigible.types import Measurements


@dataclass(frozen=True)
class Audit:
    """What was found about a model on some rows; the fields are the facts, ``sections`` says them in words."""

    about: str
    """The model, the rows and the label, in one sentence."""
    positive: str
    """The second of two classes, whose probability is predicted; empty for amounts and more classes."""
    is_of_classes: bool
    row_names: tuple[str, ...] = field(repr=False)
    """What the index of X calls each row, which facts name by its place."""
    span: float
    """From the least to the largest prediction."""
    quality: Measurements
    groups: tuple[ByGroup, ...] = ()
    leaks: tuple[Leak, ...] = ()
    alone: Mapping[str, float] = field(default_factory=dict)
    """The share of the label's variance that each column tells alone."""
    proxies: tuple[Proxies, ...] = ()
    told_by_predictions: tuple[tuple[str, Told], ...] = ()
    """How well the predictions alone tell each attribute."""
    reliance: tuple[Moved, ...] = ()
    reliance_on_proxies: tuple[Moved, ...] = ()
    flips: tuple[Flip, ...] = ()
    jumps: tuple[Jump, ...] = ()
    breaches: tuple[Breach, ...] = ()
    erratic: tuple[Erratic, ...] = ()
    not_measured: Mapping[str, str] = field(default_factory=dict)
    """Why a part was not measured, by the key of its section."""

    @property
    def sections(self) -> tuple[Section, ...]:
        """All parts, each with its findings and tables, or why it was not measured."""
        names, classes = self.row_names, self.is_of_classes
        why = {key: self.not_measured.get(key, "") for key in TITLES}
        moved: dict[str, Any] = {"names": names, "span": self.span, "of_classes": classes}
        return (
            quality_section(self.quality),
            groups_section(self.groups, self.positive, why["groups"]),
            leaks_section(self.leaks, self.alone, why["leaks"]),
            proxies_section(self.proxies, self.told_by_predictions, why["proxies"]),
            reliance_section(self.reliance, self.reliance_on_proxies, **moved, why=why["reliance"]),
            flips_section(self.flips, **moved, why=why["flips"]),
            jumps_section(self.jumps, names, of_classes=classes, why=why["jumps"]),
            directions_section(self.breaches, names, of_classes=classes, why=why["directions"]),
            erratic_section(self.erratic, why["erratic"]),
        )

    @property
    def num_concerns(self) -> int:
        """How many findings somebody should look at before the model is used."""
        return sum(part.num_concerns for part in self.sections)

    def save(self, path: Path | str, *, title: str = "Audit of a model") -> Path:
        """Write the page, one HTML file that loads nothing from elsewhere, and return its path."""
        write_atomically(Path(path), self.html(title=title).encode())
        return Path(path)

    def html(self, *, title: str = "Audit of a model") -> str:
        """The page as one HTML text; equal audits give equal text."""
        parts = self.sections
        rows = tuple(_heading_row(heading, parts) for heading in HEADINGS)
        concerns = plural(self.num_concerns, "finding")
        verb = "is" if self.num_concerns == 1 else "are"
        about = (f"{self.about}.", f"{concerns} {verb} marked as a concern: look at each before the model is used.")
        return render_audited(AuditPage(title, about, tuple(map(_part, parts)), rows))

    def __str__(self) -> str:
        return printable("\n".join([self.about, *(line for part in self.sections for line in lines_of(part))]))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return Markup("").join(map(_shown, self.sections))


def lines_of(part: Section) -> list[str]:
    """The part as lines of text, concerns marked with an exclamation mark."""
    if part.not_measured:
        return [f"{part.title}: not measured, {part.not_measured}"]
    return [f"{part.title}:", *(f"  {'!' if found.is_concern else ' '} {found.text}" for found in part.findings)]


def _shown(part: Section) -> Markup:
    head = Markup("<h4>{}</h4>").format(part.title)
    if part.not_measured:
        return head + Markup("<p>not measured: {}</p>").format(part.not_measured)
    findings = Markup("").join(
        Markup("<li>{}</li>").format(Markup("<b>{}</b>").format(f.text) if f.is_concern else f.text)
        for f in part.findings
    )
    tables = Markup("").join(Markup("<p>{}</p>").format(t.title) + table_html(t.header, t.rows) for t in part.tables)
    return head + Markup("<ul>{}</ul>").format(findings) + tables


def _part(part: Section) -> AuditedPart:
    tables = tuple(_table(table) for table in part.tables)
    findings = tuple((found.text, found.is_concern) for found in part.findings)
    return AuditedPart(part.key, part.title, part.question, findings, tables, part.not_measured)


def _table(table: FoundTable) -> AuditedTable:
    return AuditedTable(table.title, table_html(table.header, table.rows))


def _heading_row(heading: Heading, parts: tuple[Section, ...]) -> HeadingRow:
    named = [part for part in parts if part.key in heading.parts]
    measured = tuple((part.key, part.title) for part in named if not part.not_measured)
    missing = [f"{part.title.lower()} ({part.not_measured})" for part in named if part.not_measured]
    missing += [heading.not_here] if heading.not_here else []
    return HeadingRow(heading.source, heading.heading, measured, "; ".join(missing))
