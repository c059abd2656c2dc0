import pytest
import torch
from torch import nn
from torch.nn import functional

from corrigible.models.pooling import QuickPooling

X = torch.randn(3, 2, 9, 10, generator=torch.Generator().manual_seed(0)).mul(2).round()
SETTINGS = [
    {"kernel_size": 2},
    {"kernel_size": (3, 2)},
    {"kernel_size": 3, "stride": 3},
    {"kernel_size": 1},
    {"kernel_size": 3, "stride": 2},
    {"kernel_size": 2, "padding": 1},
    {"kernel_size": 2, "dilation": 2},
    {"kernel_size": 2, "ceil_mode": True},
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("bad", [0.0, torch.nan, -torch.inf])
def test_gives_the_same_to_the_bit(settings, bad):
    x = X.clone()
    x[1, 0, 4, 4] = bad
    expected = functional.max_pool2d(x, **settings)
    with torch.no_grad(), QuickPooling():
        found = [functional.max_pool2d(x, **settings), torch.max_pool2d(x, **settings), nn.MaxPool2d(**settings)(x)]
        of_one_image = functional.max_pool2d(x[0], **settings)
    for values in found:
        torch.testing.assert_close(values, expected, rtol=0, atol=0, equal_nan=True)
        assert values.is_contiguous()
    torch.testing.assert_close(of_one_image, expected[0], rtol=0, atol=0)


def test_indices_are_left_to_pytorch():
    with torch.no_grad(), QuickPooling():
        pooled, places = functional.max_pool2d(X, 2, return_indices=True)
    assert torch.equal(X.flatten(2).gather(2, places.flatten(2)), pooled.flatten(2))


def test_gradients_go_to_the_first_of_equal_inputs_as_ever():
    def gradient():
        x = torch.zeros(1, 1, 2, 2, requires_grad=True)
        functional.max_pool2d(x, 2).sum().backward()
        return x.grad

    expected = gradient()
    with QuickPooling():
        assert torch.equal(gradient(), expected)


def test_an_image_smaller_than_the_window_is_refused_as_ever():
    with torch.no_grad(), QuickPooling(), pytest.raises(RuntimeError):
        functional.max_pool2d(X[..., :1], 2)
