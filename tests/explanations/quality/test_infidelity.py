import pytest
import torch
from torch import nn

from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.explanations import explain
from corrigible.explanations.quality import infidelity
from corrigible.explanations.quality.infidelity import _masks
from corrigible.types import Columns

RNG = torch.Generator().manual_seed(0)
KINDS = ["noise", "square", "groups"]


def image_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Softplus(), nn.Flatten(), nn.Linear(3 * 16, 3)).double()


def linear_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(32, 3)).double()


X, ATTRIBUTION = torch.randn(2, 3, 2, 4, 4, generator=RNG, dtype=torch.float64)
TARGET = torch.tensor([2, 0, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_a_linear_model_is_faithful(kind):
    model = linear_net()
    attribution = explain(model, X, TARGET, method="input_gradient")
    found = infidelity(model, X, TARGET, attribution, perturbation=kind, baseline=0.3)
    torch.testing.assert_close(found, torch.zeros(3, dtype=torch.float64))
    assert bool((infidelity(model, X, TARGET, ATTRIBUTION, perturbation=kind) > 1e-3).all())


def test_groups_equal_the_definition_written_out():
    model, groups = image_net(), torch.arange(16).div(4, rounding_mode="floor").reshape(4, 4).expand(2, 4, 4)
    found = infidelity(model, X, TARGET, ATTRIBUTION, perturbation="groups", groups=groups, baseline=0.5)
    for row in range(3):
        squares = []
        for group in range(4):
            removed = (X[row] - 0.5) * (groups == group)
            drop = model(X[[row]])[0, TARGET[row]] - model((X[row] - removed)[None])[0, TARGET[row]]
            squares.append(((removed * ATTRIBUTION[row]).sum() - drop).square())
        assert found[row].item() == pytest.approx(torch.stack(squares).mean().item())


def test_of_a_table_a_category_gives_way_as_a_whole_to_an_even_mix():
    columns = Columns(("dose", "site=a", "site=b"), ("dose", "site", "site"), (False, True, True))
    x, attribution = torch.tensor([[3.0, 0.0, 1.0]]).double(), torch.tensor([[1.0, 1.0, 2.0]]).double()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    found = infidelity(model, x, 1, attribution, perturbation="groups", columns=columns)
    squares = []
    for removed in ([3.0, 0.0, 0.0], [0.0, -0.5, 0.5]):
        change = torch.tensor([removed]).double()
        drop = (model(x) - model(x - change))[0, 1]
        squares.append(((change * attribution).sum() - drop).square().item())
    assert found.item() == pytest.approx(sum(squares) / 2)


def test_masks_are_taken_as_they_are():
    model, groups = image_net(), torch.arange(32).reshape(2, 4, 4) % 5
    masks = torch.stack([groups == number for number in range(5)])
    masked, grouped = (
        infidelity(model, X, TARGET, ATTRIBUTION, perturbation=kind, groups=given, baseline=0.5)
        for kind, given in ((masks, None), ("groups", groups))
    )
    torch.testing.assert_close(masked, grouped)


@pytest.mark.parametrize("num_masks", [2, 5])
def test_masks_without_channels_hold_for_all_of_them(num_masks):
    model = image_net()
    masks = torch.rand(num_masks, 4, 4, generator=torch.Generator().manual_seed(1)) < 0.5
    spelled_out = masks[:, None].expand(-1, 2, -1, -1)
    found, expected = (infidelity(model, X, TARGET, ATTRIBUTION, perturbation=given) for given in (masks, spelled_out))
    torch.testing.assert_close(found, expected)


class Halving(nn.Module):
    def forward(self, x):
        return x.mul_(0.5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("in_place", "as_new"), [(Halving(), lambda x: x / 2), (nn.ReLU(inplace=True), torch.relu)])
def test_a_model_that_works_in_place_finds_the_same_and_leaves_the_rows(kind, in_place, as_new):
    x, model = X.clone(), linear_net()
    found = infidelity(nn.Sequential(in_place, model), x, TARGET, ATTRIBUTION, perturbation=kind)
    expected = infidelity(lambda rows: model(as_new(rows)), X, TARGET, ATTRIBUTION, perturbation=kind)
    torch.testing.assert_close(found, expected.detach())
    assert torch.equal(x, X)


def test_noise_nears_the_expectation_of_a_linear_model():
    # Iᵀ(attribution − weights) is normal with variance sd² · Σ (attribution − weights)².
    model = linear_net()
    off = ATTRIBUTION - model[1].weight[TARGET].reshape(X.shape)
    found = infidelity(model, X, TARGET, ATTRIBUTION, samples=4000, sd=0.2)
    torch.testing.assert_close(found, 0.04 * off.square().flatten(1).sum(1), rtol=0.1, atol=0)


def test_squares_near_the_mean_over_all_places():
    model = linear_net()
    off = ATTRIBUTION - model[1].weight[TARGET].reshape(X.shape)
    places = [((X * off)[:, :, top : top + 3, left : left + 3]) for top in range(2) for left in range(2)]
    expected = torch.stack([place.flatten(1).sum(1).square() for place in places]).mean(dim=0)
    found = infidelity(model, X, TARGET, ATTRIBUTION, perturbation="square", samples=4000, patch=3)
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0)


def test_a_group_that_a_row_does_not_have_does_not_count():
    model, x = linear_net(), X[:2]
    groups = (torch.arange(32) % 2).reshape(2, 4, 4).expand(2, -1, -1, -1).clone()
    groups[1] += 5  # Groups 5 and 6 in place of 0 and 1.
    found = infidelity(model, x, TARGET[:2], ATTRIBUTION[:2], perturbation="groups", groups=groups)
    alone = [
        infidelity(model, x[[row]], TARGET[[row]], ATTRIBUTION[[row]], perturbation="groups", groups=groups[0])
        for row in (0, 1)
    ]
    torch.testing.assert_close(found, torch.cat(alone))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows_at_once", [1, 2, 7, 100])
def test_how_many_rows_at_once_and_their_order_change_nothing(kind, rows_at_once):
    model, order = image_net(), torch.tensor([2, 0, 1])
    whole = infidelity(model, X, TARGET, ATTRIBUTION, perturbation=kind, samples=9)
    found = infidelity(
        model, X[order], TARGET[order], ATTRIBUTION[order], perturbation=kind, samples=9, rows_at_once=rows_at_once
    )
    torch.testing.assert_close(found, whole[order])


@pytest.mark.parametrize("kind", KINDS)
def test_scaling_leaves_only_proportions_and_is_the_best(kind):
    model = image_net()
    plain, scaled, longer = (
        infidelity(model, X, TARGET, factor * ATTRIBUTION, perturbation=kind, scaled=is_scaled)
        for factor, is_scaled in ((1, False), (1, True), (-7, True))
    )
    torch.testing.assert_close(scaled, longer)
    assert bool((scaled < plain).all())
    linear = linear_net()
    right = explain(linear, X, TARGET, method="input_gradient")
    found = infidelity(linear, X, TARGET, 3 * right, perturbation=kind, scaled=True)
    torch.testing.assert_close(found, torch.zeros(3, dtype=torch.float64))


@pytest.mark.parametrize("scaled", [False, True])
def test_without_any_attribution_it_is_the_mean_squared_drop(scaled):
    model = image_net()
    found = infidelity(
        model, X, TARGET, torch.zeros_like(X), perturbation="groups", groups=torch.zeros(2, 4, 4).long(), scaled=scaled
    )
    drop = (model(X) - model(torch.zeros_like(X))).gather(1, TARGET[:, None])[:, 0]
    torch.testing.assert_close(found, drop.detach().square())


def test_what_does_not_fit_is_refused():
    model = image_net()
    with pytest.raises(RecipeError, match="samples is 0"):
        infidelity(model, X, TARGET, ATTRIBUTION, samples=0)
    with pytest.raises(RecipeError, match="patch is 5; expected 1 to 4"):
        infidelity(model, X, TARGET, ATTRIBUTION, perturbation="square", patch=5)
    with pytest.raises(UnsupportedModelError, match="squares need images"):
        infidelity(nn.Linear(3, 2), torch.ones(2, 3), 0, torch.ones(2, 3), perturbation="square")
    with pytest.raises(DataError, match=r"masks have shape \(2, 3, 4\)"):
        infidelity(model, X, TARGET, ATTRIBUTION, perturbation=torch.ones(2, 3, 4, dtype=torch.bool))
    with pytest.raises(DataError, match=r"masks hold torch.float32 values; expected booleans"):
        next(_masks(X, torch.ones(5, 4, 4), 1))
    with pytest.raises(DataError, match="row 0 is NaN"):
        infidelity(model, X, TARGET, ATTRIBUTION * torch.nan)
