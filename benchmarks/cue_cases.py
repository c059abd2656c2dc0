"""Cases to correct: a network fooled by a planted cue, for every kind of data, and what may be said about it.

    python benchmarks/cue_cases.py [--kinds image28,text] [--first-seed 100] [--seeds 2]

Digits have their sticker in a corner where the seed is even and anywhere where it is odd; photographs have it anywhere.
Printed: how far a network trained on the cue falls behind one that never saw it, and how long a fine-tuning takes.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import torch
from cue_studies import ANYWHERE, RANDOM, SPREADS, Part, digits, photographs, tables, texts, with_stickers
from digits import trained
from numpy.random import Generator
from torch import Tensor, nn

from corrigible.data.dataset import TensorData
from corrigible.data.tokens import PADDING
from corrigible.models import table_mlp, text_cnn
from corrigible.models.modes import PrivateRandomness, evaluating
from corrigible.protocols.schedule import Schedule
from corrigible.types import Feedback

KINDS = ("image28", "image28_bn", "image48", "image48_bn", "table", "text")
"""``_bn``: the same data for a network with batch normalisation."""
SCHEDULES = {
    "image28": (Schedule(epochs=12), Schedule(epochs=12)),
    "image28_bn": (Schedule(epochs=12), Schedule(epochs=12)),
    "image48": (Schedule(epochs=16, learning_rate=2e-3), Schedule(epochs=12, learning_rate=2e-3)),
    "image48_bn": (Schedule(epochs=16, learning_rate=5e-4), Schedule(epochs=12, learning_rate=5e-4)),
    "table": (Schedule(epochs=40, learning_rate=3e-3), Schedule(epochs=20, learning_rate=3e-3)),
    "text": (Schedule(epochs=12), Schedule(epochs=12)),
    "sixty_photographs": (Schedule(epochs=30, batch_size=32), Schedule(epochs=24, batch_size=32)),
    "planted_name": (Schedule(epochs=24, batch_size=32), Schedule(epochs=24, batch_size=32)),
}


@dataclass(frozen=True)
class Case:
    """Data with a cue; ``validation`` holds it as ``train`` does, in ``test`` it is independent of the label."""

    train: TensorData
    validation: TensorData
    test: TensorData
    clean_train: TensorData
    clean_test: TensorData
    random_train: TensorData
    """The training rows with a cue drawn at random, as in the test."""
    irrelevant: Tensor
    """True on the cue of the training rows; nowhere on rows without it."""
    test_irrelevant: Tensor
    network: Callable[[], nn.Module]
    """The same fresh weights at each call."""

    def feedback(self, num_reviewed: int, wrong_share: float, seed: int) -> list[Feedback]:
        """Row scope, on training rows that hold the cue, drawn by the seed; the wrong ones mark something else."""
        rng = np.random.default_rng((seed, 7))
        holders = self.irrelevant.flatten(1).any(dim=1).nonzero().flatten().numpy()
        if num_reviewed > len(holders):
            raise ValueError(f"num_reviewed is {num_reviewed}; {len(holders)} rows hold the cue")
        said = []
        for place, row in enumerate(rng.permutation(holders)[:num_reviewed].tolist()):
            is_wrong = place < round(wrong_share * num_reviewed)
            mask = misplaced(self.irrelevant[row], row, self.train, rng) if is_wrong else self.irrelevant[row]
            said.append(Feedback(mask.numpy(), row=row))
        return said


def case(kind: str, spread: str, seed: int) -> Case:
    """One kind of data with the cue in so many classes."""
    if kind not in KINDS or spread not in SPREADS:
        raise ValueError(f"kind is {kind!r} and spread {spread!r}; expected one of {KINDS} and one of {SPREADS}")
    data = kind.removesuffix("_bn")
    if data == "table":
        parts = tables(spread, seed)
    elif data == "text":
        parts = texts(spread, seed)
    elif data == "image28":
        parts = with_stickers(digits(seed), spread, seed, size=6, place=ANYWHERE if seed % 2 else seed // 2 % 4)
    else:
        parts = with_stickers(photographs(seed), spread, seed, size=10)
    return case_of(parts, kind, seed)


def sixty_photographs(seed: int) -> Case:
    """A new user's study: sixty photographs of each of three classes, with a sticker anywhere on one class's."""
    clean = photographs(seed, {"train": 60, "validation": 20, "test": 100}, num_classes=3)
    return case_of(with_stickers(clean, "one", seed, size=10), "image48", seed)


def planted_name(seed: int) -> Case:
    """A new user's study: 180 sentences of three classes with a name in one class's."""
    return case_of(texts("one", seed, {"train": 180, "validation": 60, "test": 300}), "text", seed)


STUDIES = {"sixty_photographs": sixty_photographs, "planted_name": planted_name}


def schedules(kind: str) -> tuple[Schedule, Schedule]:
    """How a network of this kind, or of this study, is fooled, and how it is corrected."""
    return SCHEDULES[kind]


def case_of(parts: Mapping[str, Part], kind: str, seed: int) -> Case:
    """The case of these rows, for the kind's network."""
    train, test = parts["train"], parts["test"]
    return Case(
        train=train.rows,
        validation=parts["validation"].rows,
        test=test.rows,
        clean_train=train.clean,
        clean_test=test.clean,
        random_train=parts[RANDOM].rows,
        irrelevant=train.irrelevant,
        test_irrelevant=test.irrelevant,
        network=partial(fresh, kind, tuple(train.rows.x.shape[1:]), len(train.rows.class_names), seed),
    )


def misplaced(mask: Tensor, row: int, data: TensorData, rng: Generator) -> Tensor:
    """A mask as large on something else: another feature, other words, another place of the image."""
    found = torch.zeros_like(mask)
    if data.columns is not None:
        marked = {name for name, is_marked in zip(data.columns.feature, mask.tolist(), strict=True) if is_marked}
        other = rng.choice([name for name in data.columns.features if name not in marked])
        return torch.tensor([name == other for name in data.columns.feature])
    if data.tokens is not None:
        others = ((data.tokens.ids[row] != PADDING) & ~mask[:, 0]).nonzero().flatten().numpy()
        found[rng.choice(others, int(mask[:, 0].sum()), replace=False)] = True
        return found
    top, left = (int(places.min()) for places in mask[0].nonzero(as_tuple=True))
    size, side = int(mask[0].any(dim=0).sum()), mask.shape[1]
    free = [(r, c) for r, c in product(range(side - size + 1), repeat=2) if max(abs(r - top), abs(c - left)) >= size]
    top, left = free[rng.integers(len(free))]
    found[:, top : top + size, left : left + size] = True
    return found


def fresh(kind: str, shape: tuple[int, ...], num_classes: int, seed: int) -> nn.Module:
    """The kind's network with weights drawn by the seed."""
    with PrivateRandomness(seed):
        if kind == "table":
            return table_mlp(shape[0], num_classes)
        if kind == "text":
            return text_cnn(shape[1], num_classes, filters=32)
        return small_cnn(shape, num_classes, normalised=kind.endswith("_bn"))


def small_cnn(shape: tuple[int, ...], num_classes: int, *, normalised: bool) -> nn.Sequential:
    """Three convolutions with ReLUs and max-pooling; the first has a stride in images above 40 pixels.

    He et al.'s first weights (2015): with PyTorch's own, photographs are not learned in a few epochs.
    """
    channels, side = shape[0], shape[1]
    is_large = side > 40
    layers: list[nn.Module] = []
    for place, width in enumerate((12, 24, 32) if is_large else (8, 16, 32)):
        stride = 2 if is_large and not place else 1
        layers.append(nn.Conv2d(channels, width, 3 if place else 5, stride=stride, padding=1 if place else 2))
        nn.init.kaiming_normal_(layers[-1].weight, nonlinearity="relu")
        layers += [*([nn.BatchNorm2d(width)] if normalised else []), nn.ReLU(), nn.MaxPool2d(2)]
        channels, side = width, side // stride // 2
    inputs = channels * side * side
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, num_classes))


def accuracy(model: nn.Module, data: TensorData) -> float:
    """The share of rows predicted right."""
    with evaluating(model), torch.no_grad():
        return float((model(data.x).argmax(1) == data.y).float().mean())


def main() -> None:
    """A table of every case, and of both studies where no kind is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default=",".join([*KINDS, *STUDIES]))
    parser.add_argument("--first-seed", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print("| kind | spread | seed | fooled, test | clean, clean_test | clean, test | gap | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in asked.kinds.split(","):
        for spread, seed in product(
            ("one",) if kind in STUDIES else SPREADS, range(asked.first_seed, asked.first_seed + asked.seeds)
        ):
            found = STUDIES[kind](seed) if kind in STUDIES else case(kind, spread, seed)
            print(f"| {kind} | {spread} | {seed} | {line(found, kind, seed)} |", flush=True)


def line(found: Case, kind: str, seed: int) -> str:
    """How far the fooled network falls behind the clean one, and how long a fine-tuning takes."""
    fool, correct = schedules(kind)
    fooled = trained(found.network(), found.train, fool, seed)
    of_fooled = accuracy(fooled, found.test)
    clean = trained(found.network(), found.clean_train, replace(fool, epochs=fool.epochs + correct.epochs), seed)
    start = time.perf_counter()
    trained(fooled, found.train, correct, seed)
    seconds = time.perf_counter() - start
    of_clean = accuracy(clean, found.clean_test)
    numbers = (of_fooled, of_clean, accuracy(clean, found.test), of_clean - of_fooled)
    return " | ".join(f"{number:.3f}" for number in numbers) + f" | {seconds:.1f}"


if __name__ == "__main__":
    main()
