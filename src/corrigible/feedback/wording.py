"""What somebody said, in a few words."""

from collections.abc import Sequence

from corrigible.said import Features, Feedback, Phrase, Region

MOST = 0.9
"""The largest share of an input that a mask marks without a word."""


def described(region: Region) -> str:
    """The region in a few words."""
    if isinstance(region, Features):
        return ", ".join(region.names)
    if isinstance(region, Phrase):
        return " ".join(region.words)
    shape = " × ".join(map(str, region.mask.shape))
    return f"{int(region.mask.sum())} of {region.mask.size} positions ({shape})"


def statement(said: Feedback) -> str:
    """What was said: about which rows, what, and by whom if that is known."""
    where = {"row": f"row {said.row}", "class": f"class {said.label}", "dataset": "every row"}[said.scope]
    by = f", by {said.author}" if said.author else ""
    return f"'{said.polarity} in {where}: {described(said.region)}{by}'"


def marks_most(statements: Sequence[Feedback], share: float) -> str:
    """What a person should know about statements that mark nearly everything, up to this share of an input."""
    return f"{many(statements)} up to {share:.0%} of the input; check that the mask is not the wrong way round"


def many(statements: Sequence[Feedback]) -> str:
    """The statements as the subject of what they mark."""
    if len(statements) == 1:
        return f"{statement(statements[0])} marks"
    return f"{len(statements)} statements, such as {statement(statements[0])}, mark"
