"""Methods by name, and what their settings may be."""

import sys
from types import ModuleType
from typing import Literal

import pytest

from corrigible.errors import RecipeError
from corrigible.methods import method_named, settings_of, with_settings


def blur(
    x: int,
    *,
    radius: float = 1.0,
    num_steps: int = 3,
    edges: Literal["wrap", "zero"] = "zero",
    is_fast: bool = False,
    layer: str | None = None,
    sizes: tuple[int, ...] = (),
    name: str,
) -> tuple[int, float, int, str]:
    return x, radius, num_steps, edges


@pytest.fixture
def own_module(monkeypatch) -> None:
    module = ModuleType("own_methods")
    module.blur, module.number = blur, 3
    monkeypatch.setitem(sys.modules, "own_methods", module)


def test_a_member_is_found_by_its_name():
    assert method_named("blur", {"blur": blur}, "penalty") is blur


def test_a_user_function_is_found_by_module_and_name(own_module):
    assert method_named("own_methods:blur", {}, "penalty").__wrapped__ is blur


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("blurr", r"unknown penalty 'blurr': did you mean 'blur'\? known: blur, sharpen"),
        ("xyz", "unknown penalty 'xyz': known: blur, sharpen"),
        ("no_such_module:blur", "cannot import 'no_such_module'.*PYTHONPATH"),
        ("own_methods:blurr", "module 'own_methods' has no 'blurr'"),
        ("own_methods:number", "is a int; expected a function"),
        (":blur", "is ':blur'; expected module:function"),
        ("own_methods:", "is 'own_methods:'; expected module:function"),
    ],
)
def test_an_unknown_name_is_refused_with_what_to_do(name, message, own_module):
    with pytest.raises(RecipeError, match=message):
        method_named(name, {"blur": blur, "sharpen": blur}, "penalty")


def test_settings_are_the_keyword_only_arguments():
    settings = settings_of(blur)
    assert list(settings) == ["radius", "num_steps", "edges", "is_fast", "layer", "sizes", "name"]
    assert settings["radius"] == 1.0
    assert settings["edges"] == "zero"


def test_settings_are_filled_in():
    found = with_settings(blur, {"radius": 2.5, "edges": "wrap", "name": "a"}, "augment 'blur'")
    assert found(7) == (7, 2.5, 3, "wrap")


@pytest.mark.parametrize(
    "settings",
    [
        {"radius": 2},
        {"layer": None},
        {"layer": "conv"},
        {"is_fast": True},
        {"sizes": (1, 2)},
        {"sizes": "left to blur"},
    ],
)
def test_fitting_values_are_taken(settings):
    assert with_settings(blur, settings, "augment 'blur'").keywords == settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"raduis": 1.0}, "augment 'blur': unknown setting 'raduis': did you mean 'radius'"),
        ({"x": 1}, "unknown setting 'x'"),
        ({"radius": "1.0"}, "setting 'radius' is '1.0'; expected float"),
        ({"radius": True}, "setting 'radius' is True; expected float"),
        ({"radius": None}, "setting 'radius' is None; expected float"),
        ({"num_steps": 2.0}, "setting 'num_steps' is 2.0; expected int"),
        ({"num_steps": False}, "setting 'num_steps' is False; expected int"),
        ({"is_fast": 1}, "setting 'is_fast' is 1; expected bool"),
        ({"edges": "warp"}, "setting 'edges' is 'warp'; did you mean 'wrap'\\? expected one of 'wrap', 'zero'"),
        ({"layer": 3}, "setting 'layer' is 3; expected str or None"),
    ],
)
def test_other_settings_are_refused_with_what_was_expected(settings, message):
    with pytest.raises(RecipeError, match=message):
        with_settings(blur, settings, "augment 'blur'")


def test_a_list_is_not_one_of_the_choices():
    with pytest.raises(RecipeError, match="expected one of"):
        with_settings(blur, {"edges": ["wrap"]}, "augment 'blur'")
