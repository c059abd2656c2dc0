"""A row's outputs are its own: models that draw or mix rows are found, and no other model is."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from corrigible.errors import DataError, UnsupportedModelError
from corrigible.models import lenet, normal_like
from corrigible.models.own_outputs import require_own_outputs, spread_rows

X = torch.randn(9, 6, generator=torch.Generator().manual_seed(3))

OWN = torch.Generator().manual_seed(0)


class Then(nn.Module):
    """A network with a function of its hidden values, of shape (batch, 8), before the last layer."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(1)
        self.first, self.last, self.function = nn.Linear(6, 8), nn.Linear(8, 2), function

    def forward(self, x):
        return self.last(self.function(self.first(x).tanh()))


def batch_attention(h):
    return (h @ h.T).softmax(1) @ h


MIXES = {
    "standardised": lambda h: (h - h.mean(0)) / h.std(0, correction=0),
    "centred": lambda h: h - h.mean(0),
    "attention over the batch": batch_attention,
    "the row before": lambda h: h + h.roll(1, 0),
    "sums so far": lambda h: h.cumsum(0),
    "place in the batch": lambda h: h + torch.arange(len(h))[:, None],
    "scaled by the largest of the batch": lambda h: h / h.abs().max(),
    "sorted": lambda h: h.sort(0).values,
}
RANDOM = {
    "dropout": F.dropout,
    "rare dropout": lambda h: F.dropout(h, 0.01),
    "noise": lambda h: h + torch.randn_like(h),
    "little noise": lambda h: h + 1e-3 * torch.randn_like(h),
    "one draw": lambda h: h * torch.rand(()),
    "a generator of its own": lambda h: h + torch.randn(h.shape, generator=OWN),
}
APART = {
    "nothing": lambda h: h,
    "layer norm": lambda h: F.layer_norm(h, (8,)),
    "dropout that follows the mode": nn.Dropout(0.5),
    "batch norm": nn.BatchNorm1d(8),
    "draws without effect": lambda h: (torch.randn_like(h), h)[1],
    "draws of rows": lambda h: h + normal_like(h, name="h"),
    "the same everywhere": torch.zeros_like,
    "NaN": lambda h: h * torch.nan,
    "bfloat16 inside": lambda h: (h.bfloat16() @ torch.eye(8).bfloat16()).float(),
    "in place": lambda h: h.add_(1),
}


@pytest.mark.parametrize("name", MIXES)
@pytest.mark.parametrize("rows", [9, 2])
def test_rows_that_mix_are_refused(name, rows):
    with pytest.raises(UnsupportedModelError, match="the model mixes rows"):
        require_own_outputs(Then(MIXES[name]), X[:rows])


@pytest.mark.parametrize("name", ["standardised", "attention over the batch", "scaled by the largest of the batch"])
def test_rows_that_mix_are_refused_of_a_single_row(name):
    with pytest.raises(UnsupportedModelError, match="the model mixes rows"):
        require_own_outputs(Then(MIXES[name]), X[:1])


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("rows", [9, 1])
def test_random_outputs_are_refused(name, rows):
    with pytest.raises(UnsupportedModelError, match=r"the model is random.*self\.training.*normal_like"):
        require_own_outputs(Then(RANDOM[name]), X[:rows])


@pytest.mark.parametrize("name", APART)
@pytest.mark.parametrize("rows", [9, 1])
def test_rows_of_their_own_pass_and_nothing_is_changed(name, rows):
    model, state, before = Then(APART[name]).train(), torch.get_rng_state(), X.clone()
    buffers = [buffer.clone() for buffer in model.buffers()]
    require_own_outputs(model, X[:rows])
    assert all(module.training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(X, before)
    assert all(torch.equal(a, b) for a, b in zip(buffers, model.buffers(), strict=True))


def test_convolutions_in_half_precision_pass():
    torch.manual_seed(2)
    x = torch.rand(6, 1, 28, 28)
    for dtype in (torch.float32, torch.bfloat16):
        require_own_outputs(lenet(1, 3).to(dtype), x)


def test_a_model_that_takes_one_row_passes_with_one_row():
    class OneRow(nn.Linear):
        def forward(self, x):
            return super().forward(x.reshape(1, 6))

    require_own_outputs(OneRow(6, 2), X[:1])
    require_own_outputs(OneRow(6, 2), X, rows_at_once=1)


def test_one_row_of_outputs_for_many_is_refused():
    with pytest.raises(DataError, match="gives 1 row of scores for 4 rows"):
        require_own_outputs(Then(lambda h: h.mean(0, keepdim=True)), X)


def test_a_model_is_checked_once_for_its_weights():
    calls = []
    model = Then(lambda h: (calls.append(len(h)), h)[1])
    require_own_outputs(model, X)
    assert max(calls) == 4 and sum(calls) < 20
    counted = len(calls)
    require_own_outputs(model, X[:5])
    assert len(calls) == counted
    with torch.no_grad():
        model.last.weight.mul_(2)
    require_own_outputs(model, X)
    assert len(calls) > counted


def test_no_more_rows_run_together_than_may():
    calls = []
    require_own_outputs(Then(lambda h: (calls.append(len(h)), h)[1]), X, rows_at_once=3)
    assert max(calls) == 3


def test_spread_rows_begin_and_end():
    assert spread_rows(10).tolist() == [0, 3, 6, 9]
    assert spread_rows(2).tolist() == [0, 1]
    assert spread_rows(10, 2).tolist() == [0, 9]
