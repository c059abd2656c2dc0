"""The verbs that make a study, and that trust one."""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from corrigible.errors import RecipeError, unknown
from corrigible.study import create_study, open_study
from corrigible.trusted_code import code_named, trust_code
from corrigible.workflow.records import Finished, Line


def init(folder: Path, *, kind: str = "image") -> Iterator[Finished]:
    """Make a study folder with a commented recipe for this kind of data."""
    templates = resources.files("corrigible").joinpath("templates")
    names = sorted(template.name for template in templates.iterdir())
    kinds = [name.removeprefix("recipe-").removesuffix(".toml") for name in names if name.startswith("recipe-")]
    if kind not in kinds:
        raise RecipeError(unknown("kind", kind, kinds))
    recipe = templates.joinpath(f"recipe-{kind}.toml").read_text(encoding="utf-8")
    create_study(folder, recipe)
    yield Finished("init", str(folder))


def trust(folder: Path) -> Iterator[Line | Finished]:
    """Trust the code that the study's recipe names, now and in its runs; what is named is listed, and nothing is run.

    Raises:
        StudyError: the folder is no study, or trust cannot be remembered.
    """
    study = open_study(folder)
    recipes = {"recipe.toml": study.recipe_text, **{run.name: str(run.record["recipe"]) for run in study.runs()}}
    named = {where: code for where, text in recipes.items() if (code := code_named(text))}
    for where, code in named.items():
        trust_code(recipes[where])
        yield Line(f"{where} runs {', '.join(code)}")
    if not named:
        yield Line("the recipe names no code: there is nothing to trust")
    yield Finished("trust", str(folder))
