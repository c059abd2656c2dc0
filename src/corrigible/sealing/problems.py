"""What is found when a sealed folder is checked."""

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from corrigible.html_table import table_html
from corrigible.printable import plural

Difference = Literal["changed", "missing", "added", "renamed", "emptied", "symlink", "unreadable", "mode"]
ProblemKind = Difference | Literal["manifest", "root", "head", "signature", "attestation"]


@dataclass(frozen=True)
class Problem:
    """One difference between a folder and what was sealed."""

    kind: ProblemKind
    path: str
    """Relative to the folder, as it was when sealed."""
    detail: str


@dataclass(frozen=True)
class Verification:
    """The result of checking a sealed folder."""

    root: str
    """Root hash of the files that the manifest lists."""
    problems: tuple[Problem, ...]
    heads: tuple[str, ...] = ()
    """The root, and the hash of each attestation, oldest first."""
    history: tuple[str, ...] = ()
    """The heads of the seals before this one, as it names them, oldest first."""
    signer: str = ""
    """SHA-256 of the public key with which the signatures were checked; empty where none was given."""
    uncovered: tuple[str, ...] = ()
    """Paths in the folder that another program's signature leaves out, so that anything may lie there."""

    @property
    def head(self) -> str:
        """The hash of the newest attestation, or else the root: to pin it finds something older in its place."""
        return self.heads[-1] if self.heads else self.root

    @property
    def ok(self) -> bool:
        """Whether everything is as it was sealed."""
        return not self.problems

    def __repr__(self) -> str:
        listed = "".join(f"\n  {found.kind} {found.path}: {found.detail}" for found in self.problems)
        return f"Verification({self._result}, root {self.root}){listed}"

    def _repr_html_(self) -> str:
        said = Markup("<p><b>{}</b>, root <code>{}</code></p>").format(self._result, self.root)
        rows = [(found.kind, found.path, found.detail) for found in self.problems]
        return said + (table_html(("what", "file", "detail"), rows) if rows else Markup(""))

    @property
    def _result(self) -> str:
        if self.ok:
            return "unchanged"
        return plural(len(self.problems), "difference")
