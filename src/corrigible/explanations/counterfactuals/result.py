"""What was found: rows with another answer, what changed in them, and of rows without any why not."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.arguments import whole_number
from corrigible.explanations.counterfactuals.result_frame import result_frame
from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.explanations.counterfactuals.words import changes_in_words
from corrigible.figures import number
from corrigible.html_table import table_html
from corrigible.printable import plural
from corrigible.types import Task

STATUSES = ("found", "already", "impossible", "not found")


@dataclass(frozen=True)
class Counterfactuals:
    """Up to k changes of each row that give another answer, each verified on the model and on every constraint."""

    x: Float[Tensor, " row column"]
    """The rows as they were given."""
    changed: Float[Tensor, " row k column"]
    """The rows after the changes, as the model takes them; NaN where there is no result."""
    status: tuple[tuple[str, ...], ...]
    """Of each row and result: "found"; "already", the row has the wanted answer as it is; "impossible", proved to be;
    or "not found" within the search."""
    reason: tuple[str, ...]
    """Of each row: why there is no result, or why there are fewer than asked for; empty where all were found."""
    outputs: Float[Tensor, " row k output"]
    """What the model gives for the changed rows; NaN where there is no result."""
    acted: Bool[Tensor, " row k feature"]
    """The features that are changed by themselves, without those that change as an effect of others."""
    cost: Float[Tensor, " row k"]
    """The length of the change: the sum over numbers of the difference in units of the feature's spread, over ordered
    categories of the steps, over other categories of 1. NaN where there is no result."""
    distance: Float[Tensor, " row k"]
    """How far the changed row is from the nearest row of data with the wanted answer; NaN where not measured."""
    usual_distance: Float[Tensor, " row"]
    """How far such rows usually are from each other, by the quantile that was asked for, or the row itself from any."""
    before: Float[np.ndarray, " row feature"]
    after: Float[np.ndarray, " row k feature"]
    """The values of the features in their units, of categories the place of the level; NaN for empty cells."""
    schema: Schema
    task: Task
    class_names: tuple[str, ...] = ()
    index: "pd.Index[Any] | None" = None
    """Of the frame that was asked about; None where rows were no frame."""

    @property
    def is_found(self) -> Bool[np.ndarray, " row k"]:
        """Where there is a result."""
        return np.array([[one == "found" for one in row] for row in self.status]).reshape(self.after.shape[:2])

    @property
    def is_plausible(self) -> list[list[bool | None]]:
        """Whether each result is as near to rows of data as is usual among these; None where that is not measured."""
        near = self.distance <= self.usual_distance[:, None]
        measured = ~self.distance.isnan() & ~self.usual_distance.isnan()[:, None]
        return [
            [bool(is_near) if known else None for is_near, known in zip(*pair, strict=True)]
            for pair in zip(near.tolist(), measured.tolist(), strict=True)
        ]

    def frame(self) -> pd.DataFrame:
        """A line for each row and result: its status, the features in original units, the prediction and the cost.

        Without a result the features are empty. "changed" names what is changed, "effects" what follows from that. The
        index is that of the frame that was asked about, if it was one; "row" counts the rows from 0.
        """
        rows, places = np.divmod(np.arange(self.after.shape[0] * self.after.shape[1]), self.after.shape[1])
        pairs = [*zip(rows.tolist(), places.tolist(), strict=True)]
        status, plausible = [self.status[row][place] for row, place in pairs], self.is_plausible
        last = {
            "changed": [self._names(row, place, acted=True) for row, place in pairs],
            "effects": [self._names(row, place, acted=False) for row, place in pairs],
            "prediction": [self.answer(row, place) for row, place in pairs],
            "cost": self.cost[rows, places].numpy(),
            "plausible": [plausible[row][place] for row, place in pairs],
            "reason": [self.reason[row] if one != "found" else "" for row, one in zip(rows, status, strict=True)],
        }
        return result_frame(
            self.schema,
            self.after[rows, places],
            None if self.index is None else self.index[rows],
            first={"row": rows, "result": places, "status": status},
            last=last,
        )

    def in_words(self, row: int) -> str:
        """The changes of one row as a sentence for each result, in the units and names of the table.

        Raises:
            RecipeError: a row that there is not.
        """
        row = whole_number("row", row, least=0, most=len(self.x) - 1)
        places = [place for place, status in enumerate(self.status[row]) if status == "found"]
        if places:
            return "\n".join(f"{self.change_in_words(row, place)}: then {self.answer(row, place)}" for place in places)
        return {"already": "the answer is already the wanted one"}.get(self.status[row][0], self.reason[row])

    def change_in_words(self, row: int, place: int) -> str:
        """What is changed for one result of a row, in the units and names of the table; empty without a result."""
        acted = self.acted[row, place].numpy()
        return changes_in_words(self.schema, self.before[row], self.after[row, place], acted)

    def answer(self, row: Any, place: Any) -> str:
        """What the model answers to one result of a row, as text; empty without a result."""
        outputs = self.outputs[row, place][None]
        if bool(outputs.isnan().any()):
            return ""
        if self.task.logits is None:
            return self.task.written(float(self.task.values(outputs)[0, 0]))
        found = int(self.task.logits(outputs).argmax())
        return self.class_names[found] if self.class_names else f"class {found}"

    def __len__(self) -> int:
        return len(self.x)

    def __str__(self) -> str:
        counts = [(one, sum(row[0] == one for row in self.status)) for one in STATUSES]
        said = ", ".join(f"{count:,} {one}" for one, count in counts if count)
        return f"counterfactuals of {plural(len(self.x), 'row')}: {said}"

    def __repr__(self) -> str:
        return f"<{self}>"

    def _repr_html_(self) -> str:
        most, rows = 20, []
        for row in range(min(most, len(self.x))):
            said = self.in_words(row).split("\n")
            costs = [cost for cost in self.cost[row].tolist() if cost == cost]
            for place, words in enumerate(said):
                cost = number(costs[place]) if costs else "–"
                rows.append([str(row), "found" if costs else self.status[row][0], words, cost])
        more = [["…", "", f"{len(self.x) - most:,} more rows", ""]] if len(self.x) > most else []
        return table_html(["row", "status", "change", "cost"], [*rows, *more])._repr_html_()

    def _names(self, row: Any, place: Any, *, acted: bool) -> str:
        differs = self.after[row, place] != self.before[row]
        differs &= ~np.isnan(self.after[row, place])
        some = differs & (self.acted[row, place].numpy() == acted)
        return ", ".join(self.schema.names[at] for at in np.flatnonzero(some))
