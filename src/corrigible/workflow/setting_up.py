"""The verbs that make a study, and that trust one."""

import json
import logging
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from corrigible.errors import RecipeError, unknown
from corrigible.study import create_study, open_study
from corrigible.trusted_code import code_named, trust_code
from corrigible.workflow.fitted_recipe import first_steps, fitted_recipe
from corrigible.workflow.found_data import FoundTable, found_in, found_in_words
from corrigible.workflow.next_steps import next_steps
from corrigible.workflow.records import Finished, Line

log = logging.getLogger(__name__)


def init(folder: Path, *, kind: str | None = None) -> Iterator[Finished]:
    """Make a study folder with a commented recipe, fitted to the data that is there already.

    Args:
        kind: of the data; None for that of the files in ``data``, or if there are none, images.

    Raises:
        StudyError: the folder holds a study already.
        DataError: data that no recipe fits as it lies there; the message says where to put it.
    """
    templates = resources.files("corrigible").joinpath("templates")
    names = sorted(template.name for template in templates.iterdir())
    kinds = [name.removeprefix("recipe-").removesuffix(".toml") for name in names if name.startswith("recipe-")]
    if kind is not None and kind not in kinds:
        raise RecipeError(unknown("kind", kind, kinds))
    is_new = not (folder / "recipe.toml").exists()  # A folder that is none is refused below.
    found = found_in(folder / "data") if is_new else None
    kind = kind or ("image" if found is None else found.kind)
    create_study(folder, fitted_recipe(kind, found, folder.resolve().name))
    for name, holds in found.names_of_rows.items() if isinstance(found, FoundTable) and kind == "table" else ():
        log.warning(
            f"column {name!r} holds {holds}, from which nothing can be learned about other rows; leave it out: "
            f"drop = [{json.dumps(name, ensure_ascii=False)}] in [data] of recipe.toml"
        )
    yield Finished("init", str(folder), result=found_in_words(found), next=tuple(first_steps(folder, kind, found)))


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
    yield Finished("trust", str(folder), next=next_steps(folder, "trust"))
