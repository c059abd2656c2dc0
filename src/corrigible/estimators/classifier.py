"""A classifier for tables."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin

from corrigible.errors import DataError
from corrigible.estimators.given_rows import GivenRows, classes_of
from corrigible.estimators.tabular import TabularEstimator
from corrigible.tasks import TaskChoice


class TabularClassifier(ClassifierMixin, TabularEstimator):  # type: ignore[misc]
    """A network that tells the class of each row of a table, and that people can correct.

    Args:
        task: "classes", or "ordered_classes" for classes whose order is that of ``classes_``. None for the first.
        hidden_layer_sizes: the number of units of each hidden layer.
        ensemble: how many networks answer together; they share most weights, see `corrigible.models.tabm`.
        max_epochs: most passes over the rows, in which the learning rate falls to 0. None for about a thousand steps:
            from 10 to 100 passes.
        batch_size: rows per step; None for 256, or fewer if an epoch would otherwise have less than a dozen steps.
        learning_rate: of the optimizer, AdamW. If the held-out rows are predicted best in the first two thirds of the
            epochs, a quarter of it is tried too, and the better try is kept.
        weight_decay: of AdamW; None for 3e-4, and 1 in the second try.
        validation_fraction: the share of rows held out to say when to stop, if there are at least 200 different ones;
            0 to watch the training loss instead.
        patience: epochs without a lower loss after which training ends.
        monotonic_cst: how the prediction may change with a column of numbers, by its name, or one number per column: 1
            if it must never fall as the number grows, -1 if it must never rise, 0 if it is free. The prediction is the
            probability of the second of two classes, or of being above each of several ordered ones. It holds for all
            numbers, and after `correct`. A missing number is free.
        interactions: pairs of columns whose products are inputs too, of standardised numbers and of the 0 and 1 of
            each category: pairs of names, or how many to choose. Then a network is fitted first, and the pairs that it
            combines most are taken, see `corrigible.explanations.strongest_interactions`. With
            ``hidden_layer_sizes=()`` the logit, amount or logarithm is a sum of curves of single columns and of these.
        random_state: a whole number, or a state of NumPy; None for another network each time.
        device: where to train, such as "cuda"; the network comes back to the CPU.

    Attributes:
        classes_: the classes, sorted.
        encoder_: how the columns are read and encoded, `TableEncoder`.
        interactions_: the pairs of columns whose products are inputs too.
        network_: the network, a ``torch.nn.Module`` of encoded rows.
        loss_curve_, validation_loss_curve_: the mean loss of each epoch; the second is empty if no rows were held out.
        n_iter_: the number of epochs.
        verdict_: how the correction went, `corrigible.Verdict`; only after `correct`.
        n_features_in_, feature_names_in_: as in scikit-learn.

    Examples:
        >>> import pandas as pd
        >>> from corrigible import TabularClassifier
        >>> X = pd.DataFrame({"age": [30, 41, 52, None] * 10, "ward": ["a", "b", "b", "a"] * 10})
        >>> y = ["well", "ill", "ill", "well"] * 10
        >>> model = TabularClassifier(random_state=0).fit(X, y)
        >>> model.predict(X.head(2)).tolist()
        ['well', 'ill']
        >>> model.explain(X.head(2)).columns.tolist()
        ['age', 'ward']
    """

    tasks = ("classes", "ordered_classes")

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row: the most likely one, of ordered classes the median.

        Raises:
            NotFittedError: before `fit`.
            DataError, ValueError: rows that do not fit those of training.
        """
        places = self._predicted(X)["predicted"].numpy()
        found: NDArray[Any] = self.classes_[places]
        return found

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The probability of each class, (row, class), in the order of ``classes_``.

        Raises:
            NotFittedError: before `fit`.
            DataError, ValueError: rows that do not fit those of training.
        """
        found: NDArray[np.float64] = self._predicted(X)["probs"].numpy()
        return found

    def _labels(self, y: Any, frame: pd.DataFrame) -> NDArray[Any]:
        return classes_of(y, len(frame))

    def _with_numbers(self, rows: GivenRows) -> GivenRows:
        """The rows with the numbers of their classes, which are those that occur."""
        self.classes_, numbers = np.unique(rows.y, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f"y holds one class, {self._class_names[0]!r}; expected rows of at least two classes")
        return replace(rows, y=numbers, class_names=self._class_names)

    def _numbered(self, labels: NDArray[Any]) -> NDArray[np.int64]:
        """The number of each class.

        Raises:
            DataError: a class that training lacks.
        """
        numbers = pd.Index(self.classes_).get_indexer(pd.Index(labels))
        if bool((numbers < 0).any()):
            known = ", ".join(self._class_names)
            raise DataError(f"y holds {str(labels[numbers < 0][0])!r}, which training lacks; it has {known}")
        found: NDArray[np.int64] = numbers.astype(np.int64)
        return found

    def _target(self, y: Any, frame: pd.DataFrame) -> NDArray[np.int64]:
        return self._numbered(self._labels(y, frame))

    @property
    def _class_names(self) -> tuple[str, ...]:
        return tuple(map(str, self.classes_))

    @property
    def _labels_mean(self) -> TaskChoice:
        """What labels of other rows mean: of the same classes."""
        return self._task
