"""A function of the user's own that fails is named with its error and place; it cannot end the program."""

import inspect

import pytest

from corrigible.declarations import declaration_of
from corrigible.errors import NamedFunctionError, RecipeError
from corrigible.named_functions import described, function_named, own_place


def test_its_error_is_named_with_the_line_that_raised():
    with pytest.raises(NamedFunctionError) as failed:
        function_named("own_code:broken", "data source")("train")
    said = "data source 'own_code:broken' raised KeyError: 'no idea where train is' (own_code.py, line 17, in broken)"
    assert str(failed.value) == said
    assert isinstance(failed.value.__cause__, KeyError)


@pytest.mark.parametrize("name", ["own_code:leaving", "builtins:exit"])
def test_it_cannot_end_the_program(name, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)  # Which builtins.exit closes.
    with pytest.raises(NamedFunctionError, match="ended the program"):
        function_named(name, "model")(0)


def test_an_interrupt_by_the_user_goes_through():
    with pytest.raises(KeyboardInterrupt):
        function_named("own_code:interrupted", "data source")("train")


def test_a_module_that_fails_or_leaves_while_it_is_imported_is_named(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name, line in (("raises", "raise ValueError('half written')"), ("leaves", "import sys; sys.exit()")):
        (tmp_path / f"{name}_when_imported.py").write_text(line)
        with pytest.raises(NamedFunctionError, match=r"half written.*line 1|ended the program"):
            function_named(f"{name}_when_imported:f", "penalty")


def test_what_it_takes_and_declares_stays():
    found = function_named("own_code:Width", "model")
    assert list(inspect.signature(found).parameters) == ["width"]
    assert found(width=3).width == 3
    assert declaration_of(function_named("own_code:moved", "augmentation")).kind == "augmentation"


def test_a_function_that_does_not_say_what_it_takes_is_refused():
    with pytest.raises(RecipeError, match="written in Python"):
        function_named("builtins:dict", "model")


def test_an_error_of_the_package_or_of_others_has_no_place_of_ones_own():
    error = ValueError("x")
    assert own_place(error) == ""
    assert described(error) == "ValueError: x"
