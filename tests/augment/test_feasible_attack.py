"""Attacked rows are rows that an applicant could become, and no worse ones are missed where all can be tried."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import corrigible
from corrigible.augment import feasible_attack, feasible_rows
from corrigible.augment.feasible.following import checkpoints
from corrigible.augment.feasible.relaxed import Relaxed
from corrigible.errors import DataError, NoGradientError, RecipeError
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
)
from corrigible.explanations.counterfactuals.effects import Effects
from corrigible.explanations.counterfactuals.space import Space
from corrigible.feedback.masks import marks_of
from corrigible.protocols.robustness.robust_accuracy import robust_accuracy
from corrigible.protocols.training_facts import Known, augments_of, changes_of
from corrigible.types import Columns

LEVELS = ("basic", "middle", "high")
CONSTRAINTS = (
    Immutable("sex"),
    Monotone("age", "up"),
    Ordinal("school", order=LEVELS),
    Monotone("school", "up"),
    Range("income", 0, 9000),
    MaxChanges(3),
    Relation("tenure <= age - 16"),
)
EPSILON = 1.5
searches = pytest.mark.parametrize("search", ["both", "gradient", "random"])


def applicants(num_rows, seed):
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, num_rows)
    return pd.DataFrame(
        {
            "age": age,
            "tenure": np.minimum(rng.integers(0, 30, num_rows), age - 16),
            "income": np.where(rng.random(num_rows) < 0.1, np.nan, rng.normal(3000, 1200, num_rows).round(2)),
            "school": rng.choice(LEVELS, num_rows),
            "housing": rng.choice(["own", "rent", "free"], num_rows),
            "sex": rng.choice(["f", "m"], num_rows),
            "y": rng.integers(0, 3, num_rows),
        }
    )


@pytest.fixture(scope="module")
def table():
    frame = applicants(150, seed=0)
    encoder = corrigible.encoder_of(frame, target="y")
    rows = corrigible.encode(frame, encoder)
    x = corrigible.encode(applicants(30, seed=1), encoder).x
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(x.shape[1], 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    for _ in range(3):
        model(rows.x)
    y = model.eval()(x).argmax(dim=1)
    y[:3] = (y[:3] + 1) % 3  # Three rows that the model has wrong.
    return model, x, y, schema_of(encoder, rows.x), rows


@searches
def test_every_row_obeys_the_constraints_within_the_cost_and_in_its_final_form(table, search):
    model, x, y, schema, _ = table
    moved = feasible_attack(
        model, x, y, schema=schema, constraints=CONSTRAINTS, epsilon=EPSILON, budget=60, search=search
    )
    before, after = schema.frame(x), schema.frame(moved)
    allowed = allowed_by(CONSTRAINTS, schema)
    assert allowed.satisfied(before, after).all()
    values = schema.values(moved)
    cost = Space(schema, allowed, Effects(schema), schema.values(x)).cost(values, np.arange(len(x)))
    assert (cost <= EPSILON + 1e-3).all()  # Of values that went through float32.
    assert after.age.round().eq(after.age).all() and after.income.isna().eq(before.income.isna()).all()
    for feature in schema.features:
        if feature.is_category:
            assert bool((moved[:, list(feature.places)].sum(dim=1) == 1).all())
    answers = model(moved).argmax(dim=1)
    assert torch.equal(moved[:3], x[:3])
    assert 3 < int((answers != y).sum()) < len(x)
    unchanged = (moved - x).abs() < 1e-6
    assert torch.equal(moved[unchanged], x[unchanged])


def test_no_row_withstands_that_a_trial_of_all_changes_makes_fall():
    frame = pd.DataFrame(list(itertools.product(range(4), range(3), "abc", "st")), columns=["u", "v", "w", "z"])
    encoder = corrigible.encoder_of(frame.assign(y=0).replace({"y": {0: 1}}), target=None, drop=["y"])
    x = corrigible.data.table.inputs_of(frame, encoder)
    schema = schema_of(encoder, x)
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(x.shape[1], 8), nn.Tanh(), nn.Linear(8, 2))
    with torch.no_grad():
        model[0].weight.mul_(3)
    answers = model(x).argmax(dim=1)
    constraints, epsilon = (Immutable("z"), Monotone("u", "up")), 2.0
    allowed = allowed_by(constraints, schema)
    values = schema.values(x)
    falls = []
    for row in range(len(x)):
        same = np.full(len(x), row)
        space = Space(schema, allowed, Effects(schema), values)
        can = (space.cost(values, same) <= epsilon) & allowed.satisfied(frame.iloc[same], frame)
        falls.append(bool((answers[can] != answers[row]).any()))
    assert 0.2 < np.mean(falls) < 0.9
    for search in ("both", "random"):
        moved = feasible_attack(
            model, x, answers, schema=schema, constraints=constraints, epsilon=epsilon, search=search, budget=150
        )
        assert (model(moved).argmax(dim=1) != answers).tolist() == falls


def test_of_a_linear_model_the_gradient_finds_the_worst_change():
    """Its worst change within a sum of costs goes along the input that brings most for its cost."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 4)).round(3), columns=list("abcd"))
    encoder = corrigible.encoder_of(frame, target=None)
    x = corrigible.data.table.inputs_of(frame, encoder)
    schema = schema_of(encoder, x)
    model = nn.Linear(4, 2)
    y = model(x).argmax(dim=1)
    slope = (model.weight[1] - model.weight[0]).detach()
    per_cost = slope.abs() * torch.tensor([f.mad for f in schema.features]) / torch.tensor(schema.columns.scale)
    inner = (x.abs() < 1).all(dim=1)  # So that no end of the range of the rows is near.
    moved = feasible_attack(model, x[inner], y[inner], schema=schema, epsilon=0.5, search="gradient", budget=60)
    lead = (model(x[inner])[:, 1] - model(x[inner])[:, 0]).abs()
    beyond = 0.5 * per_cost.max() - lead
    fell = model(moved).argmax(dim=1) != y[inner]
    clear = beyond.abs() > 5e-3
    assert torch.equal(fell[clear], beyond[clear] > 0)
    assert 0 < int(fell.sum()) < len(fell)


def test_points_are_projected_onto_the_nearest_allowed_ones(table):
    _, x, _, schema, _ = table
    relaxed = Relaxed(Space(schema, allowed_by(CONSTRAINTS, schema), Effects(schema), schema.values(x)))
    rng, rows = np.random.default_rng(0), np.arange(len(x))
    points = rng.normal(size=x.shape) * 3
    found = relaxed.within(points, rows, EPSILON)
    low, high = relaxed._bounds
    assert (np.abs(found).sum(axis=1) <= EPSILON + 1e-9).all() and (found >= low).all() and (found <= high).all()
    clipped = np.clip(points, low, high)
    for row in range(5):
        ends = 0.0, np.abs(clipped[row]).max()
        for _ in range(60):  # The same is taken from each, by bisection.
            middle = sum(ends) / 2
            size = np.maximum(np.abs(clipped[row]) - middle, 0).sum()
            ends = (middle, ends[1]) if size > EPSILON else (ends[0], middle)
        expected = np.sign(clipped[row]) * np.maximum(np.abs(clipped[row]) - ends[1], 0)
        np.testing.assert_allclose(found[row], expected, atol=1e-6)


def test_checkpoints_come_after_shorter_and_shorter_stretches():
    """Croce and Hein 2020: p = 0, 0.22, then each stretch is 0.03 shorter, at least 0.06."""
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]


@searches
def test_rounding_takes_no_number_beyond_the_range(search):
    amounts = torch.linspace(100.3, 99999.7, 41, dtype=torch.float64)[:, None]  # Of a spread that leaves no decimals.
    schema = schema_of(Columns(("sum",), ("sum",), (False,)), amounts)
    x, model = amounts[[5, 35]], nn.Linear(1, 2).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0], [-1.0]]))
    for bias, end in ((1e6, 101.0), (-1e6, 99999.0)):
        with torch.no_grad():
            model.bias.copy_(torch.tensor([bias, -bias]))
        y = model(x).argmax(dim=1)
        moved = feasible_attack(model, x, y, schema=schema, epsilon=100.0, budget=40, search=search)
        assert torch.equal(moved, torch.full_like(x, end))


@searches
def test_no_more_is_asked_than_the_budget(table, search):
    model, x, y, schema, _ = table
    asked = []
    handle = model.register_forward_hook(lambda module, given, found: asked.append(len(given[0])))
    settings = {"schema": schema, "constraints": CONSTRAINTS, "epsilon": 0.0, "search": search}
    feasible_attack(model, x, y, budget=1, **settings)
    checks = sum(asked)  # What is asked before any attack.
    asked.clear()
    feasible_attack(model, x, y, budget=41, **settings)
    handle.remove()
    spent = sum(asked) - checks
    # A gradient is one pass forward and counts as two calls; three rows are wrong from the start.
    assert spent == 27 * {"gradient": 20, "random": 40, "both": 14 + 12}[search]


def test_the_same_seed_gives_the_same_rows_and_the_model_stays_as_it_was(table):
    model, x, y, schema, _ = table
    model.train()
    state, random = {key: value.clone() for key, value in model.state_dict().items()}, torch.get_rng_state()
    asked = {"schema": schema, "constraints": CONSTRAINTS, "budget": 30}
    first, second = (feasible_attack(model, x, y, seed=3, **asked) for _ in range(2))
    assert torch.equal(first, second) and not first.requires_grad
    assert torch.equal(torch.get_rng_state(), random) and all(module.training for module in model.modules())
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    model.eval()


def test_what_a_change_causes_follows_it(table):
    model, x, y, schema, rows = table
    constraints = [Causal({"income": ["school"]})]
    with pytest.raises(DataError, match="Causal"):
        feasible_attack(model, x, y, schema=schema, constraints=constraints)
    moved = feasible_attack(model, x, y, schema=schema, constraints=constraints, rows=rows.x, budget=60)
    assert int((model(moved).argmax(dim=1) != y).sum()) > 3


def test_towards_a_class(table):
    model, x, y, schema, _ = table
    moved = feasible_attack(model, x, y, schema=schema, target=2, epsilon=3.0)
    assert int((model(moved).argmax(dim=1) == 2).sum()) > int((y == 2).sum())


def test_a_model_without_a_gradient_can_be_searched(table):
    model, x, y, schema, _ = table

    def scores(rows):
        with torch.no_grad():
            return model(rows).numpy()

    moved = feasible_attack(scores, x, y, schema=schema, search="random", budget=40)
    assert int((model(moved).argmax(dim=1) != y).sum()) > 3
    with pytest.raises((NoGradientError, corrigible.CorrigibleError), match="gradient"):
        feasible_attack(scores, x, y, schema=schema)


def test_what_cannot_be_meant_is_refused(table):
    model, x, y, schema, _ = table
    for settings, word in (
        ({"epsilon": -1.0}, "epsilon"),
        ({"epsilon": float("nan")}, "epsilon"),
        ({"budget": 0}, "budget"),
        ({"constraints": [Range("housing", 0, 1)]}, "housing"),
    ):
        with pytest.raises((RecipeError, DataError), match=word):
            feasible_attack(model, x, y, schema=schema, **settings)
    with pytest.raises(DataError):
        feasible_attack(model, x, y + 3, schema=schema)


def test_it_is_an_attack_of_the_curve_and_an_augmentation(table):
    model, x, y, schema, _ = table
    data = corrigible.TensorData(x, y)
    how = {"attack": "feasible_attack", "schema": schema, "constraints": CONSTRAINTS, "budget": 30}
    shares = [robust_accuracy(model, data, epsilon=epsilon, **how).robust for epsilon in (0.0, 0.5, 2.0)]
    assert shares == sorted(shares, reverse=True) and shares[0] == 0.9 and shares[2] < 0.8
    batch = corrigible.Batch(torch.arange(len(x)), x, y)
    changed = feasible_rows(model, batch, torch.Generator().manual_seed(0), schema=schema, epsilon=1.0)
    assert len(changed.x) == 2 * len(x) and torch.equal(changed.x[: len(x)], x) and torch.equal(changed.y[30:], y)
    assert not torch.equal(changed.x[len(x) :], x)


def test_a_schema_is_filled_in_for_training(table):
    _, _, _, schema, rows = table
    known = Known(nn.Linear(rows.x.shape[1], 3), rows, marks_of([], rows), 0)
    (change,) = augments_of(changes_of({"feasible_rows": {"steps": 1}}), known)
    assert change.keywords["schema"] == schema
    plain = corrigible.TensorData(rows.x, rows.y)
    with pytest.raises(DataError, match="columns"):
        augments_of(changes_of({"feasible_rows": {}}), known.__class__(known.model, plain, known.marks, 0))
