"""What a judge finds: predictions for exchanged rows, and their means over classes and parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from corrigible.protocols.corrections.exchanges import AS_FOUND, SWAPPED


@dataclass(frozen=True)
class Judged:
    """A model's predictions for each judged row, on the CPU in float64."""

    part: Int[Tensor, " row"]
    """`SWAPPED` (its marked content was swapped), `WORN` (it wears another row's) or `AS_FOUND`."""
    place: Int[Tensor, " row"]
    """The position of the row in its part; rows without a quality, such as the only one of a query, are left out."""
    y: Int[Tensor, " row"]
    """The class of the label; 0 for labels that are not classes."""
    log_likelihood: Float[Tensor, " row"]
    """Mean log-likelihood of the label over the contents; minus the task's loss."""
    hits: Float[Tensor, " row"]
    """Share of contents with which the label is predicted; for other tasks the mean quality (`Task.quality`)."""
    change: Float[Tensor, " row"]
    """How far predictions lie apart with one content and with the other, in [0, 1] (`Task.moved`); for classes the
    total variation distance."""
    pull: Float[Tensor, " row"]
    """How far marked content draws predictions to the label of its own row, from -1 to 1 (`Task.drawn`), NaN where it
    cannot be measured; for classes how much more likely it makes that label than other content does.

    Unlike ``change``, it is 0 on average if the content merely hides something.
    """
    predicted: Float[Tensor, " row num_predicted"]
    """Share of contents with which each class is predicted; for other tasks the mean of the standardised outputs."""
    found_hits: Float[Tensor, " row"]
    """1 where the row as found is predicted correctly; for other tasks the quality."""
    guessed: Float[Tensor, " row"]
    """The quality of the best guess without inputs, where labels are not classes; of few rows its mean may lie far from
    `Task.chance`. NaN for classes, where it depends on their balance."""

    def balanced(self, values: Float[Tensor, " row"]) -> float:
        """The mean of the values with equal weight for each class and, within a class, for each part."""
        return float((self._weights * values).sum())

    def error_of(self, values: Float[Tensor, " row"]) -> float:
        """The standard error of the balanced mean, from the spread of all values."""
        spread = values - self.balanced(values)
        return float((self._weights * spread).square().sum().sqrt())

    @cached_property
    def _weights(self) -> Float[Tensor, " row"]:
        found = torch.zeros(len(self.y), dtype=torch.float64)
        labels = self.y.unique().tolist()
        for label in labels:
            parts = self.part[self.y == label].unique().tolist()
            for part in parts:
                rows = (self.y == label) & (self.part == part)
                found[rows] = 1 / (len(labels) * len(parts) * int(rows.sum()))
        return found

    @property
    def error(self) -> float:
        """The standard error of the score."""
        return self.error_of(self.log_likelihood)

    def by_class(self, values: Tensor) -> dict[int, Tensor]:
        """The mean of the values in each class, with equal weight for each part."""
        found = {}
        for label in self.y.unique().tolist():
            of_class = self.y == label
            parts = [values[of_class & (self.part == part)] for part in self.part[of_class].unique().tolist()]
            found[label] = torch.stack([rows.mean(dim=0) for rows in parts]).mean(dim=0)
        return found

    @property
    def score(self) -> float:
        """The swap score: the balanced log-likelihood of the label; higher is better, for classes at most 0."""
        return self.balanced(self.log_likelihood)

    @property
    def accuracy(self) -> float:
        """The balanced accuracy with exchanged content; for other tasks the balanced quality."""
        return self.balanced(self.hits)

    @property
    def accuracy_at_random(self) -> float:
        """The balanced accuracy with marked content drawn at random: the content of each class, or none, equally often.

        A row then holds its own content as often as that of any other class; for `accuracy` it never does. Only for
        labels that are classes.
        """
        num_marked = max(1, len(self.y[self.part == SWAPPED].unique()))
        num_contents = num_marked + (num_marked < len(self.y.unique()))
        return self.balanced(self.hits + (self.found_hits - self.hits) / num_contents)

    @property
    def reliance(self) -> float:
        """How far predictions move when marked content is exchanged: the balanced mean over exchanged rows."""
        return self._exchanged.balanced(self._exchanged.change)

    @property
    def attraction(self) -> float:
        """How far marked content draws predictions to its own class: the balanced mean over exchanged rows."""
        known = self._where((self.part != AS_FOUND) & ~self.pull.isnan())
        return known.balanced(known.pull)

    @cached_property
    def _exchanged(self) -> "Judged":
        return self._where(self.part != AS_FOUND)

    def _where(self, kept: Bool[Tensor, " row"]) -> "Judged":
        return Judged(*(getattr(self, name)[kept] for name in Judged.__dataclass_fields__))


def joined(parts: Sequence[Judged]) -> Judged:
    """All rows of these parts, as one."""
    return Judged(*(torch.cat([getattr(part, name) for part in parts]) for name in Judged.__dataclass_fields__))
