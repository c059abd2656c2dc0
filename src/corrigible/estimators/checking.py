"""The verb of a fitted estimator that checks rows before their predictions are used."""

from typing import Any

from corrigible.estimators.changing import ChangingVerbs
from corrigible.protocols.robustness.row_checks import RowChecks, row_checks


class CheckingVerbs(ChangingVerbs):
    """Whether rows are like those of `fit`."""

    def row_checks(self, *, false_alarms: float = 0.02, **settings: Any) -> RowChecks:
        """Checks of rows, fitted on the rows of `fit`: ``checks.flags(X)`` says which rows are unlike these, and why.

        Args:
            false_alarms: the largest share of ordinary rows that is flagged.
            settings: others of `corrigible.protocols.robustness.row_checks`.

        Raises:
            NotFittedError: before `fit`.
            DataError: too few rows for such a share, or an estimator that was loaded, which holds none.
            RecipeError: a share that is not between 0 and 1.
        """
        data = self._rows_of_fit("fit checks on").data
        known = {"encoder": self.encoder_, "seed": self._fitted.seed}
        return row_checks(self.network_, data, false_alarms=false_alarms, **{**known, **settings})
