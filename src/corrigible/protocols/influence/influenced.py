"""What leaving out a training row would do to the loss of a query, with what says how far to trust it."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from markupsafe import Markup, escape
from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.figures import number, signed
from corrigible.html_table import table_html
from corrigible.printable import plural

MOST_SHOWN = 3
"""Queries, and rows of each kind, that are shown."""


class RowInfluence(NamedTuple):
    """A training row and its influence on a query."""

    row: int
    value: float


@dataclass(frozen=True)
class Influence:
    """By how much each query's loss would change if each training row were left out.

    Positive: the loss would rise without the row, so the row helps. Negative: it would fall, so the row harms. Left out
    means that the row's loss counts for nothing; what the others count for stays.
    """

    values: Float[Tensor, " query row"]
    """NaN where it was not computed."""
    method: str
    rows: Int[Tensor, " query row"] | None = None
    """The training row of each value, -1 where there is none; None where the j-th value is of row j."""
    queries: Int[Tensor, " query"] | None = None
    """The position of each query in the data set that was asked about; None where they are all of it."""
    unit: str = "loss"
    """"loss": differences of the query's loss; "gradient product": the same up to an unknown factor."""
    damping: float | None = None
    """What was added to each eigenvalue of the Hessian; None where no Hessian was inverted."""
    smallest_eigenvalue: float | None = None
    """Of the objective's Hessian, before damping; None where it is not known."""
    gradient_norm: float | None = None
    """Of the objective at the model, 0 where it has finished learning; None where no minimum is assumed."""
    relative_gradient_norm: float | None = None
    """The same over the root of the mean square of the rows' gradient norms."""
    kinks: tuple[str, ...] | None = None
    """Functions with a kink that the network calls, such as relu; empty for a smooth network."""
    residual: float | None = None
    """The largest relative error with which a linear system was solved; None where it was solved directly."""
    difference: float | None = None
    """The largest difference between the weights at the end of a replayed run and the model's."""
    warnings: tuple[str, ...] = ()
    """Why the answer may be wrong, one sentence each."""

    @property
    def is_smooth(self) -> bool | None:
        return None if self.kinks is None else not self.kinks

    def most_helpful(self, query: int, n: int = 10) -> list[RowInfluence]:
        """The rows without which the query's loss would rise most, at most ``n``, the strongest first."""
        return self._strongest(query, n, sign=1)

    def most_harmful(self, query: int, n: int = 10) -> list[RowInfluence]:
        """The rows without which the query's loss would fall most, at most ``n``, the strongest first."""
        return self._strongest(query, n, sign=-1)

    def _strongest(self, query: int, n: int, *, sign: int) -> list[RowInfluence]:
        if not 0 <= query < len(self.values):
            raise RecipeError(f"query is {query}; expected a number from 0 to {len(self.values) - 1}")
        values = self.values[query].double()
        of_sign = (sign * values > 0).nonzero().flatten()  # False for NaN.
        order = of_sign[(sign * values[of_sign]).argsort(descending=True, stable=True)][:n]
        rows = order if self.rows is None else self.rows[query][order]
        return [RowInfluence(int(row), float(values[place])) for row, place in zip(rows, order, strict=True)]

    def number(self, query: int) -> int:
        """The position of a query in the data set that was asked about."""
        return query if self.queries is None else int(self.queries[query])

    def __str__(self) -> str:
        shown = [
            f"  query {self.number(query)}: {kind} {', '.join(f'{r.row} ({signed(r.value)})' for r in rows) or 'none'}"
            for query in range(min(len(self.values), MOST_SHOWN))
            for kind, rows in self._both(query)
        ]
        return "\n".join([self._title, *shown, *(f"  {word}" for word in self._words)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        cells = [
            (str(self.number(query)), kind, str(found.row), signed(found.value))
            for query in range(min(len(self.values), MOST_SHOWN))
            for kind, rows in self._both(query)
            for found in rows
        ]
        notes = Markup("<br>").join(escape(word) for word in self._words)
        table = table_html(("query", "the row", "training row", self._column), cells)
        return Markup("<p><b>{}</b></p>").format(self._title) + table + Markup("<p>{}</p>").format(notes)

    def _both(self, query: int) -> tuple[tuple[str, list[RowInfluence]], ...]:
        return ("helps", self.most_helpful(query, MOST_SHOWN)), ("harms", self.most_harmful(query, MOST_SHOWN))

    @property
    def _column(self) -> str:
        return "loss without it, change" if self.unit == "loss" else "product of gradients"

    @property
    def _title(self) -> str:
        queries, rows = self.values.shape
        of = "query" if queries == 1 else "queries"
        told = plural(rows, "training row") if self.rows is None else f"up to {plural(rows, 'training row')} each"
        return f"Influence of {told} on {queries} {of}, by {self.method} ({self._column})"

    @property
    def _words(self) -> list[str]:
        known = {
            "damping": self.damping,
            "smallest eigenvalue": self.smallest_eigenvalue,
            "gradient norm": self.gradient_norm,
            "relative gradient norm": self.relative_gradient_norm,
            "residual": self.residual,
            "replayed weights differ by": self.difference,
        }
        measured = ", ".join(f"{name} {number(value)}" for name, value in known.items() if value is not None)
        missing = int(self.values.isnan().sum()) if self.rows is None else 0
        left = [f"not computed: {missing:,} of {self.values.numel():,} pairs"] if missing else []
        return [*([measured] if measured else []), *left, *(f"Careful: {warning}" for warning in self.warnings)]


def pearson(first: Tensor, second: Tensor) -> float | None:
    """Pearson's correlation; None where there are fewer than three pairs, or one side is constant."""
    a, b = (values.flatten().double() for values in (first, second))
    known = ~(a.isnan() | b.isnan())
    a, b = (values[known] - values[known].mean() for values in (a, b))
    size = float(a.norm() * b.norm()) if len(a) else 0.0
    return float(torch.dot(a, b)) / size if len(a) > 2 and size > 0 else None
