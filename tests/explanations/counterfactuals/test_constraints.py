"""Each constraint is true of the changes that it allows and false of the others."""

import numpy as np
import pandas as pd
import pytest
import torch

import corrigible
from corrigible.errors import DataError, RecipeError
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

BEFORE = pd.DataFrame({"age": [30.0, 30.0, 30.0, np.nan], "tenure": [5.0, 5.0, 5.0, 5.0], "job": ["a", "b", None, "c"]})


def after(**cells):
    return BEFORE.assign(**cells)


@pytest.mark.parametrize(
    ("constraint", "cells", "expected"),
    [
        (Immutable("age"), {"age": [30.0, 31.0, np.nan, np.nan]}, [1, 0, 0, 1]),
        (Immutable("job"), {"job": ["a", "a", None, "c"]}, [1, 0, 1, 1]),
        (Monotone("age", "up"), {"age": [31.0, 29.0, 30.0, 40.0]}, [1, 0, 1, 0]),
        (Monotone("age", "down"), {"age": [31.0, 29.0, 30.0, np.nan]}, [0, 1, 1, 1]),
        (Monotone("job", "up", order=("c", "b", "a")), {"job": ["b", "a", "a", "c"]}, [0, 1, 0, 1]),
        (Ordinal("job", order=("b", "a")), {"job": ["b", "c", None, "c"]}, [1, 0, 1, 1]),
        (Ordinal("age", order=(20, 40)), {"age": [20.0, 40.0, 21.0, np.nan]}, [1, 1, 0, 1]),
        (Range("age", 20, 25), {"age": [20.0, 26.0, 30.0, np.nan]}, [1, 0, 1, 1]),
        (Range("age", high=25), {"age": [-5.0, 26.0, 25.0, 25.0]}, [1, 0, 1, 1]),
        (MaxChanges(1), {"age": [1.0, 1.0, 30.0, np.nan], "job": ["a", "a", None, "b"]}, [1, 0, 1, 1]),
        (Relation("tenure <= age - 16"), {"tenure": [14.0, 15.0, 5.0, 1.0]}, [1, 0, 1, 0]),
        (Relation("2 * tenure < age"), {"tenure": [15.0, 14.9, 5.0, 5.0]}, [0, 1, 1, 1]),
        (Relation("`age` >= tenure + 25"), {"age": [30.0, 29.0, 31.0, 30.0]}, [1, 0, 1, 1]),
        (Causal({"tenure": ["age"]}), {"age": [1.0, 2.0, 3.0, 4.0]}, [1, 1, 1, 1]),
    ],
)
def test_what_is_allowed(constraint, cells, expected):
    assert constraint.satisfied(BEFORE, after(**cells)).tolist() == [bool(one) for one in expected]
    as_arrays = {name: np.asarray(column) for name, column in after(**cells).items()}
    before = {name: np.asarray(column) for name, column in BEFORE.items()}
    assert constraint.satisfied(before, as_arrays).tolist() == [bool(one) for one in expected]
    assert str(constraint)


@pytest.mark.parametrize(
    "text",
    [
        "tenure",
        "tenure <= 5",
        "a <= b <= c",
        "a == b",
        "a != b",
        "a <= b * c",
        "a + b <= c",
        "a <= ",
        "a <= a",
    ],
)
def test_other_relations_are_refused(text):
    with pytest.raises(RecipeError, match="relation"):
        Relation(text)
    assert Relation("f(a) <= b").features == ("f(a)", "b")  # A name, which the schema does not know.


def test_names_of_columns_in_relations():
    assert Relation("education-num <= hours per week").features == ("education-num", "hours per week")
    assert Relation("1.5 * `a - b` > c - 2").sides == (("c", 1.0, -2.0), ("a - b", 1.5, 0.0))


def refused():
    yield lambda: Monotone("age", "rising"), "expected 'up' or 'down'"
    yield lambda: Ordinal("job", order=("a",)), "two or more"
    yield lambda: Ordinal("job", order=("a", "a")), "different"
    yield lambda: Range("age"), "one of them"
    yield lambda: Range("age", 3, 2), "in this order"
    yield lambda: MaxChanges(0), "at least 1"


@pytest.mark.parametrize(("make", "message"), list(refused()))
def test_values_that_are_refused(make, message):
    with pytest.raises(RecipeError, match=message):
        make()


@pytest.fixture(scope="module")
def table():
    frame = pd.DataFrame(
        {
            "age": [20, 30, 40, 50, 60, 30],
            "income": [1000.5, 2000.0, np.nan, 800.25, 5000.0, 900.0],
            "job": ["a", "b", None, "a", "c", "b"],
            "site": ["1", "2", "1", "2", "1", "2"],
            "y": [0, 1, 0, 1, 0, 1],
        }
    )
    encoder = corrigible.encoder_of(frame, target="y")
    return frame, encoder, corrigible.encode(frame, encoder).x


def test_the_schema_of_a_table(table):
    _, encoder, x = table
    schema = schema_of(encoder, x, units={"income": "dollars"})
    assert schema.names == ("age", "income", "job", "site")
    assert [feature.kind for feature in schema.features] == ["integer", "number", "category", "category"]
    assert (schema["age"].low, schema["age"].high, schema["age"].mad) == (20, 60, 10)
    assert schema["income"].mad == pytest.approx(200.25, abs=0.1)
    assert encoder.columns.names[schema["income"].mark] == "income=missing"
    assert schema["income"].unit == "dollars"
    assert schema["job"].levels == ("a", "b", "c", "missing")


def test_the_three_forms_of_rows_agree(table):
    frame, encoder, x = table
    schema = schema_of(encoder, x)
    values = schema.values(x)
    assert values[:, 0].tolist() == frame.age.tolist()
    assert values[:, 1] == pytest.approx(frame.income, nan_ok=True, abs=0.1)
    assert values[:, 2] == pytest.approx([0, 1, np.nan, 0, 2, 1], nan_ok=True)
    assert torch.allclose(schema.encoded(values), x, atol=1e-4)
    assert schema.frame(x).job.tolist() == ["a", "b", None, "a", "c", "b"]


def refused_with_schema():
    yield [Immutable("ag")], DataError, "did you mean 'age'"
    yield Immutable("age"), RecipeError, "expected a list"
    yield ["age"], RecipeError, "expected one of Immutable"
    yield [Range("job", 0, 1)], DataError, "a category"
    yield [Relation("job <= age")], DataError, "a category"
    yield [Monotone("job", "up")], RecipeError, "add Ordinal"
    yield [Ordinal("job", order=("a", "z"))], DataError, "no value 'z'"
    yield [Ordinal("age", order=("a", "z"))], DataError, "holds numbers"
    yield [Causal({"age": ["income"], "income": ["age"]})], RecipeError, "circle"
    yield [Causal({}), Causal({})], RecipeError, "two graphs"


@pytest.mark.parametrize(("constraints", "error", "message"), list(refused_with_schema()))
def test_constraints_that_do_not_fit(table, constraints, error, message):
    _, encoder, x = table
    with pytest.raises(error, match=message):
        allowed_by(constraints, schema_of(encoder, x))


def test_all_constraints_together(table):
    _, encoder, x = table
    schema = schema_of(encoder, x)
    allowed = allowed_by([Monotone("job", "up"), Ordinal("job", order=("c", "a", "b")), MaxChanges(1)], schema)
    before = schema.frame(x)
    after = before.assign(job=["b", "a", None, "c", "b", "b"], age=[*before.age[:4], 31, 31])
    assert allowed.satisfied(before, after).tolist() == [True, False, True, False, False, True]
    assert allowed.each(before, after).shape == (3, 6)
    assert allowed.satisfied(before, after, acted=before).tolist() == [True, False, True, False, True, True]
    assert allowed.most_changes == 1


def test_a_feature_of_several_numbers_is_refused():
    columns = corrigible.Columns(("a1", "a2"), ("a", "a"), (False, False))
    with pytest.raises(DataError, match="not one-hot"):
        schema_of(columns, torch.zeros(2, 2))
