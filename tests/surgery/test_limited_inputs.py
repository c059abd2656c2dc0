"""A limited network, against its definition written slowly."""

import math

import pytest
import torch

from corrigible.errors import DataError, RecipeError
from corrigible.models import table_mlp
from corrigible.models.weights import load_weights, save_weights
from corrigible.surgery import (
    REMOVALS,
    LimitedInputs,
    LimitedUnits,
    as_known,
    bounded,
    limited_as,
    replacement_of,
    share_of,
    told_by,
)
from corrigible.types import Columns
from of_tasks import CHOICES, data_of, model_of

LIMITED = torch.tensor([False, True, False])


def rows(count=80):
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(count, 3, generator=generator)
    x[:, 1] = (2 * x[:, 0] - x[:, 2] + 0.5 + 0.1 * x[:, 1]).round()
    return x


def limited(network, removal, x):
    return LimitedInputs(network, LIMITED, replacement_of(removal, x, LIMITED, None), num_outputs=2).eval()


def network():
    torch.manual_seed(0)
    return table_mlp(3, 2).eval()


@pytest.mark.parametrize("removal", REMOVALS)
def test_the_output_does_not_depend_on_the_limited_input_at_all(removal):
    x = rows()
    changed = x.clone()
    changed[:, 1] = 100 * torch.randn(len(x))
    model = limited(network(), removal, x)
    assert torch.equal(model(x), model(changed))
    assert not torch.allclose(model.network(x), model.network(changed))


@pytest.mark.parametrize("removal", REMOVALS)
def test_all_is_kept_where_all_deviations_are(removal):
    x = rows()
    model = limited(network(), removal, x)
    model.kept.fill_(1.0)
    torch.testing.assert_close(model(x).softmax(1), model.network(x).softmax(1))


def test_average_is_the_mean_prediction_over_the_values_by_how_often_they_occur():
    x, net = rows(40), network()
    found = limited(net, "average", x)(x).softmax(1)
    for row in range(len(x)):
        total = torch.zeros(2)
        for other in range(len(x)):
            changed = x[row].clone()
            changed[1] = x[other, 1]
            total += net(changed[None])[0].softmax(0).detach() / len(x)
        torch.testing.assert_close(found[row].detach(), total)


def test_values_of_many_rows_keep_their_shares_up_to_rounding():
    x = torch.zeros(1000, 3)
    x[:170, 1] = 1.0
    found = replacement_of("average", x[torch.randperm(1000)], LIMITED, None)
    assert found.values.flatten().tolist() == [0.0, 1.0]
    assert found.repeats.tolist() == [53, 11]  # of 64: 0.17 · 64 = 10.88


def test_expected_is_the_least_squares_prediction_from_the_other_inputs():
    x, net = rows(), network()
    others = torch.cat([x[:, [0, 2]], torch.ones(len(x), 1)], dim=1).double()
    weights = torch.linalg.solve(others.T @ others, others.T @ x[:, 1].double())
    changed = x.clone()
    changed[:, 1] = (others @ weights).float()
    torch.testing.assert_close(limited(net, "expected", x)(x), net(changed))


def test_expected_does_not_mind_columns_that_sum_to_one():
    site = torch.nn.functional.one_hot(torch.arange(60) % 3).float()
    x = torch.cat([site, (torch.arange(60) % 3 == 0).float()[:, None]], dim=1)
    found = replacement_of("expected", x, torch.tensor([False, False, False, True]), None)
    torch.testing.assert_close(found.values + x.double() @ found.slope.T, x[:, 3:].double())


def test_baseline_is_that_of_explanations_and_mean_that_of_the_rows():
    columns = Columns(("a", "site=x", "site=y"), ("a", "site", "site"), (False, True, True))
    site = torch.tensor([False, True, True])
    x = torch.tensor([[1.0, 1.0, 0.0]] * 3 + [[5.0, 0.0, 1.0]])
    assert replacement_of("baseline", x, site, columns).values.tolist() == [[0.5, 0.5]]
    assert replacement_of("mean", x, site, columns).values.tolist() == [[0.75, 0.25]]


@pytest.mark.parametrize(
    ("removal", "mask", "count", "error", "message"),
    [
        ("median", LIMITED, 80, RecipeError, "unknown removal 'median'"),
        ("mean", ~LIMITED & LIMITED, 80, RecipeError, "0 of 3 inputs are limited; expected some, and not all"),
        ("mean", LIMITED | ~LIMITED, 80, RecipeError, "3 of 3 inputs"),
        ("expected", LIMITED, 9, DataError, "9 rows are too few .* expected at least 10"),
    ],
)
def test_what_cannot_be_replaced_is_refused(removal, mask, count, error, message):
    with pytest.raises(error, match=message):
        replacement_of(removal, rows(count), mask, None)


@pytest.mark.parametrize("choice", CHOICES)
def test_every_task_averages_predictions_as_an_ensemble_does(choice):
    data = data_of(choice)
    net = model_of(data)
    mask = torch.tensor([True, False, False])
    replacement = replacement_of("average", data.x[:5], mask, None)
    model = LimitedInputs(net, mask, replacement, num_outputs=data.task.num_outputs, task=data.task)
    outputs = []
    for value in data.x[:5, 0]:
        changed = data.x.clone()
        changed[:, 0] = value
        outputs.append(data.task.outputs(net(changed)))
    expected = data.task.values(data.task.combined(torch.stack(outputs)))
    torch.testing.assert_close(data.task.values(model(data.x)), expected)


def test_weights_with_their_limits_are_opened_again_in_a_fresh_network(tmp_path):
    x, net = rows(), network()
    net[0] = LimitedUnits(net[0], torch.randn(64), torch.rand(64))
    for removal in ("expected", "average"):
        model = limited(net, removal, x)
        model.kept.fill_(0.3)
        save_weights(model, tmp_path / "model.safetensors")
        fresh = limited_as(table_mlp(3, 2), model.state_dict()).eval()
        load_weights(fresh, tmp_path / "model.safetensors")
        assert torch.equal(fresh(x), model(x))


def test_share_is_the_part_of_all_sizes():
    attribution = torch.tensor([[1.0, -3.0, 0.0], [0.0, 1.0, -5.0]])
    assert share_of(attribution, LIMITED) == 0.4
    with pytest.raises(DataError, match="attribution of every row is 0"):
        share_of(0 * attribution, LIMITED)


@pytest.mark.parametrize("shape", [lambda kept: kept**2 / 2, lambda kept: 0.5 * abs(math.sin(9 * kept))])
def test_the_most_that_is_kept_meets_the_bound_also_where_the_share_does_not_grow_evenly(shape):
    kept = bounded(shape, 0.2)
    assert shape(kept) <= 0.2 < shape(kept + 2**-12)


def test_a_share_within_its_bound_keeps_all_and_one_that_never_is_is_refused():
    assert bounded(lambda kept: 0.1 * kept, 0.2) == 1.0
    with pytest.raises(DataError, match=r"share is 0.3 where nothing of the inputs is kept; expected at most 0.2"):
        bounded(lambda kept: 0.3 + kept, 0.2)


def test_what_others_tell_is_an_auc_for_classes_and_the_variance_explained_for_amounts():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 2, generator=generator)
    amount = 3 * x[:, 0] + 2
    assert told_by("a", x, amount, x, amount).value == pytest.approx(1.0)
    label = (x[:, 0] > 0).long()
    assert told_by("b", x, label, x, label).value > 0.999
    noise = torch.randn(400, 2, generator=generator)
    assert abs(told_by("c", noise[:200], label[:200], noise[200:], label[200:]).value - 0.5) < 0.1
    assert told_by("d", x, torch.zeros(400, dtype=torch.long), x, label).value is None


def test_a_number_of_nearly_two_values_is_told_as_either_and_others_as_amounts():
    held = torch.tensor([0.0] * 70 + [1.0] * 28 + [0.3, 0.9])[:, None]
    known, wanted = as_known(held, torch.tensor([[0.4], [0.6], [2.0]]), is_category=False)
    assert known.sum() == 29
    assert wanted.tolist() == [0, 1, 1]
    assert as_known(torch.randn(9, 1), torch.randn(3, 1), is_category=False)[0].is_floating_point()
    assert as_known(torch.eye(3), torch.eye(3)[:2], is_category=True)[1].tolist() == [0, 1]
