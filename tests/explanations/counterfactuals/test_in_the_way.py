"""Constraints that are said to be in the way are: without them there is a change, which the model itself confirms."""

from itertools import combinations

import pandas as pd
import pytest
import torch
from sklearn.tree import DecisionTreeClassifier

import corrigible
from corrigible.errors import DataError
from corrigible.explanations.counterfactuals import (
    Immutable,
    MaxChanges,
    Monotone,
    Ordinal,
    Range,
    counterfactuals,
    nearest_unlike,
    tree_counterfactuals,
)
from corrigible.explanations.counterfactuals.obstacles import obstacles


@pytest.fixture(scope="module")
def people():
    ages = list(range(20, 60))
    frame = pd.DataFrame(
        {
            "age": ages,
            "school": ["basic", "middle", "high", "high"] * 10,
            "member": [True, False, False, True] * 10,
            "cost": [age / 8 for age in ages],
            "y": ["a", "b"] * 20,
        },
        index=[f"p{age}" for age in ages],
    )
    encoder = corrigible.encoder_of(frame, target="y")
    return frame, encoder, corrigible.encode(frame, encoder).x


def of_age(encoder, bound):
    """Yes from an age on."""
    columns = encoder.columns
    at = columns.names.index("age")

    def scores(x):
        lead = columns.shift[at] + columns.scale[at] * x[:, at] - bound
        return torch.stack([-lead, lead], dim=1)

    return scores


def by_definition(constraints, is_possible):
    """The smallest sets of constraints without which there is a change, tried one after another."""
    for size in range(1, len(constraints) + 1):
        found = [
            some for some in combinations(constraints, size) if is_possible([c for c in constraints if c not in some])
        ]
        if found:
            return found
    return []


@pytest.mark.parametrize("blocking", [["a"], ["a", "b"], ["b", "c", "d"], ["a", "b", "c", "d"]])
@pytest.mark.parametrize("is_each", [True, False])
def test_obstacles_are_those_of_the_definition(blocking, is_each):
    constraints = [Immutable(name) for name in "abcd"]
    names = set(blocking)

    def possible(left):
        held = names & {one.feature for one in left}
        return len(held) < len(names) if is_each else not held

    found = obstacles(constraints, possible)
    expected = by_definition(constraints, possible)
    if is_each or len(blocking) < 2:
        assert {(one,) for one in found.constraints} == set(expected)
    else:
        assert [found.constraints] == expected and not found.is_each
        assert str(found).endswith(f" and {blocking[-1]} must stay as it is together")
    assert found.is_settled
    assert not obstacles(constraints, lambda left: None).is_settled


def test_three_constraints_together_are_named(people):
    _, encoder, x = people
    young = x[:3]
    three = [Immutable("age"), Monotone("age", "down"), Range("age", 20, 30)]
    asked = {"schema": encoder, "rows": x}
    found = counterfactuals(
        of_age(encoder, 50), young, constraints=[Immutable("school"), *three, MaxChanges(2)], **asked
    )
    said = "age must stay as it is, age may only go down and age must be from 20 to 30 together"
    assert all(reason.endswith(f"in the way: {said}") or f"in the way: {said};" in reason for reason in found.reason)
    for one in three:
        left = [other for other in three if other is not one]
        assert not counterfactuals(of_age(encoder, 50), young, constraints=left, **asked).is_found.any()
    assert counterfactuals(
        of_age(encoder, 50), young, constraints=[Immutable("school"), MaxChanges(2)], **asked
    ).is_found.all()


def test_each_constraint_that_is_in_the_way_by_itself_is_named(people):
    _, encoder, x = people
    model = of_age(encoder, 50)
    found = counterfactuals(
        model, x[:1], schema=encoder, rows=x, constraints=[Immutable("school"), Range("age", 20, 40)]
    )
    assert (
        "in the way: age must be from 20 to 40" in found.reason[0] and "school" not in found.reason[0].split("way:")[1]
    )


def test_an_order_that_lacks_what_occurs_is_refused(people):
    _, encoder, x = people
    asked = {"schema": encoder, "rows": x}
    for constraint, said in [
        (Ordinal("school", order=["basic", "middle"]), "the order of 'school' lacks 'high', which occurs"),
        (Monotone("school", "up", order=["basic", "high"]), "the order of 'school' lacks 'middle'"),
    ]:
        with pytest.raises(DataError, match=said):
            counterfactuals(of_age(encoder, 50), x[:2], constraints=[constraint], **asked)


def test_a_frame_of_results_has_the_types_and_the_index_of_what_was_asked(people):
    frame, encoder, x = people
    asked = {"schema": encoder, "rows": x}
    found = counterfactuals(of_age(encoder, 50), x[:2], plausible=False, **asked).frame()
    assert found.dtypes[["age", "member", "cost"]].tolist() == ["int64", "bool", "float64"]
    assert found.member.tolist() == frame.member[:2].tolist()
    assert found["cost (result)"].gt(0).all() and found["cost"].tolist() == frame.cost[:2].tolist()
    partly = counterfactuals(of_age(encoder, 50), x[:2], constraints=[Immutable("age")], k=2, **asked).frame()
    assert partly.dtypes[["age", "member"]].tolist() == ["Int64", "boolean"] and partly.age.isna().all()
    tree = DecisionTreeClassifier(max_depth=1).fit(x, x[:, 0] > 0)
    assert tree_counterfactuals(tree, x[:2], **asked).frame()["age"].dtype == "int64"


def test_rows_that_are_a_frame_keep_their_index(people):
    frame, _, _ = people
    plain = frame[["age", "cost"]]
    linear = torch.nn.Linear(2, 2)
    schema = corrigible.Columns(("age", "cost"), ("age", "cost"), (False, False))
    for found in (
        counterfactuals(linear, plain, schema=schema, rows=plain, constraints=[Range("age", 0, 99)]),
        nearest_unlike(linear, plain, plain, schema=schema),
    ):
        assert found.frame().index.equals(plain.index)
