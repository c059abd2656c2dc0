"""An explainer from a method that is written against a game: it also takes the settings of the game."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.explanations.baselines import Baseline
from corrigible.explanations.games.game import Game, game_of
from corrigible.explanations.games.removal import Absent
from corrigible.explanations.groups import Groups
from corrigible.explanations.question import Question
from corrigible.models.forward import Score
from corrigible.types import Columns

Explainer = Callable[..., Float[Tensor, " batch *input"]]
MOST_SINGLE = 256
"""Most inputs of pictures and sequences that Shapley values and regressions take one by one."""
SETTINGS = """
    Settings of the game, which all methods share:
        groups: inputs that are present or absent together; see `corrigible.explanations.groups`.
        baseline: what stands for absent inputs: None for zeros (1/k in a category's k columns); a number, or a tensor
            that broadcasts to one row.
        background: rows of data that stand for absent inputs instead of a baseline, chosen as ``absent`` says.
        absent: "marginal", "independent" or "conditional"; see `corrigible.explanations.games.removal`.
        score, columns, seed, differentiable, rows_at_once: see `corrigible.explain`.

    A DataError is raised for groups, a baseline or a background that do not fit.
    """


def by_coalition(method: Callable[..., Tensor], *, most_single: int | None = None) -> Explainer:
    """The explainer (model, x, target, *, settings) -> like x of a method (game, *, settings) -> like the game's x.

    With more inputs than ``most_single`` and no groups, pictures and sequences are explained in segments.

    The explainer takes the settings of the method and those of `game_with`. A setting of the method that the game has
    too is the game's, with the values that the method allows.
    """
    own = _keyword_only(method)
    of_game = {name: kind for name, kind in _keyword_only(game_with).items() if name != "most_single"}

    @wraps(method)
    def explainer(
        model: nn.Module, x: Float[Tensor, " batch *input"], target: Int[Tensor, " batch *contrast"], **settings: Any
    ) -> Float[Tensor, " batch *input"]:
        chosen = {name: settings[name] for name in of_game if name in settings}
        game = game_with(model, x, target, most_single=most_single, **chosen)
        return method(game, **{name: value for name, value in settings.items() if name in own or name not in of_game})

    first = list(inspect.signature(game_with).parameters.values())[:3]
    every = own | {name: parameter for name, parameter in of_game.items() if name not in own}
    explainer.__signature__ = inspect.Signature([*first, *every.values()])  # type: ignore[attr-defined]
    explainer.__doc__ = f"{(method.__doc__ or '').rstrip()}\n{SETTINGS}"
    return explainer


def _keyword_only(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def game_with(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    groups: Groups = None,
    baseline: Baseline = None,
    background: Tensor | None = None,
    absent: Absent = "marginal",
    score: str | Score = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
    rows_at_once: int = 256,
    most_single: int | None = None,
) -> Game:
    """The game for the score of these rows.

    Raises:
        RecipeError: more than 4096 groups.
        DataError: groups, a baseline or a background that do not fit.
    """
    question = Question(model, x, target, score, seed, rows_at_once, differentiable)
    return game_of(
        question, groups=groups, columns=columns, baseline=baseline, background=background, absent=absent,
        most_single=most_single,
    )  # fmt: skip
