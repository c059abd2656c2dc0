"""Slack et al. 2020: a model that shows a harmless face off the data fools explainers that look there."""

import pytest
import torch

from corrigible.explanations import explain

SENSITIVE, HARMLESS = 0, 1


def people(count, seed):
    """A sensitive column, and a harmless one that stands there four times."""
    generator = torch.Generator().manual_seed(seed)
    sensitive = torch.randint(2, (count, 1), generator=generator).double() * 2 - 1
    harmless = torch.randn(count, 1, generator=generator, dtype=torch.float64)
    return torch.cat([sensitive, harmless.expand(-1, 4)], dim=1)


def attacked(x):
    is_real = x[:, 1:].amax(dim=1) - x[:, 1:].amin(dim=1) < 0.5
    return torch.where(is_real, x[:, SENSITIVE] > 0, x[:, HARMLESS] > 0).double()


def share_that_names(column, method, absent):
    found = explain(attacked, people(40, seed=1), method=method, background=people(100, seed=2), absent=absent)
    return (found.abs().argmax(1) == column).double().mean().item()


@pytest.mark.parametrize("method", ["lime", "kernel_shap", "exact_shapley"])
def test_only_filling_in_that_stays_on_the_data_finds_what_the_attack_hides(method):
    x = people(40, seed=1)
    assert torch.equal(attacked(x), (x[:, SENSITIVE] > 0).double())
    assert share_that_names(SENSITIVE, method, "conditional") > 0.9
    for absent in ("marginal", "independent"):
        assert share_that_names(SENSITIVE, method, absent) < 0.5
        assert share_that_names(HARMLESS, method, absent) > 0.5
