"""The background that a recipe asks for by a number of rows."""

from dataclasses import replace

import torch

from corrigible.data.dataset import rows_of
from corrigible.errors import RecipeError
from corrigible.recipe import Recipe, load_data
from corrigible.study import Study


def with_background(study: Study) -> Recipe:
    """The study's recipe, with rows of the training split where ``[explain]`` says how many stand for absent inputs.

    The recipe's seed draws them, so that every verb sees the same ones.

    Raises:
        RecipeError: no whole number of rows of the training split.
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
