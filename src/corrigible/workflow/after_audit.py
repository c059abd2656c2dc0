"""What to do after an audit of a study: about a leak first, then about what must not count and still does."""

import shlex
from collections.abc import Set
from pathlib import Path

from corrigible.auditing.audited import Audit
from corrigible.auditing.said_of_people import MOVES
from corrigible.said import Features
from corrigible.study import Study


def marked_columns(study: Study) -> frozenset[str]:
    """The columns that feedback says must not matter anywhere."""
    with study.feedback() as store:
        said = [said for _, said in store.active()]
    rules = [s.region for s in said if s.polarity == "irrelevant" and s.scope == "dataset"]
    return frozenset(name for region in rules if isinstance(region, Features) for name in region.names)


def after_audit(found: Audit, folder: Path, marked: Set[str], *, is_corrected: bool) -> tuple[str, ...]:
    """The next command: about the first leak or column that must not count and moves predictions; else the report.

    Args:
        marked: columns that must not matter already.
        is_corrected: whether the audited model is a correction.
    """
    where = shlex.quote(str(folder))
    leaks = [leak.column for leak in found.leaks]
    moving = [moved.what for moved in found.reliance if moved.mean > MOVES * found.span and ", " not in moved.what]
    for columns, why in ((leaks, "if it is not known before the decision"), (moving, "if it must not matter")):
        new = [column for column in columns if column not in marked]
        if new:
            return (f"corrigible feedback add {where} --feature {shlex.quote(new[0])}  # {why}; then correct",)
    standing = [*(() if is_corrected else leaks), *moving]
    if standing:
        return (f"corrigible correct {where}  # {standing[0]} is marked, and may still count",)
    return (f"corrigible report {where}  # what to hand on",)
