"""Cases whose confounder is a grey square in the corners of 28 × 28 images: its grey tells the class in training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType

import torch
from torch import Tensor, nn

from cases import Case, about_rows, drawn_rows, some
from corrigible.data.dataset import TensorData
from corrigible.data.decoys import corner_squares
from corrigible.types import Feedback

QUICK = {"train": 2000, "validation": 500, "test": 500}
NUM_MEASURED = 500
"""Test rows on which reliance on the squares is measured."""


@dataclass(frozen=True)
class Squares:
    """One seed's rows of each split, with squares (``rows``) and without (``clean``)."""

    seed: int
    rows: Mapping[str, TensorData]
    clean: Mapping[str, TensorData]
    irrelevant: Mapping[str, Tensor]

    def reviewed(self, num_rows: int) -> list[Feedback]:
        """The squares of this many training rows, drawn from the seed; nested as the number grows."""
        marks = self.irrelevant["train"]
        return about_rows(marks, drawn_rows(len(marks), num_rows, self.seed))

    def case(self, feedback: Mapping[str, list[Feedback]], network: Callable[[], nn.Module]) -> Case:
        """With fresh weights drawn from the seed."""

        def fresh() -> nn.Module:
            torch.manual_seed(self.seed)
            return network()

        return Case(
            train=self.rows["train"],
            validation=self.rows["validation"],
            test=self.rows["test"],
            clean_train=self.clean["train"],
            clean_test=self.clean["test"],
            feedback=feedback,
            test_feedback=about_rows(self.irrelevant["test"], range(NUM_MEASURED)),
            network=fresh,
        )


def squares(files: ModuleType, seed: int, *, one_per_row: bool, quick: bool) -> Squares:
    """Squares that tell the class in training and validation and are of random grey in the test.

    ``files`` is the module that loads the splits; ``one_per_row`` puts them in one random corner instead of all four.
    """
    clean = {split: some(files.load(split), QUICK[split] if quick else 10**9) for split in files.SPLITS}
    planted = {
        split: corner_squares(
            data.x, data.y, informative=split != "test", one_per_row=one_per_row, seed=len(clean) * seed + draw
        )
        for draw, (split, data) in enumerate(clean.items())
    }
    rows = {split: replace(data, x=planted[split].x) for split, data in clean.items()}
    return Squares(seed, rows, clean, {split: found.irrelevant for split, found in planted.items()})
