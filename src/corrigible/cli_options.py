"""Arguments and options that commands share, and the kinds of values that they take."""

import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from corrigible.printable import one_line


class Place(click.Path):
    """A path; one that is too long or leads in a circle is refused here, a missing one by the verb."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(path_type=Path, **settings)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            Path(value).stat()
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
                self.fail(f"{one_line(str(value))!r} cannot be used as a path ({error.strerror}).", param, ctx)
        except ValueError as error:
            self.fail(f"{one_line(str(value))!r} cannot be used as a path ({error}).", param, ctx)
        return super().convert(value, param, ctx)


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """A number such as 3, or all from one to another, such as 3-17."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        first, dash, last = str(value).partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or len(value) > 30:
            self.fail(f"{one_line(str(value))!r} is no number; expected one such as 3, or a range such as 3-17.")
        if dash and int(last) < int(first):
            self.fail(f"{one_line(str(value))!r} goes backwards; expected the smaller number first, such as 3-17.")
        return range(int(first), int(last) + 1) if dash else int(first)


class Weight(click.ParamType):  # type: ignore[type-arg]
    """A number of at least 0, or auto."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return value if value == "auto" else float(value)
        except ValueError:
            self.fail(f"{one_line(str(value))!r} is no weight; expected a number, or auto.")


STUDY = click.argument("study", type=Place(file_okay=False))
SEED = click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), help="Seed of every random choice [default: the recipe's]."
)
DEVICE = click.option("--device", default="cpu", show_default=True, help="Where to compute: cpu, cuda, cuda:1, mps.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print each record as one JSON line.")
AUTHOR = click.option("--author", default="", help="Who says so.")
NOTE = click.option("--note", default="", help="Why.")


def deciding(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what the verbs that decide about a correction share: STUDY, --run, --author, --note and --json."""
    run = click.option("--run", default="", help="The correction [default: the latest].")
    return STUDY(run(AUTHOR(NOTE(JSON(command)))))


def computing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every computing verb shares: --seed, --device and --json."""
    return SEED(DEVICE(JSON(command)))


class Commands(click.Group):
    """Commands whose usage errors are printable, whatever they echo."""

    def main(self, *arguments: Any, **settings: Any) -> Any:
        with suppress(AttributeError):  # A stream that somebody put in place of the terminal.
            for stream in (sys.stdout, sys.stderr):
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        return super().main(*arguments, **settings)

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:
        with _printable_usage():
            return super().make_context(*arguments, **settings)

    def invoke(self, context: click.Context) -> Any:
        with _printable_usage():
            return super().invoke(context)


@contextmanager
def _printable_usage() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = one_line(error.message)
        raise


EPOCHS = click.option("--epochs", type=click.IntRange(1, 10**5), help="For one try: epochs instead of the recipe's.")
