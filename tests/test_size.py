"""The soft budget: a file stays within 300 lines, a function within 40."""

import ast
from pathlib import Path

import pytest

import corrigible

SOURCE = Path(corrigible.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40


def num_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from ``def`` to the last one; the docstring is not counted, so that nobody saves on it."""
    documentation = function.body[0] if ast.get_docstring(function, clean=False) is not None else None
    described = documentation.end_lineno - documentation.lineno + 1 if documentation else 0
    return function.end_lineno - function.lineno + 1 - described


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_file_and_its_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_FILE_LINES
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {f.name: num_lines(f) for f in functions if num_lines(f) > MAX_FUNCTION_LINES} == {}


def test_a_docstring_is_not_counted():
    (function,) = ast.parse('def f(\n    x,\n):\n    """One.\n\n    Two.\n    """\n    return x').body
    assert num_lines(function) == 4
