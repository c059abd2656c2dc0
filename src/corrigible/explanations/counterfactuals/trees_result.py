"""The cheapest changes of rows that an ensemble answers otherwise, and how certain it is that they are."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from corrigible.arguments import whole_number
from corrigible.explanations.counterfactuals.constraints import Constraint
from corrigible.explanations.counterfactuals.result_frame import result_frame
from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.explanations.counterfactuals.words import changes_in_words
from corrigible.figures import number
from corrigible.html_table import table_html
from corrigible.printable import plural

STATUSES = ("found", "already", "impossible", "not found")


@dataclass(frozen=True)
class TreeCounterfactuals:
    """The cheapest change of each row that gives a wanted answer, verified on the model and on every constraint."""

    x: Float[Tensor, " row column"]
    """The rows as they were given."""
    changed: Float[Tensor, " row column"]
    """The rows after the changes, as the model takes them; NaN where there is no result."""
    status: tuple[str, ...]
    """Of each row: "found"; "already", the row has the wanted answer as it is; "impossible", proved to be; or "not
    found" within the time."""
    reason: tuple[str, ...]
    """Of each row: why there is no result, or why it is not proved to be the cheapest; else empty."""
    cost: Float[Tensor, " row"]
    """The length of the change: the sum over numbers of the difference in units of the feature's `mad`, over ordered
    categories of the steps, over other categories of 1. NaN where there is no result."""
    bound: Float[Tensor, " row"]
    """No allowed change with a wanted answer costs less; infinite where there is none, NaN where nothing was sought."""
    is_proven: Bool[np.ndarray, " row"]
    """Whether the change is proved to be the cheapest, or that there is none."""
    in_the_way: tuple[tuple[Constraint, ...], ...]
    """Of each row for which a change is impossible: the constraints without any one of which there would be one, or
    several that are in the way together."""
    prediction: NDArray[Any]
    """What the model predicts for each row after the change; without one, as it is."""
    before: Float[np.ndarray, " row feature"]
    """The values of the features in their units, of categories the place of the level; NaN for empty cells."""
    after: Float[np.ndarray, " row feature"]
    """The same after the changes; NaN where there is no result."""
    schema: Schema
    index: "pd.Index[Any] | None" = None
    """Of the frame that was asked about; None where rows were no frame."""

    def frame(self) -> pd.DataFrame:
        """A line for each row: its status, the features in original units, the prediction and the cost.

        Without a result the features are empty. The index is that of the frame that was asked about, if it was one.
        """
        last = {
            "changed": [", ".join(self.changes(row)) for row in range(len(self.x))],
            "prediction": self.prediction,
            "cost": self.cost.numpy(),
            "bound": self.bound.numpy(),
            "proven": self.is_proven,
            "reason": self.reason,
        }
        first = {"row": np.arange(len(self.x)), "status": self.status}
        return result_frame(self.schema, self.after, self.index, first=first, last=last)

    def changes(self, row: int) -> dict[str, tuple[Any, Any]]:
        """By feature what changes, before and after, in original units."""
        if self.status[row] != "found":
            return {}
        some = np.flatnonzero((self.before[row] != self.after[row]) & ~np.isnan(self.after[row])).tolist()
        return {
            self.schema.features[place].name: (
                self.schema.cells(self.before[[row]], place)[0],
                self.schema.cells(self.after[[row]], place)[0],
            )
            for place in some
        }

    def in_words(self, row: int) -> str:
        """The change of one row as a sentence, or why there is none."""
        row = whole_number("row", row, least=0, most=len(self.x) - 1)
        if self.status[row] == "already":
            return "the prediction is already as wanted"
        if self.status[row] != "found":
            return self.reason[row]
        words = changes_in_words(
            self.schema, self.before[row], self.after[row], np.ones(len(self.schema.features), bool)
        )
        return f"{words}: then {_said(self.prediction[row])}"

    def __len__(self) -> int:
        return len(self.x)

    def __str__(self) -> str:
        counts = [(one, self.status.count(one)) for one in STATUSES]
        said = ", ".join(f"{count:,} {one}" for one, count in counts if count)
        asked = [row for row, status in enumerate(self.status) if status != "already"]
        return f"counterfactuals of {plural(len(self.x), 'row')}: {said}; {int(self.is_proven[asked].sum()):,} proven"

    def __repr__(self) -> str:
        return f"<{self}>"

    def _repr_html_(self) -> str:
        most, rows = 20, []
        for row in range(min(most, len(self.x))):
            cost = self.cost[row].item()
            proven = "yes" if self.is_proven[row] else "no"
            rows.append([self.status[row], self.in_words(row), "–" if cost != cost else number(cost), proven])
        more = [["…", f"{len(self.x) - most:,} more rows", "", ""]] if len(self.x) > most else []
        return table_html(["status", "change", "cost", "proven"], [*rows, *more])._repr_html_()


def _said(value: Any) -> str:
    return f"{value:,.10g}" if isinstance(value, float | np.floating) else str(value)
