"""What a person may write: names of classes, and one line for whatever does not fit."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from torch import nn

import corrigible
from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.explanations.counterfactuals import (
    MaxChanges,
    Ordinal,
    Range,
    Relation,
    counterfactuals,
    nearest_unlike,
    preparing,
    schema_of,
    tree_counterfactuals,
)
from corrigible.explanations.counterfactuals.schema import given_schema


@pytest.fixture(scope="module")
def asked():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"tenure": rng.integers(0, 31, 120), "age": rng.integers(18, 80, 120)})
    frame["y"] = np.where(frame.tenure > 15, "yes", "no")
    encoder = corrigible.encoder_of(frame, target="y")
    x = corrigible.encode(frame, encoder).x
    place = encoder.columns.names.index("tenure")
    model = nn.Linear(x.shape[1], 2)
    with torch.no_grad():
        model.weight.zero_()
        model.weight[1, place] = 1.0
        model.bias.zero_()
    return frame, encoder, x, model


def test_classes_are_named_wherever_names_are_known(asked):
    _, encoder, x, model = asked
    named = counterfactuals(model, x[:6], schema=encoder, rows=x, target="yes")
    numbered = counterfactuals(model, x[:6], schema=encoder, rows=x, target=1)
    assert named.status == numbered.status
    assert torch.equal(named.changed.nan_to_num(), numbered.changed.nan_to_num())
    row = int(np.flatnonzero(named.is_found[:, 0])[0])
    assert named.in_words(row).endswith("then yes")
    each = counterfactuals(model, x[:2], schema=encoder, rows=x, target=np.array(["yes", "no"]))
    assert each.status == counterfactuals(model, x[:2], schema=encoder, rows=x, target=[1, 0]).status
    schema = schema_of(encoder, x)
    words = counterfactuals(model, x[:6], schema=schema, target="good", class_names=["bad", "good"])
    assert words.status == numbered.status
    assert nearest_unlike(model, x[:6], x, schema=encoder, target="yes").in_words(row).endswith("then yes")
    with pytest.raises(DataError, match="target is 'maybe'; expected one of no, yes"):
        counterfactuals(model, x[:2], schema=encoder, rows=x, target="maybe")
    with pytest.raises(DataError, match="class_names holds 1 names; the model has 2 classes"):
        counterfactuals(model, x[:2], schema=encoder, rows=x, class_names=["bad"])


def test_words_say_from_where_to_where(asked):
    _, encoder, x, model = asked
    schema = schema_of(encoder, x)
    row = int((schema.values(x)[:, schema.place("tenure")] == 0).nonzero()[0][0])
    said = counterfactuals(model, x[row : row + 1], schema=encoder, rows=x).in_words(0)
    assert said.startswith("raise tenure by ")
    assert " from 0 to " in said


def test_each_change_of_a_row_has_a_line_and_a_cost_of_its_own(asked):
    _, encoder, x, _ = asked
    torch.manual_seed(0)
    model = nn.Linear(x.shape[1], 2)
    found = counterfactuals(model, x[:12], schema=encoder, rows=x, k=2, plausible=False)
    assert found.is_found.all(axis=1).any()
    assert found._repr_html_().count("<tr>") == 1 + sum(max(1, row.sum()) for row in found.is_found)


def test_models_of_the_other_function_are_refused_by_its_name(asked):
    frame, encoder, x, model = asked
    forest = RandomForestClassifier(2, random_state=0).fit(x.numpy(), frame.y)
    with pytest.raises(UnsupportedModelError, match="use tree_counterfactuals"):
        preparing._check(forest, x[:1], encoder, x, 0.5)
    with pytest.raises(UnsupportedModelError, match="of networks use counterfactuals"):
        tree_counterfactuals(model, x[:1], schema=encoder, rows=x)


def test_what_does_not_fit_is_refused_in_one_line(asked):
    frame, encoder, x, model = asked
    with pytest.raises(DataError, match="x is a frame; .*inputs_of"):
        counterfactuals(model, frame, schema=encoder, rows=x)
    with pytest.raises(DataError, match="rows is a frame; .*inputs_of"):
        counterfactuals(model, x, schema=encoder, rows=frame)
    with pytest.raises(DataError, match="the schema is None"):
        given_schema(None, x, lambda _: x)
    with pytest.raises(DataError, match="rows is None"):
        nearest_unlike(model, x, None, schema=encoder)
    with pytest.raises(RecipeError, match="quantile is 'a'"):
        preparing._check(model, x, encoder, x, "a")
    found = counterfactuals(model, x[:3], schema=encoder, rows=x)
    for row in (9, -1):
        with pytest.raises(RecipeError, match="row is .*; expected a whole number from 0 to 2"):
            found.in_words(row)


def made(kind, **fields):
    """The value as its own check sees it, without the types that these tests check before."""
    one = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(one, name, value)
    one.__post_init__()
    return one


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: made(Range, feature="k", low="a", high=None), "range of 'k' is 'a' to None; expected numbers"),
        (lambda: made(Ordinal, feature="k", order=5), "order of 'k' is 5"),
        (lambda: made(Ordinal, feature="k", order=[[1], [2]]), "order of 'k'"),
        (lambda: made(Relation, text=None), "the relation is None"),
        (lambda: Relation("tenure <= 10"), "see Range"),
        (lambda: made(MaxChanges, most=np.int64(0)), "at least 1"),
    ],
)
def test_constraints_that_make_no_sense_are_refused_when_they_are_made(build, message):
    with pytest.raises(RecipeError, match=message):
        build()


def test_numbers_of_numpy_are_numbers():
    assert made(MaxChanges, most=np.int64(2)) == MaxChanges(2)
    assert made(Range, feature="k", low=np.float32(1), high=np.int64(2)).low == 1
