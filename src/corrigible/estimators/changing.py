"""The verbs of a fitted estimator about changes of rows: which would give another prediction."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jaxtyping import Float
from torch import Tensor

from corrigible.data.table import inputs_of
from corrigible.estimators.verbs import TableVerbs
from corrigible.explanations.counterfactuals import Constraint, Counterfactuals, counterfactuals, nearest_unlike


class ChangingVerbs(TableVerbs):
    """How rows could get another prediction."""

    def counterfactuals(
        self, X: Any, *, target: Any = None, rows: Any = None, constraints: Sequence[Constraint] = (), **settings: Any
    ) -> Counterfactuals:
        """For each row of X small changes that give another prediction; see `corrigible.counterfactuals`.

        ``found.frame()`` is in the columns and units of X with its index, ``found.in_words(0)`` says the first row's
        changes.

        Args:
            target: the class that is wanted, by its name or its place in ``classes_``, or one of these for each row;
                None for any other than the predicted one.
            rows: of the same columns as X: near these results are sought. None for the rows of `fit`.
            constraints: such as ``Immutable("sex")``, of `corrigible.explanations.counterfactuals`.
            settings: ``below`` and ``above`` in the unit of the labels, ``k``, and others of
                `corrigible.counterfactuals`.

        Raises:
            NotFittedError: before `fit`.
            DataError: rows that do not fit, an unknown class, an estimator that was loaded and rows that are not given.
            RecipeError: as `corrigible.counterfactuals`.
        """
        frame = self._framed(X)
        known = {"schema": self.encoder_, "task": self._task, "class_names": self._class_names}
        wanted = self._wanted_class(target)
        found = counterfactuals(
            self.network_,
            inputs_of(frame, self.encoder_),
            rows=self._searched(rows),
            target=wanted,
            constraints=constraints,
            **{"seed": self._fitted.seed, **known, **settings},
        )
        return replace(found, index=frame.index)

    def nearest_unlike(
        self, X: Any, *, target: Any = None, rows: Any = None, constraints: Sequence[Constraint] = (), **settings: Any
    ) -> Counterfactuals:
        """For each row of X the nearest of ``rows`` with another prediction; see `corrigible.nearest_unlike`.

        Args:
            X, target, rows, constraints, settings: as in `counterfactuals`.

        Raises:
            NotFittedError, DataError, RecipeError: as `counterfactuals`.
        """
        frame = self._framed(X)
        known = {"schema": self.encoder_, "task": self._task, "class_names": self._class_names}
        wanted = self._wanted_class(target)
        x = inputs_of(frame, self.encoder_)
        found = nearest_unlike(
            self.network_,
            x,
            self._searched(rows),
            target=wanted,
            constraints=constraints,
            **{"seed": self._fitted.seed, **known, **settings},
        )
        return replace(found, index=frame.index)

    def _searched(self, rows: Any) -> Float[Tensor, " row column"]:
        if rows is None:
            found: Tensor = self._rows_of_fit("search near, and none are given: rows=…").data.x
            return found
        return inputs_of(self._framed(rows), self.encoder_)

    def _wanted_class(self, target: Any) -> Any:
        """The number of each class that is named."""
        if isinstance(target, str):
            return self._place("target", target)
        if isinstance(target, Sequence) and any(isinstance(name, str) for name in target):
            return [self._place("target", name) for name in target]
        return target
