"""A gradient of 0 is an answer only where the score does not change."""

import logging

import pytest
import torch
from torch import nn

from corrigible.errors import CorrigibleError, NoGradientError
from corrigible.explanations import explain

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
LOCAL = ("input_gradient", "gradient_x_input", "smooth_grad", "expected_gradients")


class Before(nn.Module):
    """A small network behind a function of its inputs, or with one of its hidden values."""

    def __init__(self, before=lambda x: x, between=lambda h: h):
        super().__init__()
        torch.manual_seed(1)
        self.body, self.head, self.before, self.between = nn.Linear(4, 5), nn.Linear(5, 2), before, between

    def forward(self, x):
        return self.head(self.between(self.body(self.before(x)).tanh()))


@torch.no_grad()
def without_gradient(h):
    return 2 * h


CUTS = {
    "detached": Before(between=torch.detach),
    "no_grad": Before(between=without_gradient),
    "rounded": Before(before=lambda x: (3 * x).round()),
    "signs": Before(before=torch.sign),
    "whole numbers": Before(between=lambda h: (20 * h).to(torch.int8).float()),
    "compared": Before(before=lambda x: (x > 0.1).float()),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("method", [*LOCAL, "integrated_gradients", "deep_lift"])
def test_inputs_that_no_gradient_reaches_are_refused(method, cut):
    for rows in (X, X[4:5]):
        with pytest.raises(CorrigibleError, match="kernel_shap"):
            explain(CUTS[cut], rows, 0, method=method)


@pytest.mark.parametrize("method", LOCAL)
def test_a_single_input_that_no_gradient_reaches_is_refused_by_number(method):
    model = Before(before=lambda x: torch.cat([x[:, :2], x[:, 2:3].round(), x[:, 3:]], dim=1))
    with pytest.raises(NoGradientError, match=r"gives 0 to input 2 \(1 such inputs of 4\).*choose kernel_shap"):
        explain(model, 3 * X, 0, method=method)


@pytest.mark.parametrize("method", [*LOCAL, "integrated_gradients"])
def test_inputs_that_change_nothing_get_0(method):
    constant = Before(between=torch.zeros_like)
    ignores_one = Before(before=lambda x: x * torch.tensor([1.0, 0.0, 1.0, 1.0]))
    assert explain(constant, X, 0, method=method).count_nonzero() == 0
    assert explain(ignores_one, X, 0, method=method).count_nonzero(dim=0).tolist() == [6, 0, 6, 6]


def test_a_row_where_all_units_are_at_rest_keeps_its_0():
    model = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 2))
    for layer, weight in ((model[0], [[1.0]]), (model[2], [[1.0], [-1.0]])):
        layer.weight.data = torch.tensor(weight)
    rows = torch.tensor([[-5.0], [-6.0]]) - model[0].bias.detach()
    assert explain(model, rows, 0, method="input_gradient").count_nonzero() == 0


def test_rows_without_any_slope_among_others_are_told(caplog):
    class Stepped(nn.Module):
        def forward(self, x):
            low = torch.where(x > 0, x, x.round())
            return torch.cat([low, -low], dim=1)

    rows = torch.tensor([[-9.0], [4.0], [-2.0]])
    with caplog.at_level(logging.WARNING, logger="corrigible"):
        found = explain(Stepped(), rows, 0, method="input_gradient", score="target_output")
    assert found.flatten().tolist() == [0, 1, 0]
    assert "0 to every input of row 0 (2 such rows)" in caplog.text and "kernel_shap" in caplog.text


def test_a_cut_in_some_rows_alone_is_told(caplog):
    class HalfDetached(nn.Module):
        def forward(self, x):
            out = torch.cat([x.sum(1, keepdim=True), -x.sum(1, keepdim=True)], dim=1)
            return torch.where(x[:, :1] > 0, out.detach(), out)

    rows = torch.tensor([[1.0, 2.0], [-1.0, 0.5], [2.0, -4.0], [-2.0, 1.0]])
    with caplog.at_level(logging.WARNING, logger="corrigible"):
        explain(HalfDetached(), rows, 0, method="input_gradient", score="target_output")
    assert "0 to every input of row 0 (2 such rows)" in caplog.text


def test_rows_at_rest_among_others_raise_no_doubt(caplog):
    with caplog.at_level(logging.WARNING, logger="corrigible"):
        explain(
            nn.Sequential(nn.ReLU(), nn.Linear(1, 2)), torch.tensor([[-5.0], [3.0], [-1.0]]), 0, method="input_gradient"
        )
    assert caplog.text == ""
