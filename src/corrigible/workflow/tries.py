"""Options of a command that stand in place of what the recipe says, for one try; the run's record names them."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from corrigible.augment import AUGMENTS
from corrigible.errors import RecipeError, unknown
from corrigible.protocols.written import written_augment, written_penalties
from corrigible.recipe import Recipe
from corrigible.run_records import FORGET
from corrigible.study import Run, Study

NONE = "none"


def tried(
    study: Study,
    part: Literal["train", "correct"],
    *,
    epochs: int | None = None,
    penalty: str = "",
    weight: float | str | None = None,
    only: Sequence[str] = (),
) -> Study:
    """The study, whose recipe says what was asked for; its new runs record the options.

    Args:
        part: the part of the recipe whose epochs are meant.
        penalty: a penalty or augmentation in place of all that the recipe names, with the settings it has there.
        weight: of that penalty, or of the only one that the recipe names; a number or "auto".
        only: names or labels of the recipe's baselines; "none" for none.

    Raises:
        RecipeError: an unknown name, or a weight without a penalty that it could be of.
    """
    given = {"epochs": epochs, "penalty": penalty, "weight": weight, "only": tuple(only)}
    options = {name: value for name, value in given.items() if value not in (None, "", ())}
    if not options:
        return study
    recipe = study.recipe
    if epochs is not None:
        recipe = replace(recipe, **{part: replace(getattr(recipe, part), epochs=epochs)})
    if penalty or weight is not None:
        recipe = _with_method(recipe, penalty, weight)
    if only:
        recipe = replace(recipe, baselines=_chosen(recipe, only))
    return study.with_recipe(recipe, options)


def as_trained(study: Study, run: Run) -> Study:
    """The study, whose recipe says for how many epochs the run was trained, or the one that then forgot rows."""
    while run.verb == FORGET:
        run = study.run_named(str(run.record["parent"]))
    epochs = run.record.get("options", {}).get("epochs")
    if epochs is None:
        return study
    recipe = study.recipe
    return study.with_recipe(replace(recipe, train=replace(recipe.train, epochs=epochs)), study.options)


def option_words(options: Mapping[str, Any]) -> Iterator[str]:
    """The options of a run as a command takes them."""
    for name, value in options.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            yield f"--{name}" if one is True else f"--{name} {shlex.quote(str(one))}"


def _with_method(recipe: Recipe, name: str, weight: float | str | None) -> Recipe:
    named = dict(recipe.penalties or {})
    if not name:
        if len(named) != 1:
            found = ", ".join(named) or "none"
            raise RecipeError(
                f"--weight without --penalty, and the recipe names {found}; say which with --penalty NAME"
            )
        (name,) = named
    if name in AUGMENTS:
        if weight is not None:
            raise RecipeError(f"{name} is an augmentation and has no weight; leave out --weight")
        return replace(
            recipe, augment=written_augment([{"name": name, **(recipe.augment or {}).get(name, {})}]), penalties={}
        )
    settings = dict(named.get(name, {}))
    if weight is not None:
        settings["weight"] = weight
    return replace(recipe, penalties=written_penalties([{"name": name, **settings}]), augment={})


def _chosen(recipe: Recipe, only: Sequence[str]) -> tuple[Any, ...]:
    """The recipe's baselines with these names or labels, in its order."""
    if NONE in only:
        if len(set(only)) > 1:
            raise RecipeError(f"--only {NONE} beside --only {next(name for name in only if name != NONE)}; name one")
        return ()
    known = [name for baseline in recipe.baselines for name in (baseline.name, baseline.label) if name]
    for name in only:
        if name not in known:
            raise RecipeError(unknown("baseline of this recipe", name, [*dict.fromkeys(known), NONE]))
    return tuple(baseline for baseline in recipe.baselines if {baseline.name, baseline.label} & set(only))
