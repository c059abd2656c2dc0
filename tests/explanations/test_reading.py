"""Outputs with places: what is explained at a mask or a position equals what a model wrapped by hand gets."""

import pytest
import torch
from torch import nn

from corrigible.errors import CorrigibleError, DataError, UnsupportedModelError
from corrigible.explanations import explain

X = torch.randn(3, 1, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
MASK = torch.zeros(6, 6, dtype=torch.bool)
MASK[1:3, 2:5] = True


class Segmenter(nn.Module):
    """Three classes at each of 6 × 6 places."""

    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(1, 4, 3, padding=1)
        self.head = nn.Conv2d(4, 3, 1)

    def forward(self, x):
        return self.head(self.features(x).relu())


class Averaged(nn.Module):
    def __init__(self, model, mask):
        super().__init__()
        self.features, self.head, self.mask = model.features, model.head, mask

    def forward(self, x):
        scores = self.head(self.features(x).relu())
        return torch.stack([score[:, self.mask].mean(dim=1) for score in scores])


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Segmenter().double()


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("input_gradient", {}),
        ("integrated_gradients", {"steps": 8}),
        ("deep_lift", {}),
        ("grad_cam", {}),
        ("grad_cam", {"layer": "features"}),
        ("occlusion", {"patch": 2, "stride": 2}),
        ("kernel_shap", {"samples": 64, "score": "target_prob"}),
    ],
)
@pytest.mark.parametrize("target", [None, 2])
def test_a_mask_averages_class_scores_over_its_places(model, method, settings, target):
    found = explain(model, X, target, method=method, at=MASK, **settings)
    expected = explain(Averaged(model, MASK), X, target, method=method, **settings)
    torch.testing.assert_close(found, expected)


def test_a_position_is_a_mask_of_one_place(model):
    single = torch.zeros(6, 6, dtype=torch.bool)
    single[2, 3] = True
    expected = explain(model, X, 1, at=single)
    for at in ((2, 3), [2, 3], torch.tensor([2, 3])):
        torch.testing.assert_close(explain(model, X, 1, at=at), expected)
    torch.testing.assert_close(explain(lambda x: model(x)[:, :, 2, 3], X, 1), expected)
    # A place sees only its neighbourhood.
    assert not expected[:, :, :, :2].any() and expected[:, :, 1:4, 2:5].any()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, UnsupportedModelError, r"gives shape \(1, 3, 6, 6\), with places; name those to explain"),
        ({"at": MASK[:5]}, DataError, r"at has shape \(5, 6\) and 6 places; expected shape \(6, 6\)"),
        ({"at": ~(MASK | True)}, DataError, "0 places; expected shape .* at least one True"),
        ({"at": (6, 0)}, DataError, r"at is \(6, 0\); expected a position"),
        ({"at": MASK.long()}, DataError, r"at has shape \(6, 6\) and holds torch.int64; expected a mask of booleans"),
        ({"at": (0.5, 1.0)}, DataError, "holds torch.float64; expected a mask of booleans"),
        ({"at": (1,)}, DataError, r"at is \(1,\); expected a position"),
    ],
)
def test_places_that_do_not_fit_are_refused_in_one_line(model, settings, error, message):
    with pytest.raises(error, match=message) as refused:
        explain(model, X, 0, **settings)
    assert "\n" not in str(refused.value)


def test_outputs_without_places_take_none():
    with pytest.raises(CorrigibleError, match=r"``at`` is for outputs with places"):
        explain(nn.Sequential(nn.Flatten(), nn.Linear(36, 3)).double(), X, 0, at=MASK)


class Softmax(nn.Linear):
    def forward(self, x):
        return super().forward(x).softmax(1)


def test_a_probability_is_explained_as_it_is_but_not_as_a_logit():
    torch.manual_seed(0)
    model, x = Softmax(4, 3), torch.randn(5, 4)
    assert explain(model, x, 0, method="input_gradient").any()
    for score in ("target_prob", "target_log_prob"):
        with pytest.raises(UnsupportedModelError, match="gives probabilities"):
            explain(model, x, 0, method="input_gradient", score=score)
