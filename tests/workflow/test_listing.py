"""What `corrigible methods` lists."""

import inspect

import pytest

from corrigible.explanations import layers, trees, trust, words
from corrigible.workflow.listing import methods
from corrigible.workflow.method_families import FAMILIES, listed


def called_with(module, parameter):
    """The public functions of a module that take this argument."""
    functions = (found for name, found in inspect.getmembers(module, inspect.isfunction) if not name.startswith("_"))
    return {
        function.__name__
        for function in functions
        if function.__module__.startswith(module.__name__) and parameter in inspect.signature(function).parameters
    }


@pytest.mark.parametrize(
    ("module", "parameter", "family"),
    [
        (trust, "method", "trust check"),
        (words, "text", "text or tree explainer"),
        (trees, "x", "text or tree explainer"),
        (layers, "layer", "layer explainer"),
        (layers, "attribution", "summary"),
    ],
)
def test_what_belongs_to_no_folder_of_methods_is_listed_too(module, parameter, family):
    found = {name for name in called_with(module, parameter) if not name.endswith("_of")}
    assert found and found <= set(FAMILIES[family])


def test_every_method_is_listed_once_with_a_sentence():
    listed = list(methods())
    names = [(method.family, method.name) for method in listed]
    assert len(set(names)) == len(names) == sum(map(len, FAMILIES.values()))
    assert [method.name for method in listed if not method.summary] == []


def test_what_is_listed_without_loading_any_method_is_what_there_is():
    assert list(methods()) == list(listed()), "run `make docs`"
