"""What somebody said, in a few words."""

from corrigible.types import Features, Feedback, Phrase, Region


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
