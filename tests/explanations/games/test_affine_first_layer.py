"""What is gained where a network begins with a linear layer: time and memory, not other numbers."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from corrigible.explanations import explain
from literal_games import Wrapped, rows


class Largest(TorchDispatchMode):
    """Watches how many numbers the largest tensor holds."""

    numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **kwargs or {})
        self.numbers = max([self.numbers, *(made.numel() for made in tree_leaves(out) if isinstance(made, Tensor))])
        return out


def largest_of(model, x, **settings):
    with Largest() as largest:
        explain(model, x, 1, **settings)
    return largest.numbers


def net(inputs, hidden):
    return nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, 3)).double()


def test_no_changed_row_is_ever_made():
    model, x, groups = net(300, 4), rows(8, 300), torch.arange(300) // 50
    settings = {"method": "exact_shapley", "groups": groups, "rows_at_once": 1000}
    changed = 8 * 2**6 * 300
    assert largest_of(Wrapped(model), x, **settings) >= changed
    assert largest_of(model, x, **settings) < changed / 10


@pytest.mark.parametrize("method", ["feature_ablation", "permutation_shapley"])
def test_many_groups_take_no_more_memory_than_the_rows_at_once(method):
    settings = {"method": method, "rows_at_once": 64, **({"samples": 1} if method != "feature_ablation" else {})}
    assert largest_of(net(64, 100), rows(8, 64), **settings) <= 2 * 64 * 100
