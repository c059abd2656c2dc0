"""Methods as recipes write them: lists of tables, each with a name and settings."""

from typing import Any

from corrigible.errors import RecipeError
from corrigible.objective import terms_of
from corrigible.protocols.training_facts import changes_of, require_writable


def written_penalties(entries: list[Any]) -> dict[str, dict[str, Any]]:
    """The penalties' settings by name; a weight that is not given is "auto".

    Raises:
        RecipeError: a missing or repeated name, an unknown method or setting.
    """
    found = _named(entries, "penalty", "energy_outside")
    for name, settings in found.items():
        settings.setdefault("weight", "auto")
        require_writable(name, settings)
        terms_of({name: settings}, may_be_auto=True)
    return found


def written_for_training(augment: Any, penalties: Any) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """The augmentations and penalties of training itself, by name.

    Raises:
        RecipeError: a missing or repeated name, an unknown method or setting, a method that learns from feedback, or a
            weight that is not a number.
    """
    for part, entries in (("augment", augment), ("penalty", penalties)):
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise RecipeError(f"[train]: {part} is {entries!r}; expected tables, written [[train.{part}]]")
    changes, terms = written_augment(augment), written_penalties(penalties)
    for method in [*(term.method for term in terms_of(terms)), *changes_of(changes)]:
        if method.declaration.serves:
            raise RecipeError(
                f"[train]: {method.name} learns from feedback, which training has none of; write it as "
                f"[[{'augment' if method.name in changes else 'penalty'}]], which corrects"
            )
    return changes, terms


def written_augment(entries: list[Any]) -> dict[str, dict[str, Any]]:
    """The augmentations' settings by name.

    Raises:
        RecipeError: a missing or repeated name, an unknown method or setting.
    """
    found = _named(entries, "augment", "transplant")
    for name, settings in found.items():
        require_writable(name, settings, what="augmentation")
        changes_of({name: settings})
    return found


def _named(entries: list[Any], part: str, example: str) -> dict[str, dict[str, Any]]:
    """The settings of each method by its name."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        settings = dict(entry)
        name = settings.pop("name", None)
        if not isinstance(name, str):
            raise RecipeError(f'[[{part}]] {entry!r} has no name; expected name = "{example}" or another')
        if name in found:
            raise RecipeError(f"{part} {name!r} is given twice; expected each {part} once")
        found[name] = settings
    return found
