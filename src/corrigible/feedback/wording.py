"""What somebody said, in a few words."""

from collections.abc import Sequence

from corrigible.data.naming import Names
from corrigible.figures import percent
from corrigible.said import Feedback

MOST = 0.9
"""The largest share of an input that a mask marks without a word."""


def statement(said: Feedback, names: Names) -> str:
    """What was said: about which rows, what, and by whom if that is known."""
    where = names.place(label=said.label, row=said.row if said.scope == "row" else None)
    by = f", by {said.author}" if said.author else ""
    return f"'{said.polarity} in {where}: {said.region}{by}'"


def marks_most(statements: Sequence[Feedback], share: float, names: Names) -> str:
    """What a person should know about statements that mark nearly everything, up to this share of an input."""
    check = "check that the mask is not the wrong way round"
    return f"{many(statements, names)} up to {percent(share, 0)} of the input; {check}"


def many(statements: Sequence[Feedback], names: Names) -> str:
    """The beginning of a sentence about what the statements mark: the only one and "marks", or several and "mark"."""
    if len(statements) == 1:
        return f"{statement(statements[0], names)} marks"
    return f"{len(statements)} statements, such as {statement(statements[0], names)}, mark"
