"""The verb of a fitted estimator that closes a gap between groups."""

import copy
from functools import partial
from typing import Any, TypeVar

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError
from corrigible.estimators.balance import balance
from corrigible.estimators.checking import CheckingVerbs
from corrigible.estimators.learning import loss_for
from corrigible.protocols.fairness.enforcing import enforce

SLOW = 2e-3
"""The largest learning rate: a network that is fitted already learns its rows by heart at larger ones."""
Estimator = TypeVar("Estimator", bound="EnforcingVerbs")


class EnforcingVerbs(CheckingVerbs):
    """What an estimator does about gaps between groups."""

    def enforce(
        self: Estimator,
        penalty: str = "demographic_parity",
        *,
        gap: float = 0.03,
        sensitive: str | None = None,
        X: Any = None,
        y: Any = None,
        sensitive_features: Any = None,
        exposure: Any = None,
        **settings: Any,
    ) -> Estimator:
        """A copy, fitted, trained on so that a gap between groups is at most this one; predictions need no attribute.

        The groups are the ``sensitive_features`` that `fit` was given. The attribute ``enforced_`` of the copy, to be
        printed, says what was asked for and reached, what it cost, and what the other gaps did: closing one often
        opens another. Counts and amounts still sum to their labels.

        Args:
            penalty, gap: as `corrigible.enforce` takes them.
            sensitive: the name of one of several columns of ``sensitive_features``; None for the groups that all form.
            X, y, sensitive_features, exposure: rows to judge by, as in `evaluate`; None for those of `fit`, each half
                by a network that learned on from the other half.
            settings: further ones of `corrigible.enforce`.

        Raises:
            NotFittedError: before `fit`.
            DataError: the estimator holds no rows, or these have no attribute; rows that do not fit.
            RecipeError: a copy that is corrected or limited already; an unknown penalty or setting.
        """
        rows = self._rows_of_fit("enforce it on").data
        self._require_untouched(penalty, gap)
        if X is not None and y is None:
            raise DataError("X came without y; give the labels of these rows too")
        _require_attribute(rows, sensitive, is_given=sensitive_features is not None, is_judged=X is not None)
        judged = None if X is None else self._measured(X, y, sensitive_features, exposure)
        own = {
            "seed": self._fitted.seed,
            "learning_rate": min(self.learning_rate, SLOW),
            "loss": loss_for(rows),
            "device": self.device,
            "validation": judged,
            "finish": partial(balance, data=rows),
        }
        enforced = copy.copy(self)
        asked: dict[str, Any] = {**own, **settings}
        enforced.network_ = enforce(self.network_, rows, penalty, gap=gap, sensitive=sensitive, **asked)
        enforced.enforced_ = enforced.network_.enforced  # type: ignore[assignment]
        return enforced

    def _require_untouched(self, penalty: str, gap: float) -> None:
        """Raises RecipeError for an estimator whose correction or limit would be undone."""
        if self._said:
            how = f'penalties={{"{penalty}": {{"weight": "auto", "gap": {gap:g}}}}}, augment={{"transplant": {{}}}}'
            raise RecipeError(f"this estimator is corrected, and training on may undo it; do both: correct(…, {how})")
        if hasattr(self, "limited_"):
            raise RecipeError(f"the influence of {self.limited_.what} is limited already; enforce first, then limit")


def _require_attribute(rows: TensorData, sensitive: str | None, *, is_given: bool, is_judged: bool) -> None:
    """Raises DataError where the rows of `fit`, or those that are to judge, lack the attribute."""
    if rows.group is None and (sensitive is None or sensitive not in rows.extra):
        beside = "; those given here are of the rows that judge" if is_given else ""
        raise DataError(f"enforce needs groups in the rows of fit: give sensitive_features to fit, too{beside}")
    if is_judged and not is_given:
        raise DataError("X and y came without sensitive_features; give those of these rows too")
