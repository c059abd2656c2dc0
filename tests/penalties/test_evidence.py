"""Feedback as evidence, written out slowly."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal
from torch.nn.functional import cross_entropy

from corrigible.data.dataset import as_dataset
from corrigible.data.decoys import corner_mask
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.feedback.masks import marks_of
from corrigible.models import alexnet, lenet, table_mlp, text_bag, text_cnn
from corrigible.models.bayes import bayesian, bayesian_layers
from corrigible.models.draws import coarse_row_normal
from corrigible.models.forward import Forward
from corrigible.objective import terms_of
from corrigible.penalties import PENALTIES
from corrigible.protocols.training_facts import Known, provided
from corrigible.types import Batch, Feedback, Pixels

no_change_evidence, zero_activation_evidence = (
    PENALTIES[name] for name in ("no_change_evidence", "zero_activation_evidence")
)
ROWS = {"num_rows": 100, "num_reviewed": 5}


def spread(model: nn.Module) -> nn.Module:
    model = bayesian(model.double(), prior_std=1.0)
    for _, layer in bayesian_layers(model):
        nn.init.uniform_(layer.weight_log_std, -2.0, -1.0)
    return model


def table() -> tuple[nn.Module, Batch]:
    torch.manual_seed(0)
    model = spread(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Dropout(0.5), nn.Linear(3, 2)))
    irrelevant = torch.zeros(5, 4, dtype=torch.bool)
    irrelevant[:, 0] = True
    irrelevant[1, 2] = True
    return model, Batch(torch.arange(5), torch.randn(5, 4).double(), torch.arange(5) % 2, irrelevant)


def test_is_minus_the_expected_log_density_of_no_change_over_drawn_weights():
    """Brute force: the change is computed with 20,000 draws of the weights."""
    model, batch = table()
    donor = torch.randn(1, 4).double()
    found = no_change_evidence(Forward(model, batch), batch, donors=donor, noise=0.2, **ROWS)
    changed = torch.where(batch.irrelevant, donor, batch.x)
    size = 0.2 * model[0].moments(batch.x)[0].std(correction=0)
    draws = torch.randn(20_000, 3, 4).double() * model[0].weight_log_std.exp() + model[0].weight
    change = torch.einsum("dui,ri->dru", draws, batch.x - changed)
    observed = Normal(change, size).log_prob(torch.zeros(()).double()) + size.log() + math.log(2 * math.pi) / 2
    torch.testing.assert_close(found, -observed.sum(2).mean() * 5 / 100, rtol=0.02, atol=0)


def test_reviewed_rows_may_stand_for_all_rows():
    model, batch = table()
    how = {"donors": torch.randn(1, 4).double(), **ROWS}
    counted, standing = (
        no_change_evidence(Forward(model, batch), batch, scope=scope, **how) for scope in ("row", "dataset")
    )
    torch.testing.assert_close(standing, counted * 100 / 5)


def test_a_later_layer_is_seen_with_the_layers_before_at_their_means():
    model, batch = table()
    donor = torch.randn(1, 4).double()
    found = no_change_evidence(Forward(model, batch), batch, layers=["3"], donors=donor, **ROWS)
    hidden = [
        (x @ model[0].weight.T + model[0].bias).relu() for x in (batch.x, torch.where(batch.irrelevant, donor, batch.x))
    ]
    mean = (hidden[0] - hidden[1]) @ model[3].weight.T
    variance = (hidden[0] - hidden[1]).square() @ (2 * model[3].weight_log_std).exp().T
    size = 0.1 * (hidden[0] @ model[3].weight.T + model[3].bias).std(correction=0)
    torch.testing.assert_close(found, ((mean**2 + variance) / (2 * size**2)).sum(1).mean() * 5 / 100)


def test_is_zero_exactly_when_the_marked_inputs_change_nothing():
    model, batch = table()
    with torch.no_grad():
        model[0].weight[:, [0, 2]] = 0
        model[0].weight_log_std[:, [0, 2]] = -math.inf
    assert no_change_evidence(Forward(model.train(), batch), batch, **ROWS) == 0


class SmallTransformer(nn.Module):
    """Words that are embedded, attend to each other, and are averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(6, 8)
        self.attending = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
        self.classifier = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.attending(self.embedding(x)).mean(dim=1))


ARCHITECTURES = {
    "table": (lambda: table_mlp(6, 2, hidden=[8]), (6,)),
    "text bag": (lambda: text_bag(6, 2, hidden=[8, 8]), (5, 6)),
    "text cnn": (lambda: text_cnn(6, 2, filters=4), (5, 6)),
    "transformer": (SmallTransformer, (5, 6)),
    "lenet": (lenet, (1, 28, 28)),
    "alexnet": (lambda: alexnet(1, 2, width=4, hidden=8), (1, 9, 9)),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.every(3)
def test_following_it_makes_marked_inputs_change_less_of_what_other_networks_predict(name):
    build, shape = ARCHITECTURES[name]
    torch.manual_seed(0)
    model, x = bayesian(build(), prior_std=1.0), torch.randn(16, *shape)
    marked = torch.zeros(16, *shape, dtype=torch.bool)
    marked[:, 0] = True
    if shape == (5, 6):  # One word of its own, or its opposite.
        x[..., 0] = 0
        x[:, 0] = 3 * torch.eye(6)[0] * (-1.0) ** torch.arange(16)[:, None]
    if len(shape) == 3:
        marked = torch.zeros_like(marked)
        marked[..., : shape[1] // 2, :] = True
    batch = Batch(torch.arange(16), x, torch.arange(16) % 2, marked)
    changed = torch.where(marked, x.roll(1, 0), x)

    def moved() -> float:
        with torch.no_grad():
            model.eval()
            found = (model(changed) - model(x)).square().mean().sqrt() / model(x).std()
            model.train()
        return float(found)

    with torch.no_grad():
        for _ in range(30):  # Statistics of batch normalisation.
            model(x)
    before = moved()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(40):
        optimizer.zero_grad()
        no_change_evidence(Forward(model, batch), batch, num_rows=16, num_reviewed=16).backward()
        optimizer.step()
    assert moved() < before / 3


def test_the_literal_form_is_the_label_and_the_density_at_zero():
    torch.manual_seed(1)
    model = spread(nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)))
    irrelevant = torch.zeros(2, 1, 3, 3, dtype=torch.bool)
    irrelevant[0, 0, 0, 0] = True
    batch = Batch(torch.tensor([4, 9]), torch.randn(2, 1, 3, 3).double(), torch.tensor([2, 1]), irrelevant)
    found = zero_activation_evidence(Forward(model.train(), batch, seed=3), batch, **ROWS)
    x, y = batch.x[:1], batch.y[:1]
    mean, variance = model[0].moments(x)
    drawn = mean + variance.sqrt() * coarse_row_normal(batch.index[:1], (2, 2, 2), seed=3, name="activations/0")
    counts = torch.zeros_like(mean, dtype=torch.bool)
    counts[:, :, 0, 0] = drawn[:, :, 0, 0] > 0  # Others have no influence on any output.
    density = sum(
        -Normal(mean[place], variance[place].sqrt()).log_prob(torch.zeros(()).double())
        for place in map(tuple, counts.nonzero().tolist())
    )
    last_mean, last_variance = model[3].moments(torch.where(counts, 0.0, drawn).relu().flatten(1))
    noise = coarse_row_normal(batch.index[:1], (3,), seed=3, name="activations/3")
    label = cross_entropy(last_mean + last_variance.sqrt() * noise, y)
    torch.testing.assert_close(found, (label + density) * 5 / 100)


def test_corrections_fill_in_how_many_rows_there_are():
    model, batch = table()
    with pytest.raises(RecipeError, match="num_rows=None"):
        no_change_evidence(Forward(model, batch), batch)
    data = as_dataset((torch.randn(7, 1, 3, 3), torch.arange(7) % 2))
    corner = Pixels(corner_mask((3, 3), corners=(0,), size=1).numpy())
    said = [Feedback(corner, row=row) for row in (2, 5)]
    marks = marks_of(said, data)
    (term,) = provided(terms_of({"no_change_evidence": 1.0}), Known(model, data, marks, 0))
    assert (term.method.settings["num_rows"], term.method.settings["num_reviewed"]) == (7, 2)


def test_a_network_without_a_distribution_or_layer_is_refused():
    model, batch = table()
    with pytest.raises(UnsupportedModelError, match="no Bayesian layer '1'; this model has 0, 3"):
        no_change_evidence(Forward(model, batch), batch, layers=["1"], **ROWS)
    with pytest.raises(UnsupportedModelError, match="bayesian"):
        no_change_evidence(Forward(nn.Linear(4, 2).double(), batch), batch, **ROWS)
