"""A method exists when its family lists it: nothing in a family's folder may be forgotten."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import corrigible

FAMILIES = {
    "corrigible.penalties": ("FEEDBACK_PENALTIES", "RELEVANCE_PENALTIES", "FEEDBACK_LOSSES", "MODEL_PENALTIES"),
    "corrigible.losses": ("LOSSES",),
    "corrigible.augment": ("AUGMENTS", "ATTACKS"),
    "corrigible.augment.attacks": ("ATTACKS",),
    "corrigible.explanations.attribution": ("EXPLAINERS",),
    "corrigible.explanations.coalitions": ("EXPLAINERS",),
    "corrigible.explanations.interactions": ("INTERACTIONS",),
    "corrigible.explanations.summaries": ("SUMMARIES",),
    "corrigible.explanations.surrogates": ("SURROGATES",),
    "corrigible.explanations.examples": ("EXAMPLES",),
    "corrigible.explanations.quality": ("QUALITIES",),
    "corrigible.metrics": ("METRICS",),
}
PARTS = {
    "corrigible.augment": {"chances", "columns", "left_in_place", "patches", "pixels", "sightings", "words"},
    "corrigible.augment.attacks": {"choosing"},
    "corrigible.explanations.examples": {"latent", "row_gradients"},
    "corrigible.metrics": {"attack_success", "out_of_distribution", "unmeasured"},
}
"""Files that hold what methods are made of, or compare two data sets, and no method of the family."""
every_family = pytest.mark.parametrize("folder", FAMILIES)


def members(folder: str) -> dict[str, Callable[..., Any]]:
    """The folder's methods by the name under which they are listed."""
    package = importlib.import_module(folder)
    return {name: method for family in FAMILIES[folder] for name, method in vars(package)[family].items()}


def public_functions(folder: str) -> set[Callable[..., Any]]:
    """Functions that the folder's files of methods define; one named ``…_of`` is a core that methods share."""
    files = {info.name for info in pkgutil.iter_modules(importlib.import_module(folder).__path__)}
    files -= {file for file in files if file.startswith("_")} | PARTS.get(folder, set())
    modules = [importlib.import_module(f"{folder}.{file}") for file in files]
    return {
        function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_") and not name.endswith("_of")
    }


def test_what_methods_are_made_of_stays_in_its_folder():
    source = Path(corrigible.__file__).parent.parent
    for path in source.rglob("*.py"):
        package = ".".join(path.parent.relative_to(source).parts)
        for found in re.finditer(r"(?:from|import) (corrigible(?:\.\w+)*)\.(_[a-z]\w+) import", path.read_text()):
            assert found.group(1) == package, f"{path} imports {found.group(2)}"


def function_behind(method: Callable[..., Any]) -> Callable[..., Any]:
    return function_behind(method.func) if isinstance(method, partial) else method


@every_family
def test_every_public_function_is_listed(folder):
    listed = {function_behind(method) for method in members(folder).values()}
    functions = public_functions(folder)
    assert functions
    assert {function.__qualname__ for function in functions - listed} == set()


@every_family
def test_every_function_is_listed_under_its_own_name(folder):
    functions = {name: method for name, method in members(folder).items() if inspect.isfunction(method)}
    assert {name: function.__name__ for name, function in functions.items()} == {name: name for name in functions}


@every_family
def test_every_member_says_in_a_sentence_what_it_returns(folder):
    for name, method in members(folder).items():
        sentence = (function_behind(method).__doc__ or "").strip().partition("\n")[0]
        assert sentence.endswith((".", ":")), name


@every_family
def test_every_argument_with_a_default_is_keyword_only(folder):
    for name, method in members(folder).items():
        for argument in inspect.signature(method).parameters.values():
            assert argument.default is argument.empty or argument.kind is argument.KEYWORD_ONLY, (name, argument.name)
