"""The norm of the Jacobian's columns, against PyTorch's own Jacobian, and its path through training."""

import pytest
import torch
from torch import nn

import corrigible
from corrigible.batches import label_batches
from corrigible.errors import DataError, UnsupportedModelError
from corrigible.explanations.summaries import amplification
from corrigible.types import Columns

X = torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
COLUMNS = Columns(("age", "site=a", "site=b", "dose"), ("age", "site", "site", "dose"), (False, True, True, False))


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 2)).double()


def columns_of_the_jacobian(part):
    """(row, unit, input)."""
    return torch.stack([torch.autograd.functional.jacobian(part, row) for row in X])


def test_it_is_the_norm_of_the_jacobian_s_columns_averaged_over_rows():
    model = net()
    for rows_at_once in (None, 3):
        found = amplification(model, X, rows_at_once=rows_at_once).of
        assert list(found) == ["1", "3"]
        for layer, part in (("1", model[:2]), ("3", model[:4])):
            expected = columns_of_the_jacobian(part).square().sum(dim=1).sqrt().mean(dim=0)
            torch.testing.assert_close(found[layer], expected)


def test_a_category_is_amplified_by_how_its_columns_differ():
    model = net()
    jacobian = columns_of_the_jacobian(model[:2])
    site = jacobian[:, :, 1:3] - jacobian[:, :, 1:3].mean(dim=2, keepdim=True)
    found = amplification(model, X, layers=["1"], columns=COLUMNS).of["1"]
    torch.testing.assert_close(found[1], site.square().sum(dim=(1, 2)).sqrt().mean())
    torch.testing.assert_close(found[2], jacobian[:, :, 3].square().sum(dim=1).sqrt().mean())
    with torch.no_grad():
        model[0].weight[:, 1:3] += 7.0  # The same for both columns: nothing that a valid row could show.
    weight = model[0].weight.detach()[:, 1:3]
    differs = (weight - weight.mean(dim=1, keepdim=True)).norm()
    torch.testing.assert_close(amplification(model, X, layers=["0"], columns=COLUMNS).of["0"][1], differs)


def test_the_correlation_is_spearman_s_by_layer():
    found = amplification(net(), X)
    order = found.of["1"].argsort().argsort().double() + 1
    same, opposite = found.correlation(order[None]), found.correlation(1 / order[None])
    assert same["1"] == pytest.approx(1) and opposite["1"] == pytest.approx(-1)
    ranks = [values.argsort().argsort().double() for values in found.of.values()]
    distance = (ranks[0] - ranks[1]).square().sum().item()
    assert same["3"] == pytest.approx(1 - 6 * distance / (4 * 15))
    with pytest.raises(DataError, match="attributions of 3 features; expected 4"):
        found.correlation(torch.randn(2, 3))


def test_followed_between_epochs_the_input_that_tells_the_label_is_amplified_more_and_more():
    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(1))
    data = corrigible.TensorData(x, (x[:, 0] > 0).long())
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    followed = [amplification(model, x[:50]).of["1"]]
    for _ in corrigible.fit(model, label_batches(data, 20, 0), optimizer=optimizer, epochs=8):
        followed.append(amplification(model, x[:50]).of["1"])
    assert followed[-1][0] > 1.5 * followed[0][0]
    assert followed[-1].argmax() == 0
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(plain.parameters(), lr=0.01)
    list(corrigible.fit(plain, label_batches(data, 20, 0), optimizer=optimizer, epochs=8))
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), model.parameters(), strict=True))


def test_layers_with_too_many_values_are_refused():
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 576, 2))
    with pytest.raises(UnsupportedModelError, match=r"layer '1' gives 4,608 values per row; expected at most 4,096"):
        amplification(model, torch.randn(2, 1, 24, 24))
