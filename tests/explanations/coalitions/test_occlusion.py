import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from corrigible.errors import DataError, RecipeError
from corrigible.explanations import explain
from corrigible.explanations.passes import pass_over, values_index
from corrigible.explanations.scores import SCORE_NAMES, score_named
from corrigible.types import Columns

COLUMNS = Columns(("b=0", "a", "b=1"), ("b", "a", "b"), (True, False, True))


@pytest.mark.parametrize("baseline", [None, 2.0, torch.tensor([1.0, -1.0, 3.0])])
def test_of_a_linear_table_model_it_is_weight_times_distance_from_the_baseline(baseline):
    model, x = nn.Linear(3, 2).double(), torch.randn(4, 3, dtype=torch.float64)
    found = explain(model, x, 1, method="occlusion", baseline=baseline)
    start = torch.zeros(3) if baseline is None else baseline
    torch.testing.assert_close(found, model.weight.detach()[1] * (x - start))


def test_the_columns_of_a_feature_are_replaced_together_and_share_its_drop_evenly():
    class Product(nn.Module):
        def forward(self, x):
            return torch.stack([x[:, 0] * x[:, 2] + x[:, 1], x[:, 0]], dim=1)

    x = torch.tensor([[2.0, 5.0, 3.0]])
    assert explain(Product(), x, 0, method="occlusion", columns=COLUMNS, baseline=0).tolist() == [[3.0, 5.0, 3.0]]
    assert explain(Product(), x, 0, method="occlusion").tolist() == [[6.0, 5.0, 6.0]]
    # A category that is absent is an even mix: 2 · 3 less ½ · ½.
    assert explain(Product(), x, 0, method="occlusion", columns=COLUMNS).tolist() == [[2.875, 5.0, 2.875]]


class Sum(nn.Module):
    def forward(self, x):
        return torch.stack([x.flatten(1).sum(1), torch.zeros(len(x))], dim=1)


def test_hand_worked_patches_with_overlap():
    # Patches at columns 0–1 and 1–2 drop 1 + 2 and 2 + 4; the middle column lies in both.
    x = torch.tensor([[[[1.0, 2.0, 4.0]]]])
    assert explain(Sum(), x, 0, method="occlusion", patch=2, stride=1).tolist() == [[[[3.0, 4.5, 6.0]]]]


def test_the_last_patch_is_cut_off_at_the_edge_and_no_pixel_is_left_out():
    x = torch.ones(1, 2, 5, 3)
    found = explain(Sum(), x, 0, method="occlusion", patch=2)
    expected = torch.tensor([[8.0, 8.0, 4.0]] * 4 + [[4.0, 4.0, 2.0]])
    assert torch.equal(found, expected.expand(1, 2, 5, 3))


@pytest.mark.parametrize("score", SCORE_NAMES)
def test_a_patch_larger_than_the_image_hides_all_of_it(score):
    model, x = nn.Sequential(nn.Flatten(), nn.Linear(9, 3)).double(), torch.randn(2, 1, 3, 3, dtype=torch.float64)
    target, ends = torch.tensor([2, 0]), []
    for rows in (x, torch.zeros_like(x)):
        forward = pass_over(model, rows, target, index=values_index(x), seed=3)
        ends.append(score_named(score, forward)(forward.logits, target).detach())
    found = explain(model, x, target, method="occlusion", patch=9, score=score, seed=3)
    torch.testing.assert_close(found, (ends[0] - ends[1])[:, None, None, None].expand_as(x))


def test_images_without_a_channel_axis_have_patches_too():
    assert explain(Sum(), torch.ones(1, 4, 4), 0, method="occlusion", patch=2).tolist() == [[[4.0] * 4] * 4]


@pytest.mark.parametrize("settings", [{"patch": 0}, {"stride": 0}, {"patch": 2, "stride": 3}])
def test_patches_that_leave_pixels_out_are_refused(settings):
    with pytest.raises(RecipeError, match="expected 1 <= stride <= patch"):
        explain(Sum(), torch.ones(1, 1, 4, 4), 0, method="occlusion", **settings)


def test_columns_of_another_table_are_refused():
    with pytest.raises(DataError, match=r"x has shape \(1, 4\); expected \(batch, 3\)"):
        explain(Sum(), torch.ones(1, 4), method="occlusion", columns=COLUMNS)


def test_windows_are_made_as_they_come():
    """1,225 windows of a 70 × 70 image are 6 million pixels: no tensor may hold them all."""
    largest = 0

    class Noted(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            found = function(*args, **(kwargs or {}))
            largest = max(largest, found.numel() if isinstance(found, torch.Tensor) else 0)
            return found

    with Noted():
        explain(nn.Sequential(nn.AvgPool2d(35), nn.Flatten(), nn.Linear(4, 2)), torch.rand(1, 1, 70, 70), 0,
                method="occlusion", patch=2, rows_at_once=64)  # fmt: skip
    assert largest <= 64 * 70**2
