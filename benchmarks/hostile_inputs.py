"""Hostile inputs by family: from chance and a folder, a call that is not made yet."""

import importlib
import io
import math
import os
import pkgutil
import random
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hostile_answers import Call, called, each, told
from PIL import Image

import corrigible

Random = random.Random
VALUES = (
    *(
        "0",
        "-1",
        "1e400",
        "nan",
        "true",
        '""',
        '"\\u001b[2J\\u202e"',
        "[]",
        "[[]]",
        "{}",
        "2026-01-01",
        "0.5",
        '"../../x"',
    ),
    *(str(10**k) for k in (3, 9, 18, 30)),
    *('"/dev/zero"', '"no_such:thing"', '"builtins:exit"', '"builtins:dict"', '"os:abort_"', f'"{"h" * 5000}"', "[-1]"),
    f"[{10**8}, {10**8}]",
)
SHAPES = ((10**6, 10**6), (2**31, 2), (0,), (), (1,) * 40, (8, 8), (3, 8, 8), (7,))
ODD = (
    "",
    "-1",
    "0",
    str(10**30),
    "nan",
    "\x1b[2J",
    "../..",
    "/dev/zero",
    "h" * 5000,
    "\u202e",
    "train",
    "🦆",
    "--",
    "a:b",
)
ODD_VALUES = (
    *(None, -1, 0, 1.5, 10**30, math.nan, math.inf, True, "", "h" * 10**5, b"x", (), [], {}, object(), print, [None]),
    *(
        np.zeros(3),
        np.zeros((2, 2), object),
        torch.zeros(0),
        torch.full((4, 3), math.nan),
        torch.zeros(4, 3).to_sparse(),
    ),
    *(
        torch.ones(4, 3, dtype=torch.complex64),
        torch.zeros(4, 3, dtype=torch.int8),
        10**9,
        "input_gradient",
        ["accuracy"],
    ),
)
TABLE = """format = 1
seed = 3
validation_split = "test"
[data]
kind = "table"
target = "y"
[model]
name = "table_mlp"
hidden = [4]
[train]
epochs = 1
batch_size = 32
[correct]
epochs = 1
[[penalty]]
name = "energy_outside"
weight = 1.0
[explain]
method = "integrated_gradients"
steps = 4
[evaluate]
metrics = ["accuracy", "flip_rate"]
num_donors = 3
num_resamples = 5
"""
IMAGES = TABLE.replace('"table"\ntarget = "y"', '"image"\nsize = 8\nchannels = 1').replace('"table_mlp"', '"mlp"')


@cache
def finished(recipe: str) -> Path:
    """A small study with feedback, trained and evaluated."""
    for found in pkgutil.walk_packages(corrigible.__path__, "corrigible."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    folder = Path(tempfile.mkdtemp(prefix="hostile-study-")) / "study"
    kind = "table" if recipe == TABLE else "image"
    for words in (("init", folder, "--kind", kind),):
        assert told(*words)[0] == "answered"
    chance = np.random.default_rng(5)
    for split in ("train", "test"):
        if kind == "table":
            rows = "".join(
                f"{a:.2f},{b:.2f},{'uvw'[k % 3]},{int(a > 0)}\n" for k, (a, b) in enumerate(chance.normal(size=(40, 2)))
            )
            (folder / "data" / f"{split}.csv").write_text("income,height,site,y\n" + rows)
            continue
        for name in ("cup", "jug"):
            (folder / "data" / split / name).mkdir(parents=True)
            for number in range(4):
                grey = chance.integers(0, 255, (8, 8), dtype=np.uint8)
                Image.fromarray(grey).save(folder / "data" / split / name / f"{number}.png")
    (folder / "recipe.toml").write_text(recipe)
    region = ("--feature", "site") if kind == "table" else ("--box", 0, 0, 2, 2)
    for words in (("train", folder), ("feedback", "add", folder, *region), ("evaluate", folder), ("seal", folder)):
        outcome = told(*words)
        assert outcome[0] == "answered", outcome
    return folder


def fresh(recipe: str, folder: Path) -> Path:
    """A copy of the finished study."""
    return Path(shutil.copytree(finished(recipe), folder / "study"))


def mutated(content: bytes, chance: Random) -> bytes:
    """The bytes with some changed, dropped, repeated or put in."""
    found = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8))):
        place, length = chance.randrange(len(found) + 1), chance.choice((1, 2, 8, 64))
        kind = chance.randrange(5)
        if kind == 0 and place < len(found):
            found[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del found[place : place + length]
        elif kind == 2:
            found[place:place] = found[place : place + length] * chance.choice((1, 100))
        elif kind == 3:
            found[place:place] = chance.choice(
                (b"\x00", b"\xff" * 8, b'"', b",", b"\n", b"9" * 30, b"{" * 50, "\u202e\x1b[2J".encode())
            )
        else:
            del found[place:]
    return bytes(found)


def placed(path: Path, chance: Random, content: bytes) -> None:
    """Put the content in the file's place, or a link, a pipe, a folder, nothing, or a hole of a terabyte."""
    kind = chance.randrange(12)
    path.unlink(missing_ok=True)
    if kind == 0:
        path.symlink_to(chance.choice(("/dev/zero", "/etc/hostname", path.name, "nowhere")))
    elif kind == 1:
        os.mkfifo(path)
    elif kind == 2:
        path.mkdir()
    elif kind == 3:
        with path.open("wb") as file:
            file.write(content)
            file.truncate(chance.choice((1 << 20, 1 << 30, 1 << 40)))
    elif kind > 4:
        path.write_bytes(content)


def of_recipes(chance: Random, folder: Path) -> Call:
    recipe = chance.choice((TABLE, IMAGES))
    study, lines = fresh(recipe, folder), recipe.splitlines()
    for _ in range(chance.choice((1, 1, 2))):
        place = chance.choice([k for k, line in enumerate(lines) if "=" in line])
        lines[place] = f"{lines[place].split('=')[0]}= {chance.choice(VALUES)}"
    text = "\n".join(lines).encode() if chance.random() < 0.8 else mutated(recipe.encode(), chance)
    (study / "recipe.toml").write_bytes(text)
    return each(("trust", study), (chance.choice(("train", "explain", "evaluate", "correct")), study))


def of_tables(chance: Random, folder: Path) -> Call:
    study = fresh(TABLE, folder)
    path = study / "data" / f"{chance.choice(('train', 'test'))}.csv"
    placed(path, chance, mutated(path.read_bytes(), chance))
    return each((chance.choice(("train", "evaluate")), study))


def header(chance: Random) -> bytes:
    text = f"{{'descr': '{chance.choice(('|b1', '<f8', '|u1', '|O', '<U9'))}', 'fortran_order': False, 'shape': "
    text += chance.choice((f"{chance.choice(SHAPES)}, }}", "(" * 3000, "None}"))
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text.encode() + b"\n" + bytes(64)


def of_arrays(chance: Random, folder: Path) -> Call:
    study = fresh(IMAGES, folder)
    (study / "recipe.toml").write_text(IMAGES.replace("size = 8\nchannels = 1", ""))
    packed, arrays = io.BytesIO(), {"x": np.zeros((6, 8, 8), np.uint8), "y": np.arange(6) % 2}
    np.savez_compressed(packed, **arrays)
    content = mutated(packed.getvalue(), chance)
    if chance.random() < 0.5:
        with zipfile.ZipFile(packed := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("x.npy", header(chance) + bytes(chance.choice((0, 10**8))))
            file.writestr("y.npy", header(chance))
        content = packed.getvalue()
    for split in ("train", "test"):
        shutil.rmtree(study / "data" / split)
        placed(study / "data" / f"{split}.npz", chance, content)
    return each(("train", study))


def of_images(chance: Random, folder: Path) -> Call:
    study = fresh(IMAGES, folder)
    path, content = study / "data" / "train" / "cup" / "0.png", io.BytesIO()
    side = chance.choice((1, 8, 300, 9000))
    form = chance.choice(("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP"))
    Image.new(chance.choice(("L", "RGB")), (side, side)).save(content, form)
    placed(path, chance, mutated(content.getvalue(), chance) if chance.random() < 0.8 else content.getvalue())
    return each(("train", study))


def of_masks(chance: Random, folder: Path) -> Call:
    study, mask, content = fresh(IMAGES, folder), folder / "mask.npy", io.BytesIO()
    np.save(content, np.ones((8, 8), bool))
    placed(mask, chance, mutated(content.getvalue(), chance) if chance.random() < 0.5 else header(chance))
    return each(("feedback", "add", study, "--mask", mask, "--row", 0))


def of_feedback(chance: Random, folder: Path) -> Call:
    study, file = fresh(chance.choice((TABLE, IMAGES)), folder), folder / "said.json"
    told("feedback", "export", study, file)
    placed(file, chance, mutated(file.read_bytes(), chance))
    return each(("feedback", "import", study, file), ("feedback", "list", study))


def of_kept(pattern: str, *verbs: tuple[str, ...]) -> Callable[[Random, Path], Call]:
    """Files that the package itself wrote, changed by somebody."""

    def changed(chance: Random, folder: Path) -> Call:
        study = fresh(TABLE, folder)
        path = chance.choice(sorted(path for path in study.glob(pattern) if path.is_file()))
        placed(path, chance, mutated(path.read_bytes(), chance))
        words = chance.choice(verbs)
        return each((*words, next(study.glob("sealed/*")) if "sealed" in pattern else study))

    return changed


def of_arguments(chance: Random, folder: Path) -> Call:
    study = fresh(TABLE, folder)
    verbs = (
        "train",
        "explain",
        "correct",
        "compare",
        "evaluate",
        "report",
        "seal",
        "verify",
        "suspect",
        "init",
        "trust",
    )
    options = ("--seed", "--device", "--run", "--name", "--root", "--split", "--method", "--all", "--json", "--kind")
    said = ("--feature", "--box", "--row", "--label", "--split", "--token", "--phrase", "--mask", "--note", "--author")
    if chance.random() < 0.5:
        words = ["feedback", chance.choice(("add", "import", "export", "list", "retract")), str(study)]
        options = said
    else:
        words = [chance.choice(verbs), chance.choice((str(study), str(study), *ODD))]
    for _ in range(chance.randrange(4)):
        words += [chance.choice(options)] if chance.random() < 0.8 else []
        words += [chance.choice((*ODD, "0", "1", "site"))]
    os.chdir(folder)
    return each(tuple(words))


def of_calls(chance: Random, folder: Path) -> Call:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    x, y, said = torch.randn(20, 3), torch.arange(20) % 2, [corrigible.Feedback([True, False, False], row=0)]
    calls: dict[Any, tuple[list[Any], dict[str, Any]]] = {
        corrigible.explain: ([model, x, 0], {"method": "integrated_gradients", "steps": 4, "seed": 0, "score": None}),
        corrigible.correct: (
            [model, (x, y), said],
            {"epochs": 1, "batch_size": 8, "seed": 0, "penalties": None, "augment": None},
        ),
        corrigible.evaluate: (
            [model, (x, y)],
            {"metrics": ["accuracy"], "num_resamples": 5, "feedback": said, "batch_size": 8},
        ),
    }
    function = chance.choice(list(calls))
    arguments, settings = calls[function]
    for _ in range(chance.choice((1, 1, 2))):
        place = chance.choice([*range(len(arguments)), *settings])
        (arguments if isinstance(place, int) else settings)[place] = chance.choice(ODD_VALUES)  # type: ignore[index]
    return partial(called, function, *arguments, **settings)


FAMILIES: dict[str, Callable[[Random, Path], Call]] = {
    "recipes": of_recipes,
    "tables": of_tables,
    "arrays": of_arrays,
    "images": of_images,
    "masks": of_masks,
    "feedback": of_feedback,
    "manifests": of_kept("sealed/*/*", ("verify",)),
    "records": of_kept("runs/*/*.json*", ("report",), ("verify",), ("explain",), ("seal", "--name", "again")),
    "weights": of_kept("runs/*/*.safetensors", ("explain",), ("report",), ("verify",)),
    "arguments": of_arguments,
    "calls": of_calls,
}
