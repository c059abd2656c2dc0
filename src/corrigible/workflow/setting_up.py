"""The verb that makes a study."""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from corrigible.data.kinds import KINDS
from corrigible.errors import RecipeError, unknown
from corrigible.study import create_study
from corrigible.workflow.records import Finished


def init(folder: Path, *, kind: str = "image") -> Iterator[Finished]:
    """Make a study folder with a commented recipe for this kind of data."""
    if kind not in KINDS:
        raise RecipeError(unknown("kind", kind, KINDS))
    recipe = resources.files("corrigible").joinpath("templates", f"recipe-{kind}.toml").read_text(encoding="utf-8")
    create_study(folder, recipe)
    yield Finished("init", str(folder))
