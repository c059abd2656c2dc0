"""How suspect a region is: its effect on the model times how well it alone predicts the label.

This product, the suspicion, is what suspects are ordered by, and is shown in per cent of the first one's.
"""

from collections.abc import Sequence
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
from corrigible.types import Features, Phrase, Pixels

NUM_EXAMPLES = 5
SURELY = 4
"""Exponent of the neighbours' agreement: the chance that four neighbours drawn at random all have the row's label."""
TELLS, TELLS_AMOUNT = 0.5, 0.45
"""Agreement from which a region is said to tell the label by itself: a class, and a label of another task.

That of amounts best separates leaking from honest columns of five small tables (`benchmarks/telling_columns.py`).
"""
TOP = 0.1
"""Share of the rows, those of the highest score, that rank a region; a cue may be in few rows."""
NEGLIGIBLE = 0.01
"""Share of the largest effect of any region below which a region is left out: the model hardly uses it."""
BY_SUSPICION = "how much the model relies on a region, where the region tells the label; in per cent of the first one's"
"""What suspects are ordered by."""
CLOSE = 0.5
"""Share of the highest score of any row that a row has to reach to be an example."""
ONE_CLASS = 0.9
"""Share of the scores in rows of one class from which a suspect is said to concern that class."""


@dataclass(frozen=True)
class Suspect:
    """A region that a person should look at; the ranking proves nothing."""

    region: Pixels | Features | Phrase
    label: int | None
    """The class in whose rows nearly all of the scores lie; None if it concerns several or there are none."""
    score: float
    """The suspicion, by which suspects are ordered, above 0: the mean score over the tenth of the rows with the highest
    scores."""
    test: RegionTest
    """The effect on the prediction, with its interval, compared with regions elsewhere.

    The effect of a word is measured on the rows that hold it, and compared with those of other words on their rows.
    """
    agreement: float
    """How well the region alone predicts the label on rows that rely on it, from 0 (as by chance) to 1 (as the label
    itself)."""
    size: int
    """Number of inputs in the region, counting a pixel once per channel; of a phrase, the number of words."""
    rows: tuple[int, ...]
    """Positions of rows with the highest scores; if these are of several classes (or quarters), of each in turn."""
    beside: tuple[int, ...] = ()
    """Positions of rows of other classes with the lowest scores, to compare with; empty if ``rows`` are of several."""

    class_name: str = ""
    """The name of the class ``label``; empty if it has none."""
    enough: float = TELLS
    """Agreement from which the region is said to tell the label by itself."""

    @property
    def tells_label(self) -> bool:
        """Whether the region predicts the label by itself; if not, it may be the object itself that is seen there."""
        return self.agreement >= self.enough

    @property
    def about(self) -> str:
        """The class that it concerns, in words."""
        return "no single class" if self.label is None else f"class {self.class_name or self.label}"

    @property
    def where(self) -> str:
        """The region in words, of an image with the top, left, height and width of the box around it."""
        box = None if isinstance(self.region, Phrase) else box_of(self.region)
        return str(self.region) if box is None else f"{self.region} in the box {' '.join(map(str, box))}"

    def __str__(self) -> str:
        test = self.test
        effect = f"effect {number(test.effect)} ({number(test.low)} to {number(test.high)})"
        beside = f"{times(test.ratio)} times that elsewhere"
        return f"{self.where}, {self.about}: {effect}, {beside}, tells the label to {self.agreement:.2f}"

    def __repr__(self) -> str:
        return f"Suspect({self})"

    def _repr_html_(self) -> str:
        return Suspects([self])._repr_html_()


class Suspects(list[Suspect]):
    """Suspects, the most suspected first, which a notebook shows as a table."""

    def __repr__(self) -> str:
        ranked = zip(self, suspicions(self), strict=True)
        lines = [f"{rank}. {found}; suspicion {share}" for rank, (found, share) in enumerate(ranked, start=1)]
        return "\n".join([*lines, f"ordered by suspicion: {BY_SUSPICION}"]) if lines else "no suspects"

    def _repr_html_(self) -> str:
        header = ("rank", "region", "in", "effect", "95 % interval", "times elsewhere", "tells", "suspicion", "rows")
        rows = [
            (
                str(rank),
                html_of(found.region),
                found.about,
                number(found.test.effect),
                f"{number(found.test.low)} to {number(found.test.high)}",
                times(found.test.ratio),
                f"{found.agreement:.2f}",
                share,
                " ".join(map(str, found.rows)),
            )
            for rank, (found, share) in enumerate(zip(self, suspicions(self), strict=True), start=1)
        ]
        return table_html(header, rows)


def suspicions(found: Sequence[Suspect]) -> list[str]:
    """The suspicion of each in per cent of the first one's, as people read it."""
    return [suspicion_in_words(suspect.score, found[0].score) for suspect in found]


def suspicion_in_words(score: float, first: float) -> str:
    """A suspicion in per cent of the first one's; without decimals, but never 0."""
    percent = 100 * score / first
    return f"{percent:.0f} %" if percent >= 1 else "< 1 %"


def times(ratio: float) -> str:
    """The ratio with three digits."""
    return short_number(float(f"{ratio:.3g}"))


def is_relied_on(test: RegionTest, largest: float) -> bool:
    """Whether the model clearly relies on it: by more than chance, and than a hundredth of the largest effect."""
    return test.low > 0 and test.effect >= NEGLIGIBLE * largest


def ranking_of(
    effect: Float[Tensor, " row"],
    tells: Float[Tensor, " row"],
    strata: Int[Tensor, " row"],
    index: Int[Tensor, " row"],
    *,
    are_classes: bool,
    class_names: Sequence[str] = (),
) -> dict[str, Any]:
    """The ``label``, ``score``, ``agreement``, ``rows``, ``beside``, ``class_name`` and ``enough`` of a suspect.

    Args:
        strata: the class of each row, or the quarter of the labels.
        index: the rows' positions.
    """
    relied, tells, strata = effect.double().clamp_min(0), tells.double().clamp_min(0), strata.cpu()
    scores = relied * tells**SURELY
    order = scores.argsort(descending=True, stable=True)
    scored = order[(scores[order] > 0) & (scores[order] >= CLOSE * scores.max())]
    label = _only_class(scores, strata)
    shown = (scored if label is not None else _in_turn(scored, strata))[:NUM_EXAMPLES]
    others = order.flip(0)[(strata[order.flip(0), None] != strata[shown]).all(dim=1)] if len(shown) else order[:0]
    is_of_one = bool((strata[shown] == strata[shown[:1]]).all())
    return {
        "label": label if are_classes else None,
        "class_name": class_names[label] if are_classes and label is not None and label < len(class_names) else "",
        "score": float(scores[order[: max(1, int(TOP * len(relied)))]].mean()),
        "agreement": float((relied * tells).sum() / relied.sum().clamp_min(1e-12)),
        "rows": tuple(index[shown].tolist()),
        "beside": tuple(index[others[:NUM_EXAMPLES]].tolist()) if is_of_one else (),
        "enough": TELLS if are_classes else TELLS_AMOUNT,
    }


def _in_turn(order: Int[Tensor, " row"], strata: Int[Tensor, " every_row"]) -> Int[Tensor, " row"]:
    """The same rows, in turn one of each stratum, each stratum's in their order."""
    is_same = strata[order, None] == strata[None, order]
    number = is_same.tril().sum(dim=1)  # The first of a stratum has number 1, the second 2.
    return order[number.argsort(stable=True)]


def _only_class(scores: Float[Tensor, " row"], y: Int[Tensor, " row"]) -> int | None:
    by_class = torch.zeros(int(y.max()) + 1, dtype=torch.double).index_add_(0, y, scores)
    is_one = float(by_class.max()) > ONE_CLASS * float(by_class.sum())
    return int(by_class.argmax()) if is_one else None
