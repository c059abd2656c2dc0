"""What both estimators do: learn a table; see `EnforcingVerbs` for what follows."""

import warnings
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from corrigible.data.labelling import name_of_task
from corrigible.errors import RecipeError
from corrigible.estimators.chosen_pairs import learned_with_pairs
from corrigible.estimators.corrected import FittedRows
from corrigible.estimators.enforcing import EnforcingVerbs
from corrigible.estimators.given_rows import GivenRows, frame_of, given_rows
from corrigible.estimators.learning import SETTINGS, HowToLearn
from corrigible.estimators.students import labels_of, taught
from corrigible.progress import quiet
from corrigible.tasks import TaskChoice

Estimator = TypeVar("Estimator", bound="TabularEstimator")


class TabularEstimator(EnforcingVerbs):
    """A network for a table; see `TabularClassifier` and `TabularRegressor`."""

    def __init__(
        self,
        *,
        task: TaskChoice | None = None,
        hidden_layer_sizes: Sequence[int] = (128, 128),
        ensemble: int = 8,
        max_epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float = 2e-3,
        weight_decay: float | None = None,
        validation_fraction: float = 0.1,
        patience: int = 20,
        monotonic_cst: Any = None,
        interactions: Any = 0,
        random_state: Any = None,
        device: Any = None,
    ) -> None:
        self.task = task
        self.hidden_layer_sizes = hidden_layer_sizes
        self.ensemble = ensemble
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.monotonic_cst = monotonic_cst
        self.interactions = interactions
        self.random_state = random_state
        self.device = device

    def fit(
        self: Estimator,
        X: Any,
        y: Any = None,
        *,
        teacher: Any = None,
        sensitive_features: Any = None,
        sample_weight: Any = None,
        exposure: Any = None,
        groups: Any = None,
        feedback: Any = None,
    ) -> Estimator:
        """The estimator itself, fitted; with feedback, also corrected.

        Rows that are equal are learned as one with the sum of their weights, so that a weight of 2 is the same as the
        row twice; the order of the rows does not matter. With at least 200 different rows, a share of them
        (``validation_fraction``) is held out to say when to stop.

        Args:
            X: a frame of pandas, Polars or PyArrow, or an array, (row, feature), of numbers, text or truth values.
            y: the label of each row; with a teacher, None for the labels that it predicts. Counts must be given.
            teacher: a model to learn the predictions of, instead of the labels: fitted boosting, a pipeline, or any
                function of X. Of classes it gives probabilities, by ``predict_proba`` or as a function of rows, in the
                order of ``classes_``; else predictions, per unit of exposure. Corrections then learn from it too.
            sensitive_features: the group of each row, no feature: predictions never need it. `enforce` uses it, and
                penalties given to `correct`, as ``batch.group``. The columns of a frame form groups together, and stand
                each by itself in ``batch.extra``; one of more than 20 different numbers, such as an age, stands there
                alone.
            sample_weight: how much each row counts, at least 0; rows of weight 0 are left out.
            exposure: for counts and positive amounts, such as the years of a contract; above 0.
            groups: the person, or whatever else has several rows, of each row; no feature. Rows of one group are held
                out together, as in scikit-learn's ``GroupKFold``.
            feedback: what must not matter, by the names of columns, see `correct`. The verdict is not printed, as folds
                would print many: it is ``verdict_``, and logged if a handler is set.

        Raises:
            DataError: columns or labels that cannot be learned from.
            RecipeError: a parameter out of range.
            UnsupportedModelError: a teacher whose answers do not fit.
        """
        frame = frame_of(X, self)
        beside = {"sensitive_features": sensitive_features, "sample_weight": sample_weight, "exposure": exposure}
        y = labels_of(teacher, X, self._choice, of_classes="classes" in self.tasks) if y is None else y
        rows = given_rows(frame, self._labels(y, frame), groups=groups, **beside)
        places = np.flatnonzero(rows.weight > 0)
        rows = self._with_numbers(rows.at(places))
        self._learn(rows if teacher is None else taught(rows, teacher, X, places, self._choice), places)
        if feedback is not None:
            with quiet():
                self.__dict__.update(vars(self.correct(feedback, progress=False)))
        return self

    def _learn(self, rows: GivenRows, places: NDArray[np.int64]) -> None:
        given = {name: value for name, value in self.get_params(deep=False).items() if name in SETTINGS}
        # Searches over an arange give NumPy's whole numbers.
        chosen: dict[str, Any] = {
            name: int(value) if isinstance(value, np.integer) else value for name, value in given.items()
        }
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        found = learned_with_pairs(rows, self._choice, HowToLearn(**chosen, seed=seed))
        self._said = []
        self._fitted, self._rows = found.fitted, FittedRows(found.data, places)
        self._show(found.network)
        for name in ("verdict_", "limited_", "enforced_"):
            self.__dict__.pop(name, None)
        if not self._fitted.watched.has_converged:
            falling = f"the loss was still falling after {self.n_iter_} epochs; raise max_epochs"
            warnings.warn(falling, ConvergenceWarning, stacklevel=3)

    @property
    def _choice(self) -> TaskChoice:
        """The task that was chosen, or the usual one; raises RecipeError for a task of other labels."""
        chosen = self.tasks[0] if self.task is None else self.task
        if (name := name_of_task(chosen)) not in self.tasks:
            raise RecipeError(f"task is {name!r}; expected one of {', '.join(self.tasks)}")
        return chosen
