"""The cheapest changes against all changes tried one by one, for every kind of ensemble."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.explanations.counterfactuals import (
    Causal,
    Immutable,
    MaxChanges,
    Monotone,
    Ordinal,
    Range,
    Relation,
    allowed_by,
    schema_of,
    tree_counterfactuals,
    trees_problem,
)
from corrigible.types import Columns

COLUMNS = Columns(
    ("age", "years", "pay", "job=a", "job=b", "job=c"),
    ("age", "years", "pay", "job", "job", "job"),
    (False, False, False, True, True, True),
    (10.0, 0.0, 6.0, 0.0, 0.0, 0.0),
    (4.0, 1.0, 5.0, 1.0, 1.0, 1.0),
)
AGES, YEARS, PAYS = range(12), range(5), range(13)


def encoded(age, years, pay, job):
    held = np.stack([(np.asarray(age) - 10) / 4, np.asarray(years), (np.asarray(pay) - 6) / 5], axis=1)
    return np.concatenate([held, np.eye(3)[np.asarray(job)]], axis=1).astype(np.float32)


def table(seed, num=150):
    rng = np.random.default_rng(seed)
    values = rng.choice(AGES, num), rng.choice(YEARS, num), rng.choice(PAYS, num), rng.integers(3, size=num)
    score = values[0] / 4 + values[1] / 2 + values[2] * (values[3] - 0.7) / 5 + rng.normal(size=num)
    return encoded(*values), score


def everything():
    """Every row of the table that there can be, and its values."""
    values = np.array(list(itertools.product(AGES, YEARS, PAYS, range(3))))
    return encoded(*values[:, :3].T, values[:, 3].astype(int)), values


ALL_X, ALL_VALUES = everything()


def cheapest(model, x, schema, constraints, holds):
    """The least cost of all rows that the constraints allow and that are answered as wanted; infinite for none."""
    before = schema.values(torch.from_numpy(x[None]))[0]
    allowed = allowed_by(constraints, schema)
    costs = np.array([feature.mad for feature in schema.features[:3]])
    cost = (np.abs(ALL_VALUES[:, :3] - before[:3]) / costs).sum(axis=1)
    order = [list(one.order) for one in allowed.of(Ordinal) if one.feature == "job"]
    rank = np.array([order[0].index(level) if level in order[0] else np.nan for level in "abc"]) if order else None
    steps = (ALL_VALUES[:, 3] != before[3]).astype(float)
    if rank is not None:
        known = np.abs(rank[ALL_VALUES[:, 3].astype(int)] - rank[int(before[3])])
        steps = np.where(np.isnan(known), steps, known)
    cost = cost + steps
    some = holds(model.predict(ALL_X))
    frames = (
        schema.frame(torch.from_numpy(np.repeat(x[None], some.sum(), axis=0))),
        schema.frame(torch.from_numpy(ALL_X[some])),
    )
    return cost[some][allowed.satisfied(*frames)].min(initial=np.inf) if some.any() else np.inf


def check(model, x, schema, constraints=(), *, method="branching", **wish):
    """Every row's cost is the least there is, and each result is allowed and answered as wanted."""
    found = tree_counterfactuals(
        model, torch.from_numpy(x), schema=schema, constraints=constraints, method=method, **wish
    )
    predicted = model.predict(x)
    for row in range(len(x)):

        def holds(answers, row=row):
            if "below" in wish or "above" in wish:
                return (answers < wish.get("below", np.inf)) & (answers > wish.get("above", -np.inf))
            return answers == wish["target"] if "target" in wish else answers != predicted[row]

        if holds(predicted[[row]])[0]:
            assert found.status[row] == "already"
            continue
        least = cheapest(model, x[row], schema, constraints, holds)
        assert found.is_proven[row], found.reason[row]
        if np.isinf(least):
            assert (found.status[row], found.bound[row].item()) == ("impossible", np.inf)
            continue
        assert found.status[row] == "found", found.reason[row]
        assert found.cost[row].item() == pytest.approx(least, abs=2e-5)
        assert found.bound[row].item() == pytest.approx(least, abs=2e-5)
        changed = found.changed[[row]].numpy()
        assert holds(model.predict(changed))[0]
        assert holds(found.prediction[[row]])[0]
        frames = [schema.frame(torch.from_numpy(rows)) for rows in (x[[row]], changed)]
        assert allowed_by(constraints, schema).satisfied(*frames)[0]
        own = np.abs(found.after[row, :3] - found.before[row, :3]) / [one.mad for one in schema.features[:3]]
        assert own.sum() <= found.cost[row].item() + 1e-5
    return found


CLASSIFIERS = {
    "tree": DecisionTreeClassifier(max_depth=4, random_state=0),
    "extra tree": ExtraTreeClassifier(max_depth=5, random_state=0),
    "forest": RandomForestClassifier(5, max_depth=4, random_state=0),
    "votes": RandomForestClassifier(4, bootstrap=False, max_features=2, random_state=0),
    "extra trees": ExtraTreesClassifier(5, max_depth=5, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=12, max_depth=2, random_state=0),
    "histograms": HistGradientBoostingClassifier(max_iter=8, max_depth=3, min_samples_leaf=5, early_stopping=False),
}
REGRESSORS = {
    "tree": DecisionTreeRegressor(max_depth=4, random_state=0),
    "extra tree": ExtraTreeRegressor(max_depth=5, random_state=0),
    "forest": RandomForestRegressor(5, max_depth=4, random_state=0),
    "extra trees": ExtraTreesRegressor(5, max_depth=5, random_state=0),
    "boosting": GradientBoostingRegressor(n_estimators=12, max_depth=2, random_state=0),
    "histograms": HistGradientBoostingRegressor(max_iter=8, max_depth=3, min_samples_leaf=5, early_stopping=False),
    "counts": HistGradientBoostingRegressor(loss="poisson", max_iter=8, min_samples_leaf=5, early_stopping=False),
}
CONSTRAINTS = {
    "none": [],
    "several": [Immutable("job"), Monotone("age", "up"), Range("pay", 3.5, 9)],
    "order": [Ordinal("job", ["b", "c", "a"]), Monotone("job", "up"), Immutable("pay")],
    "listed": [Ordinal("age", [2, 5, 7, 11]), Monotone("years", "down")],
    "few": [MaxChanges(1)],
    "two": [MaxChanges(2), Immutable("age")],
    "related": [Relation("years <= age - 4"), Range("pay", high=8)],
    "strict": [Relation("0.4 * pay > years - 1"), Relation("years < age"), MaxChanges(2)],
    "fixed": [Relation("years <= age - 3"), Immutable("age")],
}


@pytest.mark.every(3)
@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("num_classes", [2, 3])
def test_no_change_of_class_is_cheaper(name, num_classes):
    x, score = table(1)
    y = np.array(["low", "mid", "high"])[np.digitize(score, np.quantile(score, [0.4, 0.7])) % num_classes]
    model = CLASSIFIERS[name].fit(x, y)
    schema = schema_of(COLUMNS, torch.from_numpy(x))
    check(model, x[:5], schema)
    check(model, x[5:8], schema, target="high" if num_classes == 3 else "mid")


@pytest.mark.every(3)
@pytest.mark.parametrize("name", REGRESSORS)
def test_no_change_of_a_number_is_cheaper(name):
    x, score = table(2)
    model = REGRESSORS[name].fit(x, score - score.min() + 0.1)
    schema, middle = schema_of(COLUMNS, torch.from_numpy(x)), np.median(model.predict(x))
    check(model, x[:3], schema, above=middle + 0.5)
    check(model, x[3:5], schema, below=middle - 0.5)
    check(model, x[5:8], schema, above=middle + 0.2, below=middle + 0.4)


@pytest.mark.every(4)
@pytest.mark.parametrize("constraints", CONSTRAINTS.values(), ids=CONSTRAINTS)
@pytest.mark.parametrize("name", ["tree", "forest", "boosting"])
def test_no_allowed_change_is_cheaper(name, constraints):
    x, score = table(3)
    model = CLASSIFIERS[name].fit(x, score > np.quantile(score, 0.6))
    check(model, x[:6], schema_of(COLUMNS, torch.from_numpy(x)), constraints)


@pytest.mark.every(4)
@pytest.mark.parametrize("name", ["forest", "votes", "histograms"])
@pytest.mark.parametrize("constraints", ["none", "several", "few"])
def test_the_program_finds_the_same(name, constraints):
    x, score = table(4)
    model = CLASSIFIERS[name].fit(x, np.digitize(score, np.quantile(score, [0.4, 0.7])))
    check(model, x[:3], schema_of(COLUMNS, torch.from_numpy(x)), CONSTRAINTS[constraints], method="program")


def stump(low, high, **settings):
    """A tree that answers 1 above the middle of two numbers, and the schema of its only column."""
    x, columns = np.repeat([[low], [high]], 5, axis=0), Columns(("n",), ("n",), (False,))
    return DecisionTreeClassifier(**settings).fit(x, [0] * 5 + [1] * 5), schema_of(columns, torch.tensor(x))


def test_whole_numbers_that_float32_cannot_tell_apart_are_no_change():
    model, schema = stump(2.0**24, 2.0**24 + 2)
    x = np.array([[2.0**24]])
    assert model.predict(x + 1) == 0  # In float32 it is the same number.
    found = tree_counterfactuals(model, x, schema=schema)
    assert found.changed.item() == 2**24 + 2


def test_a_threshold_belongs_to_the_side_below():
    model, schema = stump(0.0, 1.0)  # The threshold is 0.5.
    columns = Columns(("n",), ("n",), (False,))
    tenths = schema_of(columns, torch.tensor([[0.1], [0.2], [0.9]], dtype=torch.float64))
    up = tree_counterfactuals(model, np.array([[0.1]]), schema=tenths)
    down = tree_counterfactuals(model, np.array([[0.9]]), schema=tenths)
    assert (up.changed.item(), down.changed.item()) == (pytest.approx(0.6), 0.5)
    assert schema.features[0].kind == "integer"
    assert tree_counterfactuals(model, np.array([[0.0]]), schema=schema).changed.item() == 1.0


@pytest.mark.parametrize(("seed", "tied", "start", "nearest"), [(3, 4, 7, 4), (4, 3, 0, 4)])
def test_a_vote_that_is_tied_goes_as_the_model_breaks_it(seed, tied, start, nearest):
    x, columns = np.arange(8.0)[:, None], Columns(("n",), ("n",), (False,))
    model = RandomForestClassifier(2, random_state=seed).fit(x, [0, 0, 0, 0, 1, 1, 1, 1])
    assert np.flatnonzero(model.predict_proba(x)[:, 1] == 0.5) == [tied] and model.predict(x[[tied]]) == 0
    found = tree_counterfactuals(model, x[[start]], schema=schema_of(columns, torch.tensor(x)))
    assert found.changed.item() == nearest


def test_empty_cells_stay_empty():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 10, size=(300, 2)).astype(float)
    y = x[:, 0] + x[:, 1] > 9
    schema = schema_of(Columns(("a", "b"), ("a", "b"), (False, False)), torch.tensor(x))
    model = HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=5).fit(
        np.where(rng.random(x.shape) < 0.2, np.nan, x), y
    )
    row = np.array([[np.nan, 1.0]])
    found = tree_counterfactuals(model, row, schema=schema)
    ways = np.array([[np.nan, number] for number in range(10)])
    other = np.flatnonzero(model.predict(ways) != model.predict(row))
    assert found.changed[0, 0].isnan() and found.changed[0, 1].item() == other[np.abs(other - 1).argmin()]
    related = Relation("a <= b")
    kept = tree_counterfactuals(model, row, schema=schema, constraints=[related, MaxChanges(2)])
    assert kept.status == ("impossible",) and kept.in_the_way == ((related,),)


def test_an_ensemble_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(trees_problem, "MOST_ENTRIES", 100)
    x, score = table(9)
    model = CLASSIFIERS["forest"].fit(x, score > 1)
    with pytest.raises(UnsupportedModelError, match="values to choose from; expected at most 100 pairs of both"):
        tree_counterfactuals(model, x[:1], schema=COLUMNS, rows=x)


def test_a_frame_that_the_model_was_fitted_to():
    x, score = table(5)
    model = CLASSIFIERS["tree"].fit(pd.DataFrame(x, columns=COLUMNS.names), score > 1)
    found = tree_counterfactuals(model, x[:2], schema=COLUMNS, rows=x)
    assert set(found.status) == {"found"}


def test_constraints_in_the_way_are_named():
    x, _ = table(6)
    model = DecisionTreeClassifier(max_depth=1, random_state=0).fit(x, x[:, 0] > 0)
    row = x[x[:, 0] < 0][:1]
    schema, others = schema_of(COLUMNS, torch.from_numpy(x)), [Immutable("job"), MaxChanges(2)]
    (age, down) = Immutable("age"), Monotone("age", "down")
    one = tree_counterfactuals(model, row, schema=schema, constraints=[*others, age])
    assert (one.status, one.in_the_way) == (("impossible",), ((age,),))
    assert one.reason[0].endswith("in the way: age must stay as it is")
    both = tree_counterfactuals(model, row, schema=schema, constraints=[*others, age, down])
    assert both.in_the_way == ((age, down),)
    assert both.reason[0].endswith("in the way: age must stay as it is and age may only go down together")
    three = tree_counterfactuals(model, row, schema=schema, constraints=[*others, age, down, Range("age", -9, -8)])
    assert three.in_the_way == ((age, down, Range("age", -9, -8)),)
    assert three.reason[0].endswith(", age may only go down and age must be from -9 to -8 together")
    assert one.in_words(0) == one.reason[0] and np.isinf(one.bound.item()) and one.is_proven.all()


def test_a_class_that_no_row_gets_is_impossible():
    x = np.array([[0.0], [0.0], [0.0], [1.0]])
    model = DecisionTreeClassifier(max_depth=1).fit(x, ["a", "a", "b", "c"])
    schema = schema_of(Columns(("n",), ("n",), (False,)), torch.tensor(x))
    found = tree_counterfactuals(model, x[:1], schema=schema, target="b")
    assert found.status == ("impossible",)
    assert found.reason == ("the model gives the wanted prediction for no row that this one can become",)


def test_rows_of_data_are_where_a_search_begins_that_no_single_change_helps():
    x = np.array(list(itertools.product(range(8), range(8))), dtype=float)
    columns = Columns(("a", "b"), ("a", "b"), (False, False))
    model = ExtraTreesClassifier(3, random_state=0).fit(x, (x > 4).all(axis=1))
    far, schema = np.zeros((1, 2)), schema_of(columns, torch.tensor(x))
    without = tree_counterfactuals(model, far, schema=schema, timeout_seconds=1e-9)
    begun = tree_counterfactuals(model, far, schema=schema, rows=x, timeout_seconds=1e-9)
    assert (without.status, begun.status) == (("not found",), ("found",))
    both = [tree_counterfactuals(model, far, schema=schema, rows=rows) for rows in (None, x)]
    assert [found.cost.item() for found in both] == [5.0, 5.0] and begun.cost.item() >= 5.0


def test_time_that_runs_out_is_said():
    x, score = table(7)
    model = RandomForestClassifier(30, max_depth=6, random_state=0).fit(x, score > np.quantile(score, 0.9))
    far = x[[score.argmin()]]
    found = tree_counterfactuals(model, far, schema=COLUMNS, rows=x, timeout_seconds=1e-9)
    assert found.status[0] in ("found", "not found") and not found.is_proven[0]
    assert "the search stopped after" in found.reason[0]
    assert 0 <= found.bound.item() <= tree_counterfactuals(model, far, schema=COLUMNS, rows=x).cost.item()


def test_a_result_in_words_and_as_a_frame():
    model, schema = stump(10.0, 20.0)
    found = tree_counterfactuals(model, np.array([[10.0], [20.0]]), schema=schema, target=1)
    assert found.in_words(0) == "raise n by 6 from 10 to 16: then 1"
    assert found.in_words(1) == "the prediction is already as wanted"
    assert str(found) == "counterfactuals of 2 rows: 1 found, 1 already; 1 proven"
    assert found.changes(0) == {"n": (10.0, 16.0)} and found.changes(1) == {}
    assert found.frame()["status"].tolist() == ["found", "already"]
    assert "raise n by 6 from 10 to 16" in found._repr_html_()


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"constraints": [Causal({"pay": ["age"]})]}, RecipeError, "Causal says what follows from a change"),
        (
            {"constraints": [Relation("age > years")], "method": "program"},
            RecipeError,
            "the program knows no relations",
        ),
        ({"method": "guess"}, RecipeError, "method is 'guess'; expected 'branching' or 'program'"),
        ({"timeout_seconds": 0}, RecipeError, "timeout_seconds is 0; expected a number above 0"),
        ({"rows": None}, DataError, "the schema is a Columns, whose kinds and spreads are learned from rows"),
        ({"x": np.zeros((1, 6))}, None, ""),
        ({"x": np.ones((1, 6))}, DataError, "the columns of 'job' are not one-hot"),
        ({"x": np.full((1, 6), np.inf)}, DataError, "x has no rows, or infinite values"),
        ({"x": np.zeros((1, 5))}, DataError, "x has shape"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(changes, error, said):
    x, score = table(8)
    model = CLASSIFIERS["tree"].fit(x, score > 1)
    asked = {"x": x[:1], "schema": COLUMNS, "rows": x, **changes}
    if error is None:
        assert tree_counterfactuals(model, asked.pop("x"), **asked).status[0] in ("found", "already", "impossible")
        return
    with pytest.raises(error, match=said):
        tree_counterfactuals(model, asked.pop("x"), **asked)
