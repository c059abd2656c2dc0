"""What all lines share: their width, the colours of outcomes, and the steps of a progress bar."""

import shutil
import textwrap
from typing import NamedTuple

from corrigible.lines.pace import times

COLOURS = {"corrected": "green", "partly corrected": "yellow", "no reliance found": "yellow", "failed": "red"}
"""The colour of each outcome of a verdict."""
WIDTH = 80


class Step(NamedTuple):
    """The progress of a stage."""

    stage: str
    number: int
    total: int
    values: str
    """Further values to print."""
    is_noted: bool
    """Whether each step is a line if the output is no terminal; otherwise only the last step is."""


def step_in_words(step: Step, seconds: float) -> str:
    """The text that stays on the screen when a step is done, with the time it took; long text takes several lines."""
    said = f"{step.stage} {step.number}/{step.total}  {step.values}".rstrip() + f"  ({times(seconds, None)})"
    return "\n".join(wrapped(said))


def wrapped(text: str) -> list[str]:
    """Lines that are read with ease, the second and later ones indented; a number stays with its %."""
    width = min(WIDTH, shutil.get_terminal_size().columns)
    joined = text.replace(" %", "\u00a0%")
    lines = textwrap.wrap(joined, width, initial_indent="  ", subsequent_indent="    ", break_long_words=False)
    return [line.replace("\u00a0", " ") for line in lines]
