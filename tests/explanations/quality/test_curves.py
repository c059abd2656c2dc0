from itertools import permutations

import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.passes import pass_over
from corrigible.explanations.quality import deletion_auc, deletion_curve, insertion_auc, insertion_curve
from corrigible.types import Columns

RNG = torch.Generator().manual_seed(0)


def linear(*weights):
    """w · x."""
    layer = nn.Linear(len(weights), 1, bias=False)
    layer.weight.data = torch.tensor([weights])
    return layer.double()


def image_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Softplus(), nn.Flatten(), nn.Linear(3 * 16, 3)).double()


def slow_curve(model, x, target, attribution, steps, baseline, inserts):
    """One pixel after the other, the largest sum over channels first."""
    points = []
    order = attribution.sum(dim=0).flatten().argsort(descending=True).tolist()
    for step in range(steps + 1):
        changed = torch.full_like(x, baseline) if inserts else x.clone()
        for pixel in order[: round(len(order) * step / steps)]:
            row, column = divmod(pixel, x.shape[2])
            changed[:, row, column] = x[:, row, column] if inserts else baseline
        points.append(model(changed[None]).softmax(dim=1)[0, target].item())
    return points


@pytest.mark.parametrize(("curve", "inserts"), [(deletion_curve, False), (insertion_curve, True)])
@pytest.mark.parametrize("rows_at_once", [None, 1, 7])
def test_a_curve_equals_its_definition(curve, inserts, rows_at_once):
    model = image_net()
    x, attribution = torch.randn(2, 3, 2, 4, 4, generator=RNG, dtype=torch.float64)
    target = torch.tensor([2, 0, 1])
    found = curve(model, x, target, attribution, steps=6, baseline=0.5, rows_at_once=rows_at_once)
    rows = zip(x, target.tolist(), attribution, strict=True)
    expected = [slow_curve(model, *row, 6, 0.5, inserts) for row in rows]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_the_features_of_a_table_give_way_as_wholes_and_a_category_to_an_even_mix():
    columns = Columns(("dose", "site=a", "site=b"), ("dose", "site", "site"), (False, True, True))
    model, x = linear(1.0, 2.0, 4.0), torch.tensor([[3.0, 0.0, 1.0]])
    settings = {"steps": 2, "score": "target_logit", "columns": columns}
    attribution = torch.tensor([[1.0, 0.0, 2.0]])
    assert deletion_curve(model, x, 1, attribution, **settings).tolist() == [[7, 6, 3]]
    assert insertion_curve(model, x, 1, attribution, **settings).tolist() == [[3, 4, 7]]
    assert deletion_auc(model, x, 1, attribution, **settings).tolist() == pytest.approx([(6.5 + 4.5) / 2])
    assert insertion_auc(model, x, 1, attribution, **settings).tolist() == pytest.approx([(3.5 + 5.5) / 2])
    # A baseline that is given stays as it is.
    assert deletion_curve(model, x, 1, attribution, baseline=0, **settings).tolist() == [[7, 3, 0]]
    with pytest.raises(DataError, match="expected .* one per named column"):
        deletion_curve(model, x[:, :2], 1, attribution[:, :2], columns=columns)


def test_curves_by_hand():
    model, x = linear(1.0, 2.0, 4.0), torch.tensor([[1.0, 1.0, 1.0]])
    settings = {"steps": 3, "score": "target_logit"}
    assert deletion_curve(model, x, 1, torch.tensor([[1.0, 2.0, 4.0]]), **settings).tolist() == [[7, 3, 1, 0]]
    assert deletion_curve(model, x, 1, torch.tensor([[-1.0, -2.0, -4.0]]), **settings).tolist() == [[7, 6, 4, 0]]
    assert insertion_curve(model, x, 1, torch.tensor([[1.0, 2.0, 4.0]]), **settings).tolist() == [[0, 4, 6, 7]]
    assert deletion_auc(model, x, 1, torch.tensor([[1.0, 2.0, 4.0]]), **settings).tolist() == pytest.approx([7.5 / 3])
    assert insertion_auc(model, x, 1, torch.tensor([[1.0, 2.0, 4.0]]), **settings).tolist() == pytest.approx([13.5 / 3])


def test_the_area_counts_each_step_by_how_much_it_replaced():
    # Two steps over three inputs: 2 of them (1.5 rounded to even), then the last.
    found = deletion_auc(
        linear(1.0, 2.0, 4.0), torch.ones(1, 3), 1, torch.tensor([[1.0, 2.0, 4.0]]), steps=2, score="target_logit"
    )
    assert found.tolist() == pytest.approx([(7 + 1) / 2 * 2 / 3 + (1 + 0) / 2 / 3])


@pytest.mark.parametrize("curve", [deletion_curve, insertion_curve])
def test_ties_are_the_mean_over_all_orders(curve):
    model, x = linear(1.0, 2.0, 4.0, 8.0), torch.tensor([[1.0, -2.0, 3.0, 0.5]])
    tied, settings = torch.tensor([[5.0, 1.0, 1.0, 1.0]]), {"steps": 4, "score": "target_logit"}
    orders = [torch.tensor([[5.0, *(1 + 0.1 * place for place in order)]]) for order in permutations(range(3))]
    expected = torch.stack([curve(model, x, 1, order, **settings) for order in orders]).mean(dim=0)
    torch.testing.assert_close(curve(model, x, 1, tied, **settings), expected)


def test_without_any_attribution_the_row_fades_evenly():
    model, x = image_net(), torch.randn(1, 2, 4, 4, generator=RNG, dtype=torch.float64)
    found = deletion_curve(model, x, 1, torch.zeros_like(x), steps=4, baseline=1.0)
    for step, value in enumerate(found[0]):
        faded = x + step / 4 * (1.0 - x)
        assert value.item() == pytest.approx(model(faded).softmax(1)[0, 1].item())


def test_groups_go_together_and_may_differ_between_rows():
    model, x = linear(1.0, 2.0, 4.0), torch.ones(2, 3)
    attribution = torch.tensor([[1.0, 1.0, 1.5], [1.0, 1.0, 1.5]])
    shared = deletion_curve(model, x, 1, attribution, steps=2, score="target_logit", groups=torch.tensor([0, 0, 1]))
    assert shared.tolist() == [[7, 4, 0], [7, 4, 0]]
    # Row 1 has no group 1: two groups all the same.
    groups = torch.tensor([[0, 0, 1], [2, 0, 0]])
    apart = deletion_curve(model, x, 1, attribution, steps=2, score="target_logit", groups=groups)
    assert apart.tolist() == [[7, 4, 0], [7, 1, 0]]


def test_channels_may_go_apart():
    model, x = nn.Sequential(nn.Flatten(), linear(1.0, 2.0)), torch.ones(1, 2, 1, 1)
    attribution, apart = torch.tensor([5.0, 1.0]).reshape(1, 2, 1, 1), torch.arange(2).reshape(2, 1, 1)
    settings = {"steps": 2, "score": "target_logit"}
    assert deletion_curve(model, x, 1, attribution, groups=apart, **settings).tolist() == [[3, 2, 0]]
    assert deletion_curve(model, x, 1, attribution, **settings).tolist() == [[3, 3, 0]]


def test_the_target_is_the_predicted_class_and_may_be_a_pair():
    model, x = image_net(), torch.randn(4, 2, 4, 4, generator=RNG, dtype=torch.float64)
    predicted, other = model(x).argmax(dim=1), (model(x).argmax(dim=1) + 1) % 3
    attribution = torch.randn_like(x)
    assert torch.equal(deletion_curve(model, x, None, attribution), deletion_curve(model, x, predicted, attribution))
    first, second = (deletion_curve(model, x, target, attribution) for target in (predicted, other))
    both = deletion_curve(model, x, torch.stack([predicted, other], dim=1), attribution)
    torch.testing.assert_close(both, first - second)


def test_without_a_target_a_single_score_is_looked_at_whatever_its_sign():
    model, x = linear(1.0, 2.0, 4.0), torch.tensor([[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]])
    attribution = torch.tensor([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]])
    found = deletion_curve(model, x, None, attribution, steps=3, score="target_logit")
    assert found.tolist() == [[7, 3, 1, 0], [-7, -3, -1, 0]]


def test_all_points_of_a_row_share_its_random_projection():
    model, x = image_net(), torch.randn(3, 2, 4, 4, generator=RNG, dtype=torch.float64)
    direction = pass_over(model, x, torch.zeros(3).long(), seed=5).normal("random_projection", 3)
    ends = [(model(end).log_softmax(dim=1) * direction).sum(dim=1) for end in (x, torch.zeros_like(x))]
    found = deletion_curve(model, x, 0, x, steps=1, score="random_projection", seed=5)
    torch.testing.assert_close(found, torch.stack(ends, dim=1).detach())


def test_any_function_of_the_rows_will_do():
    model, x = linear(1.0, 2.0), torch.ones(2, 2, dtype=torch.float64)
    found = deletion_auc(lambda rows: rows.numpy() @ [[1.0], [2.0]], x, 1, x, task="classes")
    torch.testing.assert_close(found, deletion_auc(model, x, 1, x, task="classes"))


def test_without_a_task_a_single_output_is_shown_itself_and_a_task_shows_its_own_score():
    model, x = linear(1.0, 2.0), torch.tensor([[3.0, 5.0]], dtype=torch.float64)
    assert deletion_curve(model, x, None, x, steps=2).tolist() == [[13, 3, 0]]
    task = TensorData(x.expand(2, -1), torch.tensor([1.0, 2.0]), task="counts").task
    assert insertion_curve(model, x, 0, x, steps=2, task=task).tolist() == [[0, 10, 13]]
    rates = deletion_curve(model, x, None, x, steps=2, task=task, score="target_value")
    torch.testing.assert_close(rates, torch.tensor([[13.0, 3.0, 0.0]], dtype=torch.float64).exp())
    own = deletion_curve(model, x, None, x, steps=2, score=lambda outputs, target: -outputs[:, 0])
    assert own.tolist() == [[-13, -3, 0]]


def test_what_does_not_fit_is_refused():
    model, x = image_net(), torch.randn(2, 2, 4, 4, dtype=torch.float64)
    with pytest.raises(RecipeError, match="steps is 0"):
        deletion_auc(model, x, 0, x, steps=0)
    with pytest.raises(RecipeError, match="rows_at_once is 0"):
        deletion_auc(model, x, 0, x, rows_at_once=0)
    with pytest.raises(DataError, match=r"attribution has shape \(2, 1, 4, 4\); x has \(2, 2, 4, 4\)"):
        insertion_auc(model, x, 0, x[:, :1])
    with pytest.raises(DataError, match="row 1 is NaN"):
        insertion_auc(model, x, 0, torch.where(torch.tensor([False, True]).reshape(2, 1, 1, 1), torch.nan, x))
    with pytest.raises(DataError, match="expected 0 to 2"):
        deletion_auc(model, x, 3, x)
