"""From which agreement on does a column tell an amount: what separates leaking columns from honest ones?

    python benchmarks/telling_columns.py [--seeds 4]

Five small tables of amounts, of 80, 150 and 330 rows, each with a column that gives the label away but for noise of 0
to 0.5 standard deviations of the label. A linear model, held to use all columns, relies on it. Counted is the share of
honest and of leaking columns whose agreement reaches each threshold; balanced is the mean share of columns judged
rightly. `TELLS_AMOUNT` was chosen on seeds 0 to 3; seeds here count from 100. Writes
benchmarks/results/telling_columns.json.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from runner import Row, measure, options, units_of
from sklearn.datasets import load_diabetes, make_friedman1
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.regions.suspects import suspects
from corrigible.types import Columns, Features

SIZES, NOISES, THRESHOLDS = (80, 150, 330), (0.0, 0.05, 0.1, 0.2, 0.3, 0.5), (0.3, 0.4, 0.45, 0.5, 0.6)
RIDGE = 0.05
"""Weight decay, in shares of the rows, so that honest columns keep a weight beside an exact leak."""
Table = tuple[np.ndarray, np.ndarray]


def main() -> None:
    asked = options(__doc__, seeds=4, first_seed=100).parse_args()
    measure(units_of({table: partial(of_table, table) for table in TABLES}, asked), asked, settings={"ridge": RIDGE})


def of_table(table: str, seed: int) -> Iterator[Row]:
    found = [pair for size in SIZES for noise in NOISES for pair in agreements(table, seed, size, noise)]
    leaking, honest = (np.array([told for is_leak, told in found if is_leak is which]) for which in (True, False))
    for threshold in THRESHOLDS:
        shares = float((honest >= threshold).mean()), float((leaking >= threshold).mean())
        numbers = {"honest_told": shares[0], "leaks_told": shares[1], "balanced": (1 - shares[0] + shares[1]) / 2}
        yield Row({"table": table, "threshold": threshold}, numbers)


def agreements(table: str, seed: int, size: int, noise: float) -> Iterator[tuple[bool, float]]:
    """Whether each suspected column leaks, and to how much it tells the label."""
    draws = np.random.default_rng(seed)
    x, y = TABLES[table](draws)
    rows = draws.permutation(len(y))[:size]
    x, y = standard(x[rows]), standard(y[rows])
    x = np.column_stack([x, y + noise * draws.normal(size=len(y))])
    weight = np.linalg.solve(x.T @ x + RIDGE * len(y) * np.eye(x.shape[1]), x.T @ y)
    model = nn.Linear(len(weight), 1, bias=False)
    model.weight.data = torch.tensor(weight[None], dtype=torch.float32)
    names = (*(f"honest {place}" for place in range(len(weight) - 1)), "leak")
    columns = Columns(names, names, (False,) * len(names))
    data = TensorData(torch.tensor(x).float(), torch.tensor(y).float(), columns=columns, task="amounts")
    for found in suspects(model, data, seed=seed):
        yield found.region == Features(("leak",)), found.agreement


def standard(values: np.ndarray) -> np.ndarray:
    found: np.ndarray = (values - values.mean(axis=0)) / values.std(axis=0)
    return found


def housing(draws: np.random.Generator, count: int = 400) -> Table:
    area, age, district = draws.uniform(30, 150, count), draws.uniform(0, 80, count), draws.integers(0, 3, count)
    rooms = area // 30 + draws.integers(0, 2, count)
    price = 2500 * area + 30000 * district - 500 * age + draws.normal(0, 30000, count)
    return np.column_stack([area, rooms, age, district]), price


def wages(draws: np.random.Generator, count: int = 400) -> Table:
    schooling, years = draws.integers(8, 20, count), draws.uniform(0, 40, count)
    hours, town = draws.normal(38, 6, count), draws.integers(0, 2, count)
    wage = np.exp(1.5 + 0.09 * schooling + 0.025 * years + 0.1 * town + draws.normal(0, 0.35, count))
    return np.column_stack([schooling, years, hours, town]), wage


def diabetes(draws: np.random.Generator) -> Table:
    found: Table = load_diabetes(return_X_y=True)
    return found


def friedman(draws: np.random.Generator, count: int = 400) -> Table:
    found: Table = make_friedman1(count, 6, noise=1.5, random_state=int(draws.integers(2**31)))
    return found


def cars(draws: np.random.Generator, count: int = 400) -> Table:
    weight, age = draws.normal(1400, 300, count), draws.integers(0, 15, count)
    power, driven = 0.09 * weight + draws.normal(0, 25, count), 12000 * age * draws.uniform(0.4, 1.6, count)
    price = np.maximum(500, 12 * weight + 110 * power) * np.exp(-0.16 * age) + draws.normal(0, 900, count)
    return np.column_stack([weight, power, age, driven]), price


TABLES: dict[str, Callable[[np.random.Generator], Table]] = {
    f.__name__: f for f in (housing, wages, diabetes, friedman, cars)
}

if __name__ == "__main__":
    main()
