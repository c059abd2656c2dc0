"""Twice differentiable convolutions against PyTorch's own double backward."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from corrigible.models.convolution import TwiceDifferentiable, _step

CASES = {
    "plain": (functional.conv2d, (2, 3, 7, 6), (4, 3, 3, 2), {}),
    "padded": (functional.conv2d, (2, 1, 7, 7), (3, 1, 5, 5), {"padding": 2}),
    "padded beyond the kernel": (functional.conv2d, (2, 2, 5, 5), (3, 2, 2, 2), {"padding": 3}),
    "one channel in squares of 4": (functional.conv2d, (2, 1, 8, 12), (3, 1, 5, 3), {"padding": (1, 2)}),
    "two channels in squares of 2": (functional.conv2d, (2, 2, 6, 8), (3, 2, 2, 3), {}),
    "even sides, dilated": (functional.conv2d, (2, 1, 8, 8), (3, 1, 3, 3), {"dilation": 2, "padding": 2}),
    "strided": (functional.conv2d, (2, 2, 8, 7), (3, 2, 3, 3), {"stride": 2, "padding": 1}),
    "dilated": (functional.conv2d, (2, 2, 9, 9), (3, 2, 3, 3), {"dilation": 2, "padding": (1, 2)}),
    "grouped": (functional.conv2d, (2, 4, 6, 6), (6, 2, 3, 3), {"groups": 2}),
    "same": (functional.conv2d, (2, 2, 6, 6), (3, 2, 3, 3), {"padding": "same"}),
    "one dimension": (functional.conv1d, (2, 3, 9), (4, 3, 3), {"padding": 1}),
    "three dimensions": (functional.conv3d, (2, 2, 4, 5, 4), (3, 2, 2, 3, 2), {"stride": (1, 2, 1)}),
    "without a batch": (functional.conv2d, (3, 7, 6), (4, 3, 3, 2), {}),
}


def first_and_second(case: str, mode: TwiceDifferentiable | None, *, inputs_only: bool = False) -> list[Tensor]:
    """Output, input gradient, and how a function of that gradient changes with input, weight and bias."""
    function, x_shape, weight_shape, settings = CASES[case]
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in (x_shape, weight_shape, weight_shape[:1])
    )
    if mode is None:
        output = function(x, weight, bias, **settings)
    else:
        with mode:
            output = function(x, weight, bias, **settings)
    scores = torch.tanh(output).sum()
    if mode is not None and inputs_only:
        with mode.inputs_only():
            (gradient,) = torch.autograd.grad(scores, x, create_graph=True)
    else:
        (gradient,) = torch.autograd.grad(scores, x, create_graph=True)
    second = torch.autograd.grad(gradient.square().sum(), (x, weight, bias), retain_graph=True)
    first = torch.autograd.grad(scores, (weight, bias))
    return [output.detach(), gradient.detach(), *second, *first]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("inputs_only", [True, False])
def test_values_and_both_derivatives_are_pytorchs(case: str, inputs_only: bool) -> None:
    expected = first_and_second(case, None)
    for found, wanted in zip(
        first_and_second(case, TwiceDifferentiable(), inputs_only=inputs_only), expected, strict=True
    ):
        torch.testing.assert_close(found, wanted)


def test_weight_gradients_are_spared_while_only_inputs_are_asked_for() -> None:
    mode = TwiceDifferentiable()
    x, weight = torch.randn(1, 1, 4, 4, requires_grad=True), torch.randn(1, 1, 2, 2, requires_grad=True)
    with mode:
        output = functional.conv2d(x, weight)
    with mode.inputs_only():
        of_weight = torch.autograd.grad(output.sum(), weight, retain_graph=True, allow_unused=True)
    assert of_weight == (None,)
    assert torch.autograd.grad(output.sum(), weight)[0].shape == weight.shape


def test_outside_the_mode_convolutions_are_untouched() -> None:
    x, weight = torch.randn(1, 1, 4, 4, requires_grad=True), torch.randn(1, 1, 2, 2)
    with TwiceDifferentiable():
        assert "_Convolution" in type(functional.conv2d(x, weight).grad_fn).__name__
    assert type(functional.conv2d(x, weight).grad_fn).__name__ == "ConvolutionBackward0"


def test_an_image_of_one_channel_is_gone_through_in_squares() -> None:
    """Of few channels, a convolution to one leaves most of a vector's lanes idle."""
    steps = {shape: _step(torch.zeros(shape)) for shape in [(1, 1, 28, 28), (1, 3, 32, 32), (1, 1, 6, 8), (1, 5, 8, 8)]}
    assert list(steps.values()) == [4, 2, 2, 1]
    assert _step(torch.zeros(1, 1, 9, 8)) == _step(torch.zeros(1, 1, 8)) == 1
