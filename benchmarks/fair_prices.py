"""Discrimination-free prices: on a portfolio whose truth is known, on 50,000 policies, and on visits to a doctor.

    pip install --no-deps statsmodels==0.15.0
    python benchmarks/fair_prices.py [--seeds 5] [--resume]

**Truth**: 20,000 policies whose rate is a known function of age, smoking and sex, and whose smoking depends on sex. The
best estimate is that function, so its average over sex is the truth. ``error`` is the largest relative error over all
policies, ``imbalance`` the sum of the prices over that of the best estimates, less 1. The unaware model is the exact
mean rate given age and smoking, in balance.

**Policies**: 50,000 of them with 12 columns, with boosting as the best estimate and a network that learns its price
without sex; the fit of the best estimate, the closed form and the student each in seconds of processor time of one
thread, on a machine that was busy.

**Visits**: rates of visits to a doctor in the RAND Health Insurance Experiment. The attribute is ``female``, which
drives visits and which insurers in the European Union must not price by. ``fchild``, which says that a child is a girl,
is left out of all models: it is the attribute itself. The best estimate is boosting with default settings; the unaware
model is boosting without the attribute. All is measured on persons that nobody trained with. ``partial``: the
correlation of the logarithm of the price with the attribute given the risk, by exposure: both are regressed on 1, r, r²
and r³, where r is the logarithm of the discrimination-free price of the best estimate, and the residuals are
correlated. For that price itself it is 0 by definition. ``share`` is it as a share of the best estimate's, and
``deviance ratio`` the Poisson deviance over the best estimate's. Settings were fixed on seeds from 100.

Writes benchmarks/results/fair_prices.json.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import table_data
from numpy.typing import NDArray
from runner import Numbers, Row, measure, options, rows_of, units_of
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_poisson_deviance
from table_data import Rows

from corrigible import TabularRegressor, discrimination_free_price, transported_prices
from corrigible.prices.given import groups_of

STUDENTS: dict[str, dict[str, Any]] = {
    "visits": {"max_epochs": 60, "patience": 30},
    "policies": {
        "hidden_layer_sizes": (64, 64),
        "ensemble": 1,
        "learning_rate": 5e-3,
        "weight_decay": 3e-4,
        "max_epochs": 30,
        "patience": 30,
        "batch_size": 2048,
    },
}
SEX = "female"
TELLS = "fchild"
Array = NDArray[np.float64]
Prices = Callable[[pd.DataFrame], Array]


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    works = {"truth": truth, "visits": visits, "policies": policies}
    measure(units_of(works, asked), asked, settings={"students": STUDENTS, "attribute": SEX})


def truth(seed: int) -> Iterator[Row]:
    """The closed form and the unaware model beside the known discrimination-free price."""
    x, exposure, share = known_portfolio(20_000, np.random.default_rng(seed))
    own = rate_of(x)
    price = discrimination_free_price(rate_of, x, attributes=SEX, exposure=exposure)
    by_sex = [rate_of(x.assign(female=sex)) for sex in (0, 1)]
    expected = balanced((1 - share) * by_sex[0] + share * by_sex[1], own, exposure)
    known = posterior(x)
    unaware = balanced((1 - known) * by_sex[0] + known * by_sex[1], own, exposure)
    numbers = {"closed form": price.prices, "unaware": unaware, "best estimate": own}
    yield from rows_of(
        {
            name: {
                "error": float(np.abs(found / expected - 1).max()),
                "imbalance": float(abs((found * exposure).sum() / (own * exposure).sum() - 1)),
            }
            for name, found in numbers.items()
        },
        case="truth",
    )


def known_portfolio(num_rows: int, rng: np.random.Generator) -> tuple[pd.DataFrame, Array, float]:
    """Policies, their exposure, and the share of women in it."""
    sex = (rng.random(num_rows) < 0.45).astype(int)
    smokes = (rng.random(num_rows) < np.where(sex == 1, 0.8, 0.3)).astype(int)
    x = pd.DataFrame({"age": rng.uniform(18, 80, num_rows), "smokes": smokes, SEX: sex})
    exposure = rng.uniform(0.1, 1.0, num_rows)
    return x, exposure, float(exposure[sex == 1].sum() / exposure.sum())


def rate_of(x: pd.DataFrame) -> Array:
    """The known rate: women between 20 and 40 have more claims, as in the example of the paper."""
    bears = x[SEX] * ((x["age"] > 20) & (x["age"] < 40))
    found: Array = np.exp(-2.5 + 0.015 * x["age"] + 0.4 * x["smokes"] + 0.9 * bears - 0.1 * x[SEX]).to_numpy()
    return found


def posterior(x: pd.DataFrame) -> Array:
    """The probability of a woman given smoking, which an unaware model uses without being told."""
    of_women, of_men = np.where(x["smokes"] == 1, 0.8, 0.2) * 0.45, np.where(x["smokes"] == 1, 0.3, 0.7) * 0.55
    return of_women / (of_women + of_men)


def balanced(prices: Array, like: Array, exposure: Array) -> Array:
    return prices * (like * exposure).sum() / (prices * exposure).sum()


def policies(seed: int) -> Iterator[Row]:
    """How long 50,000 policies take."""
    rng = np.random.default_rng(seed)
    x, exposure, _ = known_portfolio(50_000, rng)
    x = x.assign(
        **{f"x{k}": rng.normal(size=len(x)) for k in range(8)}, area=pd.Categorical(rng.choice(list("abcde"), len(x)))
    )
    y = rng.poisson(rate_of(x) * np.exp(0.2 * x["x0"] - 0.1 * x["x1"]) * exposure)
    begun = [time.process_time()]
    best = boosted(x, y, exposure, seed)
    begun.append(time.process_time())
    price = discrimination_free_price(best, x, attributes=SEX, exposure=exposure)
    told = price.prices
    begun.append(time.process_time())
    without = x.drop(columns=SEX)
    student = student_of(seed, "policies").fit(without, y, exposure=exposure, teacher=price)
    begun.append(time.process_time())
    learned = student.predict(without)
    own = best.predict(x)
    seconds = np.diff(begun)
    yield Row(
        {"case": "policies", "model": "boosting, then student"},
        {
            **dict(zip(("seconds best estimate", "seconds closed form", "seconds student"), seconds, strict=True)),
            "seconds in all": float(seconds.sum()),
            "imbalance": float(abs((told * exposure).sum() / (own * exposure).sum() - 1)),
            "imbalance of the student": float(abs((learned * exposure).sum() / (own * exposure).sum() - 1)),
            "mean error of the student": float(np.average(np.abs(learned / told - 1), weights=exposure)),
        },
    )


def visits(seed: int) -> Iterator[Row]:
    """Deviance, and what prices still say of the attribute beyond the risk."""
    rows = table_data.visits(seed)
    rows = rows._replace(x=rows.x.drop(columns=TELLS), test_x=rows.test_x.drop(columns=TELLS))
    prices = priced(rows, seed)
    risk = np.log(prices["discrimination-free"](rows.test_x))
    found = {name: measured(rows, of, risk) for name, of in prices.items()}
    best = found["best estimate"]
    for numbers in found.values():
        numbers["deviance ratio"] = numbers["deviance"] / best["deviance"]
        numbers["share"] = abs(numbers["partial"] / best["partial"])
    yield from rows_of(found, case="visits")


def priced(rows: Rows, seed: int) -> dict[str, Prices]:
    """Each way to set prices, as a function of rows."""
    without = rows.x.drop(columns=SEX)
    best, unaware = (boosted(x, rows.y, rows.exposure, seed) for x in (rows.x, without))
    free = discrimination_free_price(best, rows.x, attributes=SEX, exposure=rows.exposure, y=rows.y)
    fit: dict[str, Any] = {"exposure": rows.exposure, "groups": rows.groups, "teacher": free}
    student = student_of(seed, "visits").fit(without, rows.y, **fit)
    moved = transported_prices(best.predict(rows.x), rows.x[SEX], exposure=rows.exposure)
    return {
        "best estimate": best.predict,
        "unaware": lambda x: unaware.predict(x.drop(columns=SEX)),
        "discrimination-free": lambda x: free.predict(x.drop(columns=SEX)),
        "student": lambda x: student.predict(x.drop(columns=SEX)),
        "transport": lambda x: moved.predict(ranked(moved, best.predict(x), x[SEX]), x[SEX]),
    }


def ranked(moved: Any, prices: Array, sex: "pd.Series[Any]") -> Array:
    """The prices clipped to those that their group had, since no other has a rank in it."""
    ends = {key: known[[0, -1]] for key, (_, known) in zip(moved.keys, moved.tables, strict=True)}
    found = groups_of(sex, len(sex))
    low, high = np.array([ends[key] for key in found.keys])[found.place].T
    return np.clip(prices, low, high)


def boosted(x: pd.DataFrame, y: NDArray[Any], exposure: Array, seed: int) -> Any:
    boosting = HistGradientBoostingRegressor(loss="poisson", categorical_features="from_dtype", random_state=seed)
    return boosting.fit(x, y / exposure, sample_weight=exposure)


def student_of(seed: int, case: str) -> TabularRegressor:
    return TabularRegressor(task="counts", **STUDENTS[case], random_state=seed)


def measured(rows: Rows, prices: Prices, risk: Array) -> Numbers:
    """On test rows, and the balance on training rows."""
    found, years, sex = prices(rows.test_x), rows.test_exposure, rows.test_x[SEX].to_numpy(float)
    means = [np.average(found[sex == group], weights=years[sex == group]) for group in (0, 1)]
    return {
        "deviance": float(mean_poisson_deviance(rows.test_y / years, found, sample_weight=years)),
        "imbalance": float(abs((prices(rows.x) * rows.exposure).sum() / rows.y.sum() - 1)),
        "women over men": float(means[1] / means[0]),
        "partial": partial_correlation(np.log(found), sex, risk, years),
    }


def partial_correlation(price: Array, attribute: Array, risk: Array, weight: Array) -> float:
    """The weighted correlation of what a cubic of the risk leaves of both; 0 where it leaves nothing of the price."""
    r = (risk - np.average(risk, weights=weight)) / risk.std()
    given = np.stack([np.ones_like(r), r, r**2, r**3], axis=1) * np.sqrt(weight)[:, None]
    left = []
    for values in (price, attribute):
        scaled = values * np.sqrt(weight)
        left.append(scaled - given @ np.linalg.lstsq(given, scaled, rcond=None)[0])
    size = np.sqrt((left[0] ** 2).sum() * (left[1] ** 2).sum())
    is_nothing = (left[0] ** 2).sum() < 1e-12 * (weight * price**2).sum()
    return 0.0 if is_nothing else float((left[0] * left[1]).sum() / size)


if __name__ == "__main__":
    main()
