"""How suspect a region is: its effect on the model times how well it alone predicts the label."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.figures import number, short_number
from corrigible.html_table import table_html
from corrigible.notebook import html_of
from corrigible.regions.candidates import box_of
from corrigible.regions.region_test import RegionTest
from corrigible.types import Features, Phrase, Pixels, Task

NUM_EXAMPLES = 5
SURELY = 4
"""Exponent of the neighbours' agreement: the chance that four neighbours drawn at random all have the row's label."""
TELLS = 0.5
"""Agreement from which a region is said to tell the label by itself."""
TOP = 0.1
"""Share of the rows, those of the highest score, that rank a region; a cue may be in few rows."""
ONE_CLASS = 0.9
"""Share of the scores in rows of one class from which a suspect is said to concern that class."""


@dataclass(frozen=True)
class Suspect:
    """A region that a person should look at; the ranking proves nothing."""

    region: Pixels | Features | Phrase
    label: int | None
    """The class in whose rows nearly all of the scores lie; None if it concerns several or there are none."""
    score: float
    """The ranking score, above 0: the mean score over the tenth of the rows with the highest scores."""
    test: RegionTest
    """The effect on the prediction, with its interval, compared with regions elsewhere.

    The effect of a word is measured on the rows that hold it, and compared with those of other words on their rows.
    """
    agreement: float
    """How well the region alone predicts the label on rows that rely on it, from 0 (as by chance) to 1."""
    size: int
    """Number of inputs in the region, counting a pixel once per channel; of a phrase, the number of words."""
    rows: tuple[int, ...]
    """Positions of the rows with the highest scores, the highest first."""

    @property
    def tells_label(self) -> bool:
        """Whether the region predicts the label by itself; if not, it may be the object itself that is seen there."""
        return self.agreement >= TELLS

    @property
    def about(self) -> str:
        """The class that it concerns, in words."""
        return "no single class" if self.label is None else f"class {self.label}"

    @property
    def where(self) -> str:
        """The region in words, of an image with the top, left, height and width of the box around it."""
        box = None if isinstance(self.region, Phrase) else box_of(self.region)
        return str(self.region) if box is None else f"{self.region} in the box {' '.join(map(str, box))}"

    def __str__(self) -> str:
        test = self.test
        effect = f"effect {number(test.effect)} ({number(test.low)} to {number(test.high)})"
        beside = f"{times(test.ratio)} times that elsewhere"
        return f"{self.where}, {self.about}: {effect}, {beside}, tells {self.agreement:.2f}"

    def __repr__(self) -> str:
        return f"Suspect({self})"

    def _repr_html_(self) -> str:
        return Suspects([self])._repr_html_()


class Suspects(list[Suspect]):
    """Suspects, the most suspected first, which a notebook shows as a table."""

    def __repr__(self) -> str:
        return "\n".join(f"{rank}. {found}" for rank, found in enumerate(self, start=1)) or "no suspects"

    def _repr_html_(self) -> str:
        header = ("rank", "region", "in", "effect", "95 % interval", "times elsewhere", "tells the label", "rows")
        rows = [
            (
                str(rank),
                html_of(found.region),
                found.about,
                number(found.test.effect),
                f"{number(found.test.low)} to {number(found.test.high)}",
                times(found.test.ratio),
                f"{found.agreement:.2f}",
                " ".join(map(str, found.rows)),
            )
            for rank, found in enumerate(self, start=1)
        ]
        return table_html(header, rows)


def times(ratio: float) -> str:
    """The ratio with three digits."""
    return short_number(float(f"{ratio:.3g}"))


def class_of_rows(task: Task, y: Tensor) -> Int[Tensor, " row"] | None:
    """The class of each row; None if a label is not one class."""
    return None if task.logits is None else y


def ranking_of(
    effect: Float[Tensor, " row"],
    tells: Float[Tensor, " row"],
    y: Int[Tensor, " row"] | None,
    index: Int[Tensor, " row"],
) -> dict[str, Any]:
    """The ``label``, ``score``, ``agreement`` and ``rows`` of a suspect.

    Args:
        y: the class of each row, if labels are classes.
        index: the rows' positions.
    """
    relied, tells = effect.double().clamp_min(0), tells.double().clamp_min(0)
    scores = relied * tells**SURELY
    order = scores.argsort(descending=True)
    return {
        "label": None if y is None else _only_class(scores, y.cpu()),
        "score": float(scores[order[: max(1, int(TOP * len(relied)))]].mean()),
        "agreement": float((relied * tells).sum() / relied.sum().clamp_min(1e-12)),
        "rows": tuple(int(index[row]) for row in order[:NUM_EXAMPLES] if scores[row] > 0),
    }


def _only_class(scores: Float[Tensor, " row"], y: Int[Tensor, " row"]) -> int | None:
    by_class = torch.zeros(int(y.max()) + 1, dtype=torch.double).index_add_(0, y, scores)
    is_one = float(by_class.max()) > ONE_CLASS * float(by_class.sum())
    return int(by_class.argmax()) if is_one else None
