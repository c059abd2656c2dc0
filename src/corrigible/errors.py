"""Every error a user can fix.

CorrigibleError
├── StudyError            a study folder that is missing, broken, read-only or made by a newer version
├── RecipeError           an unknown method, a misspelt setting, a value of the wrong type
├── NamedFunctionError    a function named as module:function that raised, or ended the program
├── UntrustedError        a recipe that runs code, perhaps somebody else's, and that nobody said to trust
├── DataError             missing or corrupt files, NaN, wrong shapes, only one class
├── FeedbackError         a mask of the wrong shape, a row out of range, a row that has changed
├── UnsupportedModelError a model that lacks what a method needs
├── NoGradientError       an explanation or penalty that no gradient reaches, or that would not reach the parameters
├── TrainingDivergedError a loss that is not a number
├── CorrectionRefusedError every weight of a penalty would make the model worse
├── SealError             a sealed folder that is missing or has no readable manifest
└── ChangedError          a sealed folder that is not as it was sealed

Each message says what was found, what was expected and what to do. It is shown as one printable line of bounded length,
whatever it echoes.
"""

import difflib
from collections.abc import Iterable

from corrigible.printable import one_line
from corrigible.synonyms import known_as


class CorrigibleError(Exception):
    """Root of the errors that a user can fix."""

    def __str__(self) -> str:
        return one_line(super().__str__())


class StudyError(CorrigibleError, ValueError):
    """A study folder that cannot be used as it is."""


class RecipeError(CorrigibleError, ValueError):
    """A recipe or a setting that names something unknown."""


class NamedFunctionError(CorrigibleError, RuntimeError):
    """A function of the user's own, named as ``module:function``, that failed."""


class UntrustedError(CorrigibleError, PermissionError):
    """A recipe that runs code and is not trusted."""


class DataError(CorrigibleError, ValueError):
    """Data that cannot be trained on or explained."""


class FeedbackError(CorrigibleError, ValueError):
    """Feedback that does not fit the data it is about."""


class UnsupportedModelError(CorrigibleError, TypeError):
    """A model that lacks what the method needs."""


class NoGradientError(CorrigibleError, RuntimeError):
    """A differentiable result that would not reach the parameters, or inputs that no gradient reaches."""


class TrainingDivergedError(CorrigibleError, ArithmeticError):
    """A loss or penalty that became infinite or not a number."""


class CorrectionRefusedError(CorrigibleError, RuntimeError):
    """A correction that would make the model worse with every weight that was tried."""


class SealError(CorrigibleError, ValueError):
    """A sealed folder that cannot be read."""


class ChangedError(CorrigibleError, ValueError):
    """A sealed folder that is not as it was sealed; ``problems`` are all differences."""

    def __init__(self, message: str, problems: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


def unknown(what: str, found: str, known: Iterable[str]) -> str:
    """One line naming what was found, the nearest known name and all known names."""
    names = sorted(known)
    return f"unknown {what} {found!r}: {suggestion(what, found, names)}known: {', '.join(names) or 'none'}"


def suggestion(what: str, found: str, known: Iterable[str]) -> str:
    """The question whether the nearest known name was meant, with a space after it; empty if none is near."""
    names = list(known)
    near = [known_as(what, found, names), *difflib.get_close_matches(found, names, n=1)]
    best = next((name for name in near if name), None)
    return f"did you mean {best!r}? " if best else ""
