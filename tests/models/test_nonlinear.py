"""Nonlinear functions are seen however they are called; their gradients change only while they are told to."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from corrigible.models.nonlinear import KINKED, MAX_POOLS, SMOOTH, Nonlinearities


def tripled(call):
    return call.on(call.x), lambda gradient: 3 * gradient


def doubled_relu(x):
    return functional.relu(2 * x)


ROWS = torch.tensor([-1.0, 0.5, 2.0])


def test_gradients_follow_the_rule_inside_replacing_and_are_true_outside():
    mode, x = Nonlinearities(tripled), ROWS.clone().requires_grad_()
    with mode:
        found = doubled_relu(x)
    assert torch.equal(found, doubled_relu(ROWS))
    with mode.replacing():
        replaced = torch.autograd.grad(found.sum(), x, retain_graph=True)[0]
    assert replaced.tolist() == [6.0, 6.0, 6.0]
    assert torch.autograd.grad(found.sum(), x)[0].tolist() == [0.0, 2.0, 2.0]


def test_without_a_rule_for_a_call_its_gradient_stays_true():
    mode, x = Nonlinearities(lambda call: (call.on(call.x), None)), ROWS.clone().requires_grad_()
    with mode:
        found = doubled_relu(x)
    with mode.replacing():
        assert torch.autograd.grad(found.sum(), x)[0].tolist() == [0.0, 2.0, 2.0]


@pytest.mark.parametrize("in_place", [torch.relu_, nn.ReLU(inplace=True), torch.Tensor.relu_, functional.relu_])
def test_a_function_in_place_still_works_in_place(in_place):
    mode, x = Nonlinearities(tripled), ROWS.clone().requires_grad_()
    with mode:
        hidden = 2 * x
        returned = in_place(hidden)
    assert returned is hidden
    assert hidden.tolist() == [0.0, 1.0, 4.0]
    with mode.replacing():
        assert torch.autograd.grad(hidden.sum(), x, retain_graph=True)[0].tolist() == [6.0, 6.0, 6.0]
    assert torch.autograd.grad(hidden.sum(), x)[0].tolist() == [0.0, 2.0, 2.0]


def test_the_result_may_be_overwritten_like_any_other():
    x = ROWS.clone().requires_grad_()
    with Nonlinearities(tripled) as mode:
        found = functional.silu(x)
        found += 1
    with mode.replacing():
        assert torch.autograd.grad(found.sum(), x)[0].tolist() == [3.0, 3.0, 3.0]


def test_what_is_neither_linear_nor_of_one_tensor_is_named():
    x, weight = ROWS.clone().requires_grad_(), torch.ones(3, 3)
    with Nonlinearities(tripled) as mode:
        hidden = functional.linear(x, weight).reshape(3, 1) + 1
        hidden = functional.leaky_relu(hidden).mean(dim=1)
        (hidden * hidden).softmax(0)
        hidden.clamp(max=hidden.flip(0))
        hidden.detach().cos()
    assert list(mode.others) == ["torch.Tensor.mul", "torch.Tensor.softmax", "torch.Tensor.clamp"]


@pytest.mark.parametrize("name", [*SMOOTH, *KINKED, *MAX_POOLS])
def test_every_name_is_a_function_of_pytorch(name):
    assert any(hasattr(holder, name) for holder in (torch, torch.Tensor, functional))


def test_arguments_by_name_and_by_position_reach_the_function():
    seen = []

    def note(call):
        seen.append((call.name, call.on(torch.tensor([10.0])).item()))
        return call.on(call.x), None

    with Nonlinearities(note):
        functional.hardtanh(ROWS.clone(), -2, 5, True)
        functional.hardtanh(input=ROWS, max_val=6)
        torch.clamp(ROWS, max=7)
        functional.threshold(ROWS, 20, 8, inplace=False)
    assert seen == [("hardtanh", 5.0), ("hardtanh", 6.0), ("clamp", 7.0), ("threshold", 8.0)]
