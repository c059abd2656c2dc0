"""The background for which a recipe gives a number of rows."""

from dataclasses import replace

import torch

from corrigible.data.dataset import rows_of
from corrigible.errors import RecipeError
from corrigible.recipe import Recipe, load_data
from corrigible.study import Study


def with_background(study: Study) -> Recipe:
    """The study's recipe; if ``[explain] background`` is a number, it is replaced by as many training rows.

    The recipe's seed draws the rows, so that every verb uses the same ones.

    Raises:
        RecipeError: not a whole number of rows of the training split.
    """
    recipe = study.recipe
    settings = recipe.explain.settings
    if "background" not in settings:
        return recipe
    count, data = settings["background"], load_data(recipe, study.folder, "train")
    if type(count) is not int or not 1 <= count <= len(data):
        raise RecipeError(
            f"[explain] background is {count!r}; expected how many of the {len(data)} training rows to take, such as 50"
        )
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(recipe.seed))
    rows = rows_of(data, order[:count].sort().values).x
    return replace(recipe, explain=replace(recipe.explain, settings={**settings, "background": rows}))
