from functools import partial

import pytest
import torch

from corrigible.errors import RecipeError
from corrigible.explanations import explain
from corrigible.explanations.groups import by_group
from literal_games import (
    COLUMNS,
    LABELS,
    Wrapped,
    conditional_value,
    filled_value,
    logit,
    rows,
    shapley_by_orders,
    smooth_net,
    spread_over,
)

wrapped_or_not = pytest.mark.parametrize("wrap", [lambda model: model, Wrapped], ids=["sequence", "module"])


@wrapped_or_not
@pytest.mark.parametrize("baseline", [None, 0.5, torch.tensor([1.0, 0.0, 1.0, 0.0, -2.0])])
def test_it_is_the_mean_over_all_orders_of_what_a_group_adds(wrap, baseline):
    model, x, target = smooth_net(), rows(3), torch.tensor([0, 2, 1])
    found = explain(wrap(model), x, target, method="exact_shapley", baseline=baseline, columns=COLUMNS)
    start = torch.tensor([0, 1 / 3, 1 / 3, 1 / 3, 0]) if baseline is None else torch.as_tensor(baseline).expand(5)
    for row, label, attribution in zip(x, target.tolist(), found, strict=True):
        values = shapley_by_orders(partial(filled_value, logit(model, label), row, LABELS, others=[start.double()]), 3)
        torch.testing.assert_close(attribution, spread_over(values, LABELS))


@wrapped_or_not
@pytest.mark.parametrize(("absent", "literal"), [("marginal", filled_value), ("conditional", conditional_value)])
def test_rows_of_data_may_stand_for_absent_groups(wrap, absent, literal):
    model, x, others = smooth_net(), rows(2), rows(11, seed=2)
    found = explain(
        wrap(model), x, 1, method="exact_shapley", background=others, absent=absent, columns=COLUMNS, rows_at_once=7
    )
    for row, attribution in zip(x, found, strict=True):
        values = shapley_by_orders(partial(literal, logit(model, 1), row, LABELS, others=others), 3)
        torch.testing.assert_close(attribution, spread_over(values, LABELS))


def test_every_row_may_have_its_own_segments_and_as_many_as_it_likes():
    model, x = smooth_net(), rows(3)
    segments = torch.tensor([[0, 0, 1, 1, 2], [2, 2, 0, 2, 0], [4, 3, 2, 1, 0]])
    found = explain(model, x, 0, method="exact_shapley", groups=segments)
    for row, labels, attribution in zip(x, segments, found, strict=True):
        value = partial(filled_value, logit(model, 0), row, labels, others=[torch.zeros_like(row)])
        values = shapley_by_orders(value, int(labels.max()) + 1)
        torch.testing.assert_close(attribution, spread_over(values, labels))


def test_a_product_is_shared_equally_by_its_factors():
    found = explain(lambda x: x[:, 0] * x[:, 1] + 5 * x[:, 2], torch.tensor([[2.0, 3.0, 1.0]]), method="exact_shapley")
    assert found.tolist() == [[3.0, 3.0, 5.0]]


def test_it_sums_to_the_score_less_the_mean_score_of_the_background():
    model, x, others = smooth_net(), rows(4), rows(9, seed=2)
    expected = model(x)[:, 1] - model(others)[:, 1].mean()
    for absent in ("marginal", "conditional"):
        found = explain(model, x, 1, method="exact_shapley", background=others, absent=absent)
        torch.testing.assert_close(found.sum(1), expected.detach())


def test_one_group_gets_all_and_an_input_that_nothing_depends_on_gets_nothing():
    model, x = smooth_net(), rows(3)
    alone = explain(model, x, 0, method="exact_shapley", groups=torch.zeros(5, dtype=torch.long))
    torch.testing.assert_close(alone.sum(1), (model(x) - model(torch.zeros_like(x)))[:, 0].detach())
    model[0].weight.data[:, 2] = 0
    assert explain(model, x, 0, method="exact_shapley")[:, 2].abs().max() < 1e-14


def test_the_group_sums_are_the_values():
    model, x = smooth_net(), rows(3)
    found = explain(model, x, 0, method="exact_shapley", columns=COLUMNS)
    values = by_group(found, LABELS)
    start = torch.tensor([0, 1 / 3, 1 / 3, 1 / 3, 0], dtype=torch.float64)
    literal = shapley_by_orders(partial(filled_value, logit(model, 0), x[0], LABELS, others=[start]), 3)
    torch.testing.assert_close(values[0].tolist(), literal)


def test_more_than_16_groups_are_refused():
    with pytest.raises(RecipeError, match=r"17 groups have 2\^17 coalitions; expected at most 16: form groups"):
        explain(lambda x: x.sum(1), torch.ones(1, 17), method="exact_shapley")
