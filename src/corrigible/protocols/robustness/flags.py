"""Which rows are flagged as unlike the training rows, and why."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from corrigible.html_table import table_html
from corrigible.printable import plural


@dataclass(frozen=True, repr=False)
class Flags:
    """Rows that were checked; ``frame`` is a table of them."""

    flagged: Bool[np.ndarray, " row"]
    """Where a row is unlike the training rows."""
    share: Float[np.ndarray, " row"]
    """Of training rows, the share that some check finds as unusual as it finds this row; small is unusual."""
    index: pd.Index
    """Of the rows in their frame."""
    say: Callable[[int], str]
    """What is unusual about a row that is flagged."""

    @cached_property
    def why(self) -> tuple[str, ...]:
        """What is unusual, in words; empty where a row is not flagged."""
        return tuple(self.say(row) if flagged else "" for row, flagged in enumerate(self.flagged))

    @property
    def frame(self) -> pd.DataFrame:
        """One line for each row."""
        columns = {"flagged": self.flagged, "share": self.share, "why": list(self.why)}
        return pd.DataFrame(columns, index=self.index)

    def __len__(self) -> int:
        return len(self.flagged)

    def __repr__(self) -> str:
        found = np.flatnonzero(self.flagged)
        lines = [f"{len(found):,} of {plural(len(self), 'row')} flagged"]
        lines += [f"{self.index[place]}: {self.say(int(place))}" for place in found[:5]]
        return "\n".join(lines + (["…"] if len(found) > 5 else []))

    def _repr_html_(self) -> str:
        found = np.flatnonzero(self.flagged)[:20]
        cells = [(str(self.index[place]), self.say(int(place))) for place in found]
        return f"<p>{len(np.flatnonzero(self.flagged)):,} of {plural(len(self), 'row')} flagged</p>" + table_html(
            ["row", "why"], cells
        )
