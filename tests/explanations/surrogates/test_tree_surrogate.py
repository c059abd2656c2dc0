import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score
from torch import nn

from corrigible.data.original_units import Units
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.surrogates import tree_surrogate
from corrigible.explanations.surrogates._samples import samples_of
from corrigible.explanations.surrogates.tree_surrogate import Leaf, Split, leaves_of
from corrigible.types import Columns

COLUMNS = Columns(
    ("age", "age=missing", "site=0", "site=1", "site=2"),
    ("age", "age", "site", "site", "site"),
    (False, False, True, True, True),
)
UNITS = Units((40.0, 0.0, 0.0, 0.0, 0.0), (10.0, 1.0, 1.0, 1.0, 1.0))
FAST = {"samples": 400}


def rows(count=80):
    generator = torch.Generator().manual_seed(0)
    age = torch.randn(count, 1, generator=generator)
    missing = (torch.rand(count, 1, generator=generator) < 0.3).float()
    site = nn.functional.one_hot(torch.randint(3, (count,), generator=generator), 3).float()
    return torch.cat([age * (1 - missing), missing, site], dim=1)


def old_at_site_2(x):
    return (x[:, 0] > 0.5).float() * x[:, 4] - 0.5


def three_classes(x):
    return torch.stack([x[:, 0], -x[:, 0], 3 * x[:, 4] - 1], dim=1)


def drawn(model, x, **settings):
    defaults = {"around": None, "columns": COLUMNS, "samples": 400, "width": 0.75, "seed": 0, "rows_at_once": None}
    return samples_of(model, x, **defaults | settings)


def walked(node, row):
    """The leaf at which a row arrives, one question at a time."""
    while isinstance(node, Split):
        node = node.below if row[node.column] <= node.threshold else node.above
    return node


def test_a_rule_is_found_again():
    settings = {"class_names": ["no", "yes"], "fidelity": 0.99, "samples": 4000, "task": "classes"}
    found = tree_surrogate(old_at_site_2, rows(), columns=COLUMNS, units=UNITS, **settings)
    assert found.num_leaves == 3
    yes = [line for line in found.rules().splitlines() if ": yes" in line]
    assert len(yes) == 1
    condition = yes[0].strip().removeprefix("if site is 2 and age > ").partition(":")[0]
    assert float(condition) == pytest.approx(45.0, abs=1.5)
    assert found.explained == "predicted class"
    assert found.rules().endswith(str(found.fidelity))


def test_predict_walks_down_the_tree():
    x = rows(200)
    by_class = tree_surrogate(three_classes, rows(), columns=COLUMNS, fidelity=1.0, **FAST)
    by_score = tree_surrogate(three_classes, rows(), target=2, columns=COLUMNS, fidelity=1.0, **FAST)
    leaves = [(walked(by_class.root, row), walked(by_score.root, row)) for row in x]
    assert by_class.predict(x).tolist() == [int(np.argmax(leaf.value)) for leaf, _ in leaves]
    assert by_score.predict(x).tolist() == [leaf.value[0] for _, leaf in leaves]


@pytest.mark.parametrize("around", [None, rows()[5]])
def test_the_fidelity_is_that_on_the_held_out_points(around):
    points = drawn(three_classes, rows(), around=around).held_out
    x = torch.from_numpy(points.x)
    settings = {"around": around, "columns": COLUMNS, **FAST}
    by_class = tree_surrogate(three_classes, rows(), **settings)
    expected = points.weight @ (by_class.predict(x).numpy() == points.outputs.argmax(dim=1).numpy())
    assert by_class.fidelity.value == pytest.approx(expected)
    counts = [points.weight @ (points.predicted == label) for label in range(3)]
    assert by_class.fidelity.constant == pytest.approx(max(counts))
    by_score = tree_surrogate(three_classes, rows(), target=(2, 0), **settings)
    contrast = points.outputs[:, 2] - points.outputs[:, 0]
    expected = r2_score(contrast, by_score.predict(x), sample_weight=points.weight)
    assert by_score.fidelity.value == pytest.approx(expected)
    assert by_score.explained == "logit of class 2 rather than class 0"


def test_leaves_hold_the_shares_of_the_points_for_growing_that_arrive():
    found = tree_surrogate(three_classes, rows(), around=rows()[5], columns=COLUMNS, **FAST)
    points = drawn(three_classes, rows(), around=rows()[5]).growing
    arrived = [walked(found.root, row) for row in points.x.astype(np.float32)]
    for leaf, _ in leaves_of(found.root):
        here = np.array([other is leaf for other in arrived])
        assert leaf.share == pytest.approx(points.weight[here].sum())
        shares = [points.weight[here & (points.predicted == label)].sum() / leaf.share for label in range(3)]
        assert leaf.value == pytest.approx(shares)


def test_it_grows_no_further_than_wanted():
    sizes = [
        tree_surrogate(lambda x: x[:, 0], rows(), columns=COLUMNS, fidelity=fidelity, **FAST).num_leaves
        for fidelity in (0.3, 0.8, 0.95)
    ]
    assert sizes == sorted(set(sizes))


def test_held_out_points_have_no_part_in_growing(monkeypatch):
    monkeypatch.setattr("corrigible.explanations.surrogates._synthetic.NOISE", 0.0)
    held_out = torch.from_numpy(drawn(old_at_site_2, rows()).held_out.x[:, 0]).float()
    held_out = held_out[held_out != 0]

    def disturbed(x):
        return torch.where(torch.isin(x[:, 0], held_out), -old_at_site_2(x), old_at_site_2(x))

    plain, other = (tree_surrogate(f, rows(), columns=COLUMNS, **FAST) for f in (old_at_site_2, disturbed))
    assert other.root == plain.root
    assert other.fidelity.value < plain.fidelity.value


def test_it_says_when_the_wanted_fidelity_is_not_reached():
    found = tree_surrogate(lambda x: x[:, 0], rows(), columns=COLUMNS, max_leaves=2, **FAST)
    assert found.num_leaves == 2
    assert not found.fidelity.is_reached
    assert "not reached" in found.rules()


def test_a_constant_model_is_one_leaf():
    found = tree_surrogate(lambda x: -torch.ones(len(x)), rows(), columns=COLUMNS, task="classes", **FAST)
    assert found.root == Leaf((1.0, 0.0), 1.0)
    assert "if anything: class 0, 100\u00a0% sure (100\u00a0% of points)" in found.rules()
    assert found.predict(rows()).tolist() == [0] * 80


def test_conditions_on_one_feature_are_told_as_one():
    rule_text = tree_surrogate(old_at_site_2, rows(), columns=COLUMNS, units=UNITS, **FAST).rule_text
    above, below, inf = (0.5, float("inf")), (-float("inf"), 0.5), float("inf")
    assert rule_text.of_path({}) == "anything"
    assert rule_text.of_path({0: (-1.0, 0.25)}) == "30 < age ≤ 42.5"
    assert rule_text.of_path({0: (-inf, 0.25), 1: below}) == "age ≤ 42.5 and age is known"
    assert rule_text.of_path({1: above}) == "age is missing"
    assert rule_text.of_path({2: below}) == "site is not 0"
    assert rule_text.of_path({2: below, 0: (1.0, inf), 3: below}) == "site is 2 and age > 50"
    assert rule_text.of_path({2: below, 4: above}) == "site is 2"


def test_neither_the_order_of_rows_nor_chunks_matter():
    settings = {"columns": COLUMNS, **FAST}
    whole = tree_surrogate(three_classes, rows(), **settings)
    assert tree_surrogate(three_classes, rows().flip(0), rows_at_once=9, **settings) == whole
    assert tree_surrogate(three_classes, rows(), seed=1, **settings) != whole


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"fidelity": 2.0}, RecipeError, "fidelity is 2.0"),
        ({"max_leaves": 1}, RecipeError, "^max_leaves is 1; expected at least 2$"),
        ({"target": 5}, DataError, "target is 5"),
        ({"target": 1, "score": "logit"}, RecipeError, "unknown score"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        tree_surrogate(three_classes, rows(), **FAST, **settings)


def test_a_class_may_be_a_number_of_numpy():
    found = tree_surrogate(three_classes, rows(), target=np.int64(2), columns=COLUMNS, **FAST)
    assert found == tree_surrogate(three_classes, rows(), target=2, columns=COLUMNS, **FAST)
    assert found.explained == "logit of class 2"


def test_around_a_row_the_effective_number_of_of_held_out_points_is_told():
    weight = drawn(three_classes, rows(), around=rows()[5]).held_out.weight
    found = tree_surrogate(three_classes, rows(), target=1, around=rows()[5], columns=COLUMNS, **FAST).fidelity
    assert found.num_effective == pytest.approx(1 / (weight @ weight)) and found.num_effective < 99
    assert f"points that tell as much as {found.num_effective:.0f} (" in str(found)
