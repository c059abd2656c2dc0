"""Other learners of tables with default settings, on the tables and test rows of ``tables.py``.

    pip install --no-deps lightgbm==4.7.0 catboost==1.2.10 interpret-core==0.7.8 glum==3.4.1
    pip install --no-deps tabmat formulaic narwhals numexpr interface-meta wrapt
    python benchmarks/table_peers.py [--seeds 5] [--resume]

LightGBM, CatBoost and explainable boosting machines take categories as they are. glum's generalised linear model, with
the penalty that cross-validation of the training rows chooses, takes them as indicators, and numbers standardised, with
the median where there is none. Writes benchmarks/results/table_peers.json.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import table_data
from catboost import CatBoostClassifier, CatBoostRegressor
from glum import GeneralizedLinearRegressorCV
from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from numpy.typing import NDArray
from runner import Numbers, Row, measure, options, rows_of, units_of
from sklearn.metrics import accuracy_score, mean_poisson_deviance, roc_auc_score
from table_data import Rows
from tables import CLASSES, with_mean

MODELS = ("lightgbm", "catboost", "interpret-core", "glum")
Predict = Callable[[pd.DataFrame], NDArray[np.float64]]


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    works: dict[str, Callable[[int], Iterator[Row]]] = {
        f"{name}, {model}": partial(classes, name, model) for name in CLASSES for model in MODELS
    }
    works |= {f"visits to a doctor, {model}": partial(visits, model) for model in MODELS}
    measure(
        units_of(works, asked),
        asked,
        settings={model: version(model) for model in MODELS},
        rows=partial(with_mean, models=MODELS),
    )


def classes(name: str, model: str, seed: int) -> Iterator[Row]:
    """The area under the curve and the accuracy of one learner on one table."""
    rows = CLASSES[name](seed)
    begun = time.process_time()
    predict = CLASSIFIERS[model](rows, seed)
    seconds = time.process_time() - begun
    probs = predict(rows.test_x)
    found = {"auc": roc_auc_score(rows.test_y, probs), "accuracy": accuracy_score(rows.test_y, probs > 0.5)}
    yield from rows_of({model: found | {"seconds": seconds}}, table=name)


def visits(model: str, seed: int) -> Iterator[Row]:
    """The Poisson deviance of the rates that one learner predicts."""
    rows = table_data.visits(seed)
    begun = time.process_time()
    predict = COUNTERS[model](rows, seed)
    found: Numbers = {"seconds": time.process_time() - begun}
    years = rows.test_exposure
    found["deviance"] = mean_poisson_deviance(rows.test_y / years, predict(rows.test_x), sample_weight=years)
    yield from rows_of({model: found}, table="visits to a doctor")


def probs_of(fitted: Any) -> Predict:
    return lambda x: fitted.predict_proba(x)[:, 1]


def lightgbm(rows: Rows, seed: int) -> Predict:
    return probs_of(LGBMClassifier(random_state=seed, n_jobs=1, verbose=-1).fit(rows.x, rows.y))


def catboost(rows: Rows, seed: int) -> Predict:
    model = CatBoostClassifier(random_seed=seed, thread_count=1, **cat(rows.x)).fit(filled(rows.x), rows.y)
    return lambda x: model.predict_proba(filled(x))[:, 1]


def interpret(rows: Rows, seed: int) -> Predict:
    return probs_of(ExplainableBoostingClassifier(random_state=seed, n_jobs=1).fit(rows.x, rows.y))


def glum(rows: Rows, seed: int) -> Predict:
    del seed  # Nothing is drawn.
    design = indicators(rows.x)
    model = GeneralizedLinearRegressorCV(family="binomial").fit(design(rows.x), rows.y.astype(float))
    return lambda x: model.predict(design(x))


CLASSIFIERS = dict(zip(MODELS, (lightgbm, catboost, interpret, glum), strict=True))


def lightgbm_counts(rows: Rows, seed: int) -> Predict:
    model = LGBMRegressor(objective="poisson", random_state=seed, n_jobs=1, verbose=-1)
    return model.fit(rows.x, rows.y / rows.exposure, sample_weight=rows.exposure).predict


def catboost_counts(rows: Rows, seed: int) -> Predict:
    model = CatBoostRegressor(loss_function="Poisson", random_seed=seed, thread_count=1, **cat(rows.x))
    model.fit(filled(rows.x), rows.y / rows.exposure, sample_weight=rows.exposure)
    return lambda x: model.predict(filled(x), prediction_type="Exponent")


def interpret_counts(rows: Rows, seed: int) -> Predict:
    model = ExplainableBoostingRegressor(objective="poisson_deviance", random_state=seed, n_jobs=1)
    return model.fit(rows.x, rows.y / rows.exposure, sample_weight=rows.exposure).predict


def glum_counts(rows: Rows, seed: int) -> Predict:
    del seed
    design = indicators(rows.x)
    model = GeneralizedLinearRegressorCV(family="poisson")
    model.fit(design(rows.x), rows.y / rows.exposure, sample_weight=rows.exposure)
    return lambda x: model.predict(design(x))


COUNTERS = dict(zip(MODELS, (lightgbm_counts, catboost_counts, interpret_counts, glum_counts), strict=True))


def cat(x: pd.DataFrame) -> dict[str, Any]:
    """CatBoost's settings: which columns are categories; no files and no lines."""
    names = list(x.select_dtypes("category").columns)
    return {"cat_features": names, "allow_writing_files": False, "verbose": False}


def filled(x: pd.DataFrame) -> pd.DataFrame:
    """The rows with a word where a category is missing, which CatBoost needs."""
    names = x.select_dtypes("category").columns
    return x.assign(**{name: x[name].astype(object).fillna("missing").astype(str) for name in names})


def indicators(train: pd.DataFrame) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A function that gives rows as standardised numbers and indicators of the categories of the training rows."""
    numbers = train.select_dtypes("number")
    median, centre, scale = numbers.median(), numbers.mean(), numbers.std().replace(0, 1)
    categories = train.select_dtypes("category").columns

    def design(x: pd.DataFrame) -> pd.DataFrame:
        words = [pd.get_dummies(x[name], prefix=name, dtype=float) for name in categories]
        return pd.concat([(x[numbers.columns].fillna(median) - centre) / scale, *words], axis=1)

    return design


if __name__ == "__main__":
    main()
