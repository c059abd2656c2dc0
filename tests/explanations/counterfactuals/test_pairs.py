"""Two features that bring nothing by themselves are found together; given numbers are never rounded in silence."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.tree import DecisionTreeClassifier

import corrigible
from corrigible.errors import DataError
from corrigible.explanations.counterfactuals import (
    Immutable,
    MaxChanges,
    counterfactuals,
    nearest_unlike,
    schema_of,
    tree_counterfactuals,
)
from corrigible.types import Columns


def household(num_rows=200):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 80, num_rows),
            "income": rng.integers(1000, 5001, num_rows),
            "children": rng.integers(0, 6, num_rows),
            "hours": rng.integers(10, 60, num_rows),
            "school": rng.choice(["basic", "middle", "high"], num_rows),
            "y": rng.choice(["no", "yes"], num_rows),
        }
    )


@pytest.fixture(scope="module")
def encoded():
    frame = household()
    encoder = corrigible.encoder_of(frame, target="y")
    return frame, encoder, corrigible.encode(frame, encoder).x


def only_together(encoder):
    """Yes where income is nearly the largest and there are at most one child, level elsewhere."""
    columns = encoder.columns
    income, children = columns.names.index("income"), columns.names.index("children")

    def scores(x):
        money = columns.shift[income] + columns.scale[income] * x[:, income]
        number = columns.shift[children] + columns.scale[children] * x[:, children]
        lead = torch.relu(money - 4980) * torch.relu(1.5 - number) - 0.5
        return torch.stack([-lead, lead], dim=1)

    return scores


def test_two_features_that_bring_nothing_alone_are_found_together(encoded):
    frame, encoder, x = encoded
    model = only_together(encoder)
    no = model(x)[:, 1] < 0
    poor = (frame.children > 1) & (frame.income < 4900)
    asked = x[no & torch.tensor(poor.tolist())][:5]
    for plausible in (True, False):
        found = counterfactuals(
            model, asked, schema=encoder, rows=x[no], constraints=[MaxChanges(2)], plausible=plausible
        )
        assert found.is_found.all(), found.reason
        assert (model(found.changed[:, 0])[:, 1] > 0).all()
        assert (found.frame().changed == "income, children").all()
        assert (found.frame().children == 1).all()


def test_without_a_result_the_message_says_what_looks_further(encoded):
    _, encoder, x = encoded
    model = only_together(encoder)
    no = x[model(x)[:, 1] < 0]
    found = counterfactuals(model, no[:1], schema=encoder, rows=no, constraints=[Immutable("income")])
    assert found.status == (("not found",),)
    assert "heuristic" in found.reason[0]
    assert "starts" in found.reason[0]


def test_a_number_that_is_not_whole_in_a_column_of_whole_ones_is_refused():
    columns = Columns(("k", "v"), ("k", "v"), (False, False))
    rng = np.random.default_rng(0)
    rows = np.stack([rng.integers(0, 6, 80), rng.normal(size=80)], axis=1)
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(rows, rows[:, 0] > 2)
    data, asked = torch.from_numpy(rows).float(), torch.tensor([[2.6, 0.0]])
    schema = schema_of(columns, data)
    expected = "'k' holds 2.6 in row 0; expected whole numbers, as in rows"
    with pytest.raises(DataError, match=expected):
        tree_counterfactuals(tree, asked, schema=schema)
    with pytest.raises(DataError, match=expected):
        counterfactuals(lambda x: torch.stack([x[:, 0], 3 - x[:, 0]], dim=1), asked, schema=schema)
    with pytest.raises(DataError, match=expected):
        nearest_unlike(lambda x: torch.stack([x[:, 0], 3 - x[:, 0]], dim=1), asked, data, schema=schema)
    assert schema.frame(asked).k[0] == pytest.approx(2.6)


@pytest.mark.parametrize(("shift", "scale"), [(1e6, 1e6), (2000.0, 5.0), (0.0, 1e4), (3.0, 0.7)])
def test_whole_numbers_survive_an_encoding_in_float32(shift, scale):
    columns = Columns(("k",), ("k",), (False,), shift=(shift,), scale=(scale,))
    whole = np.round(shift + scale * np.linspace(-3, 3, 40))
    rows = torch.from_numpy(((whole - shift) / scale)[:, None]).float()
    schema = schema_of(columns, rows)
    found = schema.values(rows)[:, 0]
    assert (found == found.round()).all()
