"""The verb ``methods``: lists everything that a recipe can name, without loading it."""

import json
from collections.abc import Iterator
from importlib import resources

from corrigible.workflow.records import Method


def methods() -> Iterator[Method]:
    """Every method of every family with its first sentence and its settings.

    They are read from a file that ``make docs`` writes from the code.
    """
    text = resources.files("corrigible").joinpath("templates", "methods.json").read_text(encoding="utf-8")
    yield from (Method(**found) for found in json.loads(text))
