"""Photographs with exact masks from Debian's package tuxpaint-stamps-default, on textures from scikit-image.

    apt-get install tuxpaint-stamps-default

or, without changing the system, and with CORRIGIBLE_STAMPS naming the folder ``stamps``:

    apt-get download tuxpaint-stamps-default && dpkg-deb -x tuxpaint-stamps-default_*.deb tuxpaint
    export CORRIGIBLE_STAMPS=$PWD/tuxpaint/usr/share/tuxpaint/stamps

The stamps are under the GPL, version 2: they serve the benchmarks alone. Drawings and toys are left out.
"""

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import skimage.data
import torch
from jaxtyping import Bool, Float, Int
from PIL import Image
from torch import Tensor

from corrigible.errors import DataError, unknown

FOLDER = "/usr/share/tuxpaint/stamps"
VARIABLE = "CORRIGIBLE_STAMPS"
REMEDY = f"apt-get install tuxpaint-stamps-default, or let {VARIABLE} name the folder stamps of that package"
SHA256 = "c6de0d4d036894f87ca407db43c4abaf3ef9a36965ddc00a1e0aecbb25a3b5b7"
"""Of the names and contents of all files that are read, of package version 2022.06.04-1."""
CLASSES = {"plants": ("plants", "food/fruit", "food/nuts", "food/vegetables"), "animals": ("animals",)}
DRAWN = ("cartoon", "plastic", "toys")
DRAWN_FILES = ("bee.png", "echidna.png", "hedgehog.png", "fly.png")
TEXTURES = ("brick", "grass", "gravel", "coffee", "immunohistochemistry", "moon", "hubble_deep_field", "rocket")
SPLITS = {"train": 0.6, "validation": 0.1, "test": 0.3}
"""Shares of the stamps: none is seen in two splits."""
SIZE = 64
SMALLEST, LARGEST = 0.5, 0.8
"""Length of a stamp's longer side over that of the image."""
LEAST_OPACITY = 0.02
"""Below it nothing of the stamp can be seen."""


@dataclass(frozen=True)
class Composites:
    """Stamps on textures."""

    x: Float[Tensor, " row 3 size size"]
    """0 to 1."""
    y: Int[Tensor, " row"]
    """0 plants, 1 animals."""
    background: Bool[Tensor, " row 1 size size"]
    """True where nothing of the stamp can be seen."""


def composites(split: str, num_rows: int, *, seed: int) -> Composites:
    """As many plants as animals, each at a drawn size and place, often mirrored, on a drawn piece of a drawn texture.

    Textures of grey get a drawn tint. Nothing about the background depends on the class.

    Raises:
        DataError: an unknown split; the files are missing or changed.
    """
    if split not in SPLITS:
        raise DataError(unknown("split", split, SPLITS))
    rng = np.random.default_rng([seed, list(SPLITS).index(split)])
    y = np.arange(num_rows) % len(CLASSES)
    stamps = [_of_split(found, split, seed) for found in _stamps().values()]
    rows = [_composite(stamps[label][rng.integers(len(stamps[label]))], rng) for label in y]
    x = torch.from_numpy(np.stack([image for image, _ in rows])).permute(0, 3, 1, 2).contiguous()
    return Composites(x, torch.from_numpy(y).long(), torch.from_numpy(np.stack([mask for _, mask in rows]))[:, None])


def _composite(stamp: Image.Image, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(size, size, 3) image and (size, size) background."""
    longer = round(SIZE * rng.uniform(SMALLEST, LARGEST))
    scale = longer / max(stamp.size)
    small = stamp.resize([max(1, round(side * scale)) for side in stamp.size], Image.Resampling.BOX)
    if rng.random() < 0.5:
        small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = np.asarray(small, dtype=np.float32) / 255
    top, left = (int(rng.integers(SIZE - side + 1)) for side in pixels.shape[:2])
    opacity = np.zeros((SIZE, SIZE, 1), np.float32)
    colour = np.zeros((SIZE, SIZE, 3), np.float32)
    place = slice(top, top + pixels.shape[0]), slice(left, left + pixels.shape[1])
    opacity[place], colour[place] = pixels[..., 3:], pixels[..., :3]
    return opacity * colour + (1 - opacity) * _texture(rng), opacity[..., 0] < LEAST_OPACITY


def _texture(rng: np.random.Generator) -> np.ndarray:
    whole = _textures()[rng.integers(len(TEXTURES))]
    top, left = (int(rng.integers(side - SIZE + 1)) for side in whole.shape[:2])
    piece = whole[top : top + SIZE, left : left + SIZE]
    return piece * rng.uniform(0.5, 1.0, size=3).astype(np.float32) if _is_grey(piece) else piece


def _is_grey(piece: np.ndarray) -> bool:
    return bool((piece == piece[..., :1]).all())


@lru_cache(maxsize=1)
def _textures() -> list[np.ndarray]:
    """Each at half its size, (height, width, 3)."""
    found = []
    for name in TEXTURES:
        image = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        found.append(np.asarray(image.reduce(2), dtype=np.float32) / 255)
    return found


def _of_split(stamps: list[Image.Image], split: str, seed: int) -> list[Image.Image]:
    order = np.random.default_rng(seed).permutation(len(stamps))
    ends = np.cumsum([0, *SPLITS.values()]) * len(stamps)
    place = list(SPLITS).index(split)
    return [stamps[i] for i in order[round(ends[place]) : round(ends[place + 1])]]


@lru_cache(maxsize=1)
def _stamps() -> dict[str, list[Image.Image]]:
    folder = Path(os.environ.get(VARIABLE, FOLDER))
    files = {name: [file for part in parts for file in _photographs(folder, part)] for name, parts in CLASSES.items()}
    digest = hashlib.sha256()
    for file in (file for found in files.values() for file in found):
        digest.update(str(file.relative_to(folder)).encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    if digest.hexdigest() != SHA256:
        raise DataError(f"{folder} has SHA-256 {digest.hexdigest()}, expected {SHA256}: {REMEDY}")
    return {name: [_opened(file) for file in found] for name, found in files.items()}


def _photographs(folder: Path, part: str) -> list[Path]:
    found = sorted((folder / part).rglob("*.png"))
    return [f for f in found if not set(DRAWN) & set(f.parts) and f.name not in DRAWN_FILES]


def _opened(file: Path) -> Image.Image:
    """Without the transparent margin, in colour with opacity."""
    image = Image.open(file).convert("RGBA")
    return image.crop(image.getchannel("A").getbbox())
