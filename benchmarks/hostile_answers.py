"""What comes of a hostile input: an answer, a refusal in one line, or something that a user should never see."""

import contextlib
import io
import traceback
from collections.abc import Callable
from typing import Any

import corrigible
from corrigible.cli import main as command_line

Call = Callable[[], tuple[str, str]]
OUTCOMES = ("answered", "refused", "traceback", "no one line", "limit")


def told(*words: object) -> tuple[str, str]:
    """The outcome of a command, and what it printed."""
    printed, errors, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
        try:
            code = command_line([str(word) for word in words]) or 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:  # noqa: BLE001 - whatever it is, a user would see it
            return "traceback", f"{words} {traceback.format_exc()}"
    said = f"{words} {errors.getvalue()}"
    if any(sign in printed.getvalue() + errors.getvalue() for sign in ("\x1b", "\u202e")) or len(said) > 20_000:
        return "no one line", said
    if code == 0:
        return "answered", said
    is_told = sum(line.startswith("error: ") for line in errors.getvalue().splitlines()) == 1
    is_result = any(word in printed.getvalue() for word in ("problems", "failed", "Failed"))
    return ("refused" if code == 2 or is_told or is_result else "no one line"), said


def called(function: Callable[..., object], *arguments: Any, **settings: Any) -> tuple[str, str]:
    """The outcome of a call in Python."""
    try:
        function(*arguments, **settings)
    except (corrigible.CorrigibleError, TypeError, ValueError) as error:
        own = isinstance(error, corrigible.CorrigibleError) or str(error)
        return ("refused" if own and "\n" not in str(error) else "no one line"), f"{type(error).__name__}: {error}"
    except BaseException:  # noqa: BLE001 - whatever it is, a user would see it
        return "traceback", traceback.format_exc()
    return "answered", ""


def each(*commands: tuple[object, ...]) -> Call:
    """The commands one after the other, up to the first that is not answered."""

    def run() -> tuple[str, str]:
        outcome = ("answered", "")
        for words in commands:
            outcome = told(*words)
            if outcome[0] != "answered":
                return outcome
        return outcome

    return run
