"""The page for actuaries: its commands run without Python, and every number on it is one that they print."""

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from corrigible.cli import main
from corrigible.recipe import Recipe

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "how-to" / "insurance.md").read_text(encoding="utf-8")
POLICIES = ROOT / "examples" / "policies"
NUMBER = re.compile(r"[−-]?\d+(?:[.,]\d+)*")


def blocks(kind: str = r"\w+") -> list[tuple[str, str]]:
    return re.findall(rf"```({kind})\n(.*?)```", PAGE, flags=re.S)


def commands() -> Iterator[list[str]]:
    for _, block in blocks("sh"):
        yield from (shlex.split(line) for line in block.splitlines())


def test_the_policies_are_those_that_the_tool_draws() -> None:
    drawn = runpy.run_path(str(ROOT / "tools" / "policies.py"))["policies"]()
    assert {split: (POLICIES / f"{split}.csv").read_text(encoding="utf-8") for split in drawn} == drawn
    assert drawn["train"].startswith(blocks("csv")[0][1])


def test_the_recipe_can_be_read_and_every_command_has_these_options(tmp_path: Path) -> None:
    (recipe,) = [block for _, block in blocks("toml")]
    assert Recipe.parse(recipe).task == tomllib.loads(recipe)["task"]
    for program, *words in commands():
        if program != "corrigible":
            assert program in ("mkdir", "cp")
            continue
        command: click.Command = main
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        command.make_context("corrigible", list(words), resilient_parsing=True)
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options


def test_every_number_in_the_prose_is_one_that_was_printed() -> None:
    prose = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", PAGE, flags=re.S)
    printed = NUMBER.findall("\n".join(block for _, block in blocks("text")))
    assert set(NUMBER.findall(prose)) - {"95"} <= set(printed)


@pytest.mark.slow
def test_the_commands_print_what_the_page_shows(tmp_path: Path) -> None:
    shutil.copytree(POLICIES, tmp_path / "examples" / "policies")
    said, shown = "", []
    for kind, block in blocks():
        if kind == "sh":
            said = run(block, tmp_path)
        elif kind == "toml":
            (tmp_path / "motor" / "recipe.toml").write_text(block, encoding="utf-8")
        elif kind == "text":
            shown.append((block, said))
    for block, output in shown:
        lines = iter(output.splitlines())
        for line in block.splitlines():
            assert any(is_like(line, other) for other in lines), f"{line!r} is not in, or not in this order:\n{output}"


def run(block: str, folder: Path) -> str:
    """What the commands print, as a person sees it, without Python on the path."""
    shim = folder / "corrigible"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m corrigible "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    environment = os.environ | {"PATH": f"{folder}:/usr/bin:/bin"}
    done = subprocess.run(
        ["sh", "-ec", block], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def is_like(shown: str, printed: str) -> bool:
    """Whether both lines have the same words, and numbers that differ as little as between two computers."""
    words = [" ".join(NUMBER.sub("#", line).split()) for line in (shown, printed)]
    numbers = [[float(n.replace("−", "-").replace(",", "")) for n in NUMBER.findall(line)] for line in (shown, printed)]
    return words[0] == words[1] and all(abs(a - b) <= 0.1 * abs(a) + 0.05 for a, b in zip(*numbers, strict=True))
