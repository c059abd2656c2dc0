"""The divergence of the weights from their prior, over the number of training rows."""

import pytest
import torch
from torch import nn
from torch.distributions import Normal
from torch.distributions import kl_divergence as of_distributions

from corrigible.data.dataset import as_dataset
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.feedback.masks import marks_of
from corrigible.models.bayes import bayesian
from corrigible.models.forward import Forward
from corrigible.objective import terms_of, warm_up
from corrigible.penalties import PENALTIES
from corrigible.protocols.schedule import Schedule, run
from corrigible.protocols.training_facts import Known, provided
from corrigible.types import Batch

kl_divergence = PENALTIES["kl_divergence"]


def network() -> nn.Module:
    torch.manual_seed(0)
    return bayesian(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).double(), prior_std=0.7)


def rows(num_rows: int = 6) -> Batch:
    torch.manual_seed(1)
    return Batch(torch.arange(num_rows), torch.randn(num_rows, 4).double(), torch.arange(num_rows) % 2)


def test_is_the_sum_over_all_weights_by_torch_distributions_over_the_rows():
    model, batch = network(), rows()
    prior = Normal(torch.zeros(()).double(), 0.7)
    layers = model[0], model[2]
    whole = sum(of_distributions(Normal(n.weight, n.weight_log_std.exp()), prior).sum() for n in layers)
    found = kl_divergence(Forward(model, batch), batch, num_rows=50, temperature=0.1)
    torch.testing.assert_close(found, whole * 0.1 / 50)


def test_the_number_of_training_rows_is_filled_in_and_must_not_be_missing():
    model, batch = network(), rows()
    data = as_dataset((batch.x, batch.y))
    (term,) = provided(terms_of({"kl_divergence": 1.0}), Known(model, data, marks_of([], data), 0))
    part = Batch(batch.index[:2], batch.x[:2], batch.y[:2])
    expected = kl_divergence(Forward(model, batch), batch, num_rows=6)
    torch.testing.assert_close(term.value(Forward(model, part), part), expected)
    with pytest.raises(RecipeError, match="num_rows is None; expected the number of training rows"):
        kl_divergence(Forward(model, batch), batch)
    with pytest.raises(RecipeError, match="temperature is -1"):
        kl_divergence(Forward(model, batch), batch, num_rows=6, temperature=-1.0)
    with pytest.raises(UnsupportedModelError, match="bayesian"):
        kl_divergence(Forward(nn.Linear(4, 2).double(), batch), batch, num_rows=6)


def test_a_weight_can_rise_over_the_first_epochs():
    weight = warm_up(4, to=2.0)
    assert [weight(epoch) for epoch in range(6)] == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]
    with pytest.raises(ValueError, match="epochs is 0"):
        warm_up(0)
    batch = rows()
    penalties = {"kl_divergence": {"weight": warm_up(2), "num_rows": 6}}
    epochs = list(run(network(), as_dataset((batch.x, batch.y)), Schedule(epochs=2), penalties=penalties))
    assert epochs[0].penalties["kl_divergence"] > 0


def test_without_labels_that_teach_training_leads_to_the_prior():
    model, batch = network(), rows()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        kl_divergence(Forward(model, batch), batch, num_rows=1).backward()
        optimizer.step()
    found = [(layer.weight, layer.weight_log_std.exp()) for layer in (model[0], model[2])]
    assert max(mean.abs().max().item() for mean, _ in found) < 1e-3
    assert max((std - 0.7).abs().max().item() for _, std in found) < 1e-3
