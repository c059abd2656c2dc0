"""Every counterfactual has the wanted answer, obeys every constraint and changes no more than it needs."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import corrigible
from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.explanations.counterfactuals import (
    Causal,
    Immutable,
    MaxChanges,
    Monotone,
    Ordinal,
    Range,
    Relation,
    counterfactuals,
    nearest_unlike,
    schema_of,
)

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


def people(num_rows, seed):
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
    frame = people(150, seed=0)
    encoder = corrigible.encoder_of(frame, target="y")
    return encoder, corrigible.encode(frame, encoder).x, corrigible.encode(people(12, seed=1), encoder).x


def network(num_inputs, num_outputs, seed=0):
    torch.manual_seed(seed)
    found = nn.Sequential(nn.Linear(num_inputs, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, num_outputs))
    x = torch.randn(500, num_inputs)
    with torch.no_grad():  # So that classes are about as frequent, and numbers have mean 0 and variance 1.
        found[3].weight.mul_(3 / found(x).std(dim=0)[:, None])
        found[3].bias.sub_(found(x).mean(dim=0))
    return found


@pytest.fixture(scope="module")
def model(table):
    return network(table[1].shape[1], 3)


@pytest.fixture(scope="module")
def found(model, table):
    encoder, rows, x = table
    return counterfactuals(model, x, schema=encoder, constraints=CONSTRAINTS, rows=rows, k=2)


def answers(model, x):
    with torch.no_grad():
        return model.eval()(x).argmax(dim=1)


def test_results_have_another_answer_and_obey_all_constraints(found, model, table):
    encoder, rows, x = table
    before = schema_of(encoder, rows).frame(x)
    is_found = torch.from_numpy(found.is_found)
    assert is_found[:, 0].float().mean() > 0.8
    for place in range(2):
        some = is_found[:, place]
        changed = found.changed[some, place]
        assert (answers(model, changed) != answers(model, x[some])).all()
        after = schema_of(encoder, rows).frame(changed)
        for constraint in CONSTRAINTS[:3] + CONSTRAINTS[4:]:
            assert constraint.satisfied(before[some.numpy()].reset_index(drop=True), after).all(), constraint
        order = Monotone("school", "up", order=LEVELS)
        assert order.satisfied(before[some.numpy()].reset_index(drop=True), after).all()


def test_results_are_rows_of_the_table(found, table):
    encoder, rows, x = table
    schema, some = schema_of(encoder, rows), torch.from_numpy(found.is_found)
    changed = found.changed[some]
    for feature in schema.features:
        values = changed[:, list(feature.places)]
        if feature.is_category:
            assert ((values == 0) | (values == 1)).all()
            assert (values.sum(dim=1) == 1).all()
    values = schema.values(changed)
    assert (values[:, :2] == values[:, :2].round()).all()
    mark = schema["income"].mark
    before = x[:, None].expand(-1, 2, -1)[some]
    assert torch.equal(changed[:, mark], before[:, mark])
    assert torch.equal(schema.encoded(values)[:, :2], changed[:, :2])


def test_results_of_a_row_change_different_features(found):
    for row in range(len(found)):
        sets = {tuple(found.acted[row, place].tolist()) for place in np.flatnonzero(found.is_found[row])}
        assert len(sets) == found.is_found[row].sum()
    assert found.is_found.sum(axis=1).mean() > 1.5


def test_nothing_that_changes_can_be_taken_back(model, table):
    encoder, rows, x = table
    one = counterfactuals(model, x, schema=encoder, rows=rows, plausible=False)
    schema = schema_of(encoder, rows)
    for row in np.flatnonzero(one.is_found[:, 0]):
        for place in np.flatnonzero(one.acted[row, 0].numpy()):
            values = one.after[row].copy()
            values[0, place] = one.before[row, place]
            if one.acted[row, 0].sum() > 1:
                assert answers(model, schema.encoded(values)) == answers(model, x[row][None])


def test_numbers_go_no_further_than_they_must():
    columns = corrigible.Columns(("a", "b"), ("a", "b"), (False, False))
    rows = torch.tensor([[-9.0, 0.0], [9.0, 0.25], [1.0, -0.5]])
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[2.0, 0.0]]))
        model.bias.zero_()
    found = counterfactuals(model, torch.tensor([[-4.0, 0.0]]), schema=columns, rows=rows, above=3.0, plausible=False)
    assert found.after[0, 0, 0] == pytest.approx(2, abs=1)
    assert found.after[0, 0, 0] >= 1.5
    assert found.acted[0, 0].tolist() == [True, False]
    assert found.cost[0, 0] == pytest.approx((found.after[0, 0, 0] + 4) / 8)  # The median is 1, as 10 and 8 are away.


def test_the_model_and_the_random_state_stay(table):
    encoder, rows, x = table
    model = network(rows.shape[1], 3).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    counterfactuals(model, x[:3], schema=encoder, rows=rows)
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_given_class_and_rows_that_have_it_already(model, table):
    encoder, rows, x = table
    found = counterfactuals(model, x, schema=encoder, rows=rows, target=2)
    has_it = answers(model, x) == 2
    assert [row[0] == "already" for row in found.status] == has_it.tolist()
    some = torch.from_numpy(found.is_found[:, 0])
    assert some.any()
    assert (answers(model, found.changed[some, 0]) == 2).all()
    assert found.in_words(int(has_it.nonzero()[0])) == "the answer is already the wanted one"


def test_results_depend_on_the_row_alone(model, table):
    encoder, rows, x = table
    whole = counterfactuals(model, x[:8], schema=encoder, rows=rows)
    alone = counterfactuals(model, x[5:6], schema=encoder, rows=rows)
    assert np.array_equal(whole.after[5], alone.after[0], equal_nan=True)


def test_nothing_may_change(model, table):
    encoder, rows, x = table
    constraints = [Immutable(name) for name in encoder.columns.features]
    found = counterfactuals(model, x[:2], schema=encoder, rows=rows, constraints=constraints)
    assert found.status == (("impossible",), ("impossible",))
    assert found.reason[0].startswith("nothing may change: age, housing")


def test_impossible_only_where_every_allowed_value_was_tried(table):
    encoder, rows, x = table
    model = network(rows.shape[1], 2)
    with torch.no_grad():
        model[-1].weight.mul_(0.1)
        model[-1].bias.copy_(torch.tensor([5.0, 0.0]))
    fixed = [Immutable(name) for name in ("income", "school", "sex", "tenure")]
    proved = counterfactuals(model, x[:1], schema=encoder, rows=rows, constraints=[*fixed, Range("age", 18, 90)])
    assert proved.status == (("impossible",),)
    assert "no allowed value of age, housing" in proved.reason[0]
    assert "age must be from 18 to 90" in proved.reason[0]
    open_ended = counterfactuals(model, x[:1], schema=encoder, rows=rows, constraints=fixed)
    assert open_ended.status == (("not found",),)
    assert "not proved" in open_ended.in_words(0)


def test_bounds_of_a_number_in_its_own_unit(table):
    encoder, rows, x = table
    model = network(rows.shape[1], 1)
    prices = 500 + 100 * torch.randn(150, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model[-1].weight.mul_(100)
        model[-1].bias.mul_(100).add_(500)
    task = corrigible.TensorData(rows, prices, task="amounts").task
    found = counterfactuals(model, x, schema=encoder, rows=rows, task=task, below=450)
    with torch.no_grad():
        values = model.eval()(found.changed[torch.from_numpy(found.is_found[:, 0]), 0])
        now = model(x)[:, 0]
    assert len(values)
    assert (values < 450).all()
    assert [row[0] == "already" for row in found.status] == (now < 450).tolist()
    both = counterfactuals(model, x, schema=encoder, rows=rows, task=task, below=500, above=450)
    inside = both.outputs[torch.from_numpy(both.is_found)]
    assert ((inside > 450) & (inside < 500)).all()


def test_plausible_results_are_as_near_to_data_as_they_say(model, table):
    encoder, rows, x = table
    found = counterfactuals(model, x, schema=encoder, rows=rows)
    schema = schema_of(encoder, rows)
    one_hot = torch.tensor(encoder.columns.one_hot)
    scale = torch.where(one_hot, 0.5**0.5, 1 / rows.std(dim=0, correction=0))
    scale[schema["income"].mark] = 1.0
    for row in np.flatnonzero(found.is_found[:, 0]):
        others = rows[answers(model, rows) != answers(model, x[row][None])]
        away = ((others - found.changed[row, 0]) * scale).norm(dim=1).min()
        assert found.distance[row, 0] == pytest.approx(float(away), abs=1e-2)
    assert np.mean([row[0] for row in found.is_plausible if row[0] is not None]) > 0.7


def test_effects_follow_along_the_graph(model, table):
    encoder, rows, x = table
    rows = rows.clone()
    rows[:, 1] = rows[:, 0]  # In standard deviations.
    causal = Causal({"tenure": ["age"]})
    fixed = [Immutable(name) for name in ("income", "school", "housing", "sex")]
    found = counterfactuals(model, x, schema=encoder, rows=rows, constraints=[causal, *fixed], plausible=False)
    some = [
        row
        for row in np.flatnonzero(found.is_found[:, 0]).tolist()
        if found.acted[row, 0].tolist()[:2] == [True, False]
    ]
    schema = schema_of(encoder, rows)
    at, child = schema.place("age"), schema.place("tenure")
    units = encoder.columns.scale
    slope = units[1] / units[0]
    assert some
    for row in some:
        moved = found.after[row, 0] - found.before[row]
        assert moved[child] == pytest.approx(slope * moved[at], abs=0.1 * abs(moved[at]) + 1)
        assert "which makes tenure" in found.in_words(row)


def test_a_frame_and_words_in_original_units(found):
    frame = found.frame()
    assert len(frame) == 2 * len(found)
    assert {"row", "result", "status", "age", "income", "prediction", "cost", "plausible"} <= set(frame.columns)
    first = int(np.flatnonzero(found.is_found[:, 0])[0])
    line = frame[(frame.row == first) & (frame.result == 0)].iloc[0]
    assert line.status == "found"
    for name in line.changed.split(", "):
        assert name in found.in_words(first)
    assert "counterfactuals of 12 rows" in str(found)
    assert "<table" in found._repr_html_()


def test_the_nearest_row_of_data(model, table):
    encoder, rows, x = table
    found = nearest_unlike(model, x, rows, schema=encoder, constraints=[Immutable("sex")])
    schema = schema_of(encoder, rows)
    data, before = schema.values(rows), schema.values(x)
    for row in np.flatnonzero(found.is_found[:, 0]):
        fits = (answers(model, rows) != answers(model, x[row][None])).numpy() & (data[:, 5] == before[row, 5])
        fits &= (np.isnan(data) == np.isnan(before[row])).all(axis=1)
        costs = np.nan_to_num(np.abs(data - before[row])) / [one.mad for one in schema.features]
        costs[:, 3:] = data[:, 3:] != before[row, 3:]
        assert found.cost[row, 0] == pytest.approx(costs[fits].sum(axis=1).min())
        assert any(torch.allclose(found.changed[row, 0], one, atol=1e-5) for one in rows[fits])


def refused():
    yield {"k": 0}, RecipeError, "k is 0"
    yield {"quantile": 0.0}, RecipeError, "quantile"
    yield {"below": 3.0}, RecipeError, "bounds of a number"
    yield {"target": 7}, DataError, "expected 0 to 2"
    yield {"rows": None}, DataError, "pass rows="


@pytest.mark.parametrize(("settings", "error", "message"), list(refused()))
def test_what_is_refused(model, table, settings, error, message):
    encoder, rows, x = table
    with pytest.raises(error, match=message):
        counterfactuals(model, x, **{"schema": encoder, "rows": rows, **settings})


def test_numbers_need_a_bound(table):
    encoder, rows, x = table
    model = network(rows.shape[1], 1)
    with pytest.raises(RecipeError, match="say below"):
        counterfactuals(model, x, schema=encoder, rows=rows)
    with pytest.raises(RecipeError, match="above < below"):
        counterfactuals(model, x, schema=encoder, rows=rows, below=1.0, above=2.0)


def test_models_without_a_gradient(table):
    encoder, rows, x = table
    weight = np.random.default_rng(0).normal(size=(rows.shape[1], 2))
    with pytest.raises(UnsupportedModelError, match="nearest_unlike"):
        counterfactuals(lambda some: some.detach().numpy() @ weight, x, schema=encoder, rows=rows)
    found = nearest_unlike(lambda some: some.detach().numpy() @ weight, x, rows, schema=encoder)
    assert found.is_found.all()
