"""What metrics may ask for, and the `Observations` that hold it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxtyping import Int
from torch import Tensor

from corrigible.tasks import CLASSES
from corrigible.types import Task


class Observation(NamedTuple):
    """What is known of an observation before it is made."""

    words: str
    """What it is, for each row."""
    about: Literal["rows", "irrelevant", "relevant"] = "rows"
    """Every row, or only the rows on which such inputs are marked."""
    of_tasks: str = ""
    """What a task must offer, in words; empty if every task has the observation."""
    undefined: str = ""
    """What the rows lack on which it is NaN; empty if there are none."""


OTHER_VALUES = "a donor with other values there"
OBSERVATIONS = {
    "probs": Observation("probability of each class or label", of_tasks="predicted probabilities"),
    "predicted": Observation(
        "the predicted class, mean per unit of exposure, middle quantile, or 1 for each predicted label"
    ),
    "sd": Observation("the predicted standard deviation of an amount", of_tasks="predicted standard deviations"),
    "quantiles": Observation("the predicted quantiles of an amount", of_tasks="predicted quantiles"),
    "levels": Observation("the probability that each of these quantiles is about", of_tasks="predicted quantiles"),
    "y": Observation("the label"),
    "group": Observation("value of the sensitive attribute"),
    "exposure": Observation(
        "the exposure, by which the mean is multiplied; 1 if there is none or the task has no use for it"
    ),
    "query": Observation("number of the query that a row is ranked for; 0 everywhere if there is none"),
    "loss": Observation("the task's loss of the label"),
    "shift": Observation(
        "how far donors' values, in place of the irrelevant inputs, move the prediction, from 0 to 1",
        about="irrelevant",
        undefined=OTHER_VALUES,
    ),
    "swapped_loss": Observation(
        "the task's loss of the label with such values", about="irrelevant", undefined=OTHER_VALUES
    ),
    "flipped": Observation(
        "share of donors whose values, in place of the irrelevant inputs, change the predicted class",
        about="irrelevant",
        of_tasks="predicted classes",
        undefined=OTHER_VALUES,
    ),
    "swapped_hits": Observation(
        "share of such donors whose values leave the label as the predicted class",
        about="irrelevant",
        of_tasks="predicted classes",
        undefined=OTHER_VALUES,
    ),
    "attribution_share": Observation(
        "share of absolute attribution on irrelevant inputs",
        about="irrelevant",
        undefined="any attribution",
    ),
    "reflected_probs": Observation(
        "probabilities when each irrelevant input v becomes min + max − v over the data set",
        about="irrelevant",
        of_tasks="predicted classes",
        undefined="irrelevant inputs that this changes",
    ),
    "deletion": Observation(
        "area under the score that is explained, for classes the label's probability, as the baseline row replaces "
        "inputs, the most attributed first"
    ),
    "insertion": Observation(
        "area under the score that is explained, for classes the label's probability, as inputs replace the baseline "
        "row, the most attributed first"
    ),
    "sparseness": Observation("Gini index of absolute attribution", undefined="any attribution"),
    "pointing": Observation(
        "1 where the most attributed input is relevant, else 0, a share for ties; NaN without relevant inputs",
        about="relevant",
        undefined="relevant inputs",
    ),
    "relevance_mass": Observation(
        "share of absolute attribution on relevant inputs",
        about="relevant",
        undefined="relevant inputs or any attribution",
    ),
    "relevance_rank": Observation(
        "share of relevant inputs among as many most attributed ones",
        about="relevant",
        undefined="relevant inputs or any attribution",
    ),
}
"""What a metric may ask for by name: one value, or one vector of values, per row of the data set.

What is about donors is the mean over them. Attributions, deletion and insertion are about the label
where it is a class, and otherwise about what the task explains.
"""


@dataclass(frozen=True)
class Observations:
    """The observations of a model on a data set, as tensors on the CPU."""

    everywhere: Mapping[str, Tensor]
    """Observations about every row."""
    marked: Int[Tensor, " marked"]
    """Positions of the rows on which irrelevant inputs are marked."""
    on_marked: Mapping[str, Tensor]
    """Observations about the marked rows alone."""
    class_names: Sequence[str] = ()
    group_names: Sequence[str] = ()
    task: Task = CLASSES
    """What outputs and labels mean."""

    def of(self, needs: Collection[str]) -> dict[str, Tensor]:
        """The observations of these names, all on the same rows: the marked rows if any of them exists only there."""
        if self.on_marked.keys().isdisjoint(needs):
            return {name: self.everywhere[name] for name in needs}
        found = {name: value[self.marked] for name, value in self.everywhere.items()} | dict(self.on_marked)
        return {name: found[name] for name in needs}
