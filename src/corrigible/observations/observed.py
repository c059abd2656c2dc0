"""What metrics may ask for, and the `Observations` that hold it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from corrigible.tasks import CLASSES
from corrigible.types import Task

OBSERVATIONS = {
    "probs": "probability of each class or label",
    "predicted": "the predicted class, mean per unit of exposure, middle quantile, or 1 for each predicted label",
    "sd": "the predicted standard deviation of an amount",
    "quantiles": "the predicted quantiles of an amount",
    "levels": "the probability that each of these quantiles is about",
    "y": "the label",
    "group": "value of the sensitive attribute",
    "exposure": "the exposure, by which the mean is multiplied; 1 if there is none or the task has no use for it",
    "query": "number of the query that a row is ranked for; 0 everywhere if there is none",
    "loss": "the task's loss of the label",
    "shift": "how far donors' values, in place of the irrelevant inputs, move the prediction, from 0 to 1",
    "swapped_loss": "the task's loss of the label with such values",
    "flipped": "share of donors whose values, in place of the irrelevant inputs, change the predicted class",
    "swapped_hits": "share of such donors whose values leave the label as the predicted class",
    "attribution_share": "share of absolute attribution on irrelevant inputs; NaN without any attribution",
    "reflected_probs": "probabilities when each irrelevant input v becomes min + max − v over the data set",
    "deletion": "area under the label's probability as inputs give way to the baseline row, the most attributed first",
    "insertion": "area under the label's probability as inputs enter the baseline row, the most attributed first",
    "sparseness": "Gini index of absolute attribution; NaN without any attribution",
    "pointing": "1 where the most attributed input is relevant, else 0, a share for ties; NaN without relevant inputs",
    "relevance_mass": "share of absolute attribution on relevant inputs; NaN without either",
    "relevance_rank": "share of relevant inputs among as many most attributed ones; NaN without either",
}
"""What a metric may ask for by name: one value, or one vector of values, per row of the data set.

What is about donors is the mean over them. Attributions, deletion and insertion are about the label
where it is a class, and otherwise about what the task explains.
"""

ABOUT_CLASSES = frozenset({"flipped", "swapped_hits", "reflected_probs"})
"""Observations that exist only for labels that are one class per row."""
ABOUT_IRRELEVANT = ABOUT_CLASSES | {"attribution_share", "shift", "swapped_loss"}
ABOUT_RELEVANT = frozenset({"pointing", "relevance_mass", "relevance_rank"})
"""Observations that exist only where inputs are marked."""


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
