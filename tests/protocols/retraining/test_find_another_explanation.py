"""Find another explanation: as many models as the data hold cues, each from other inputs."""

import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import RecipeError
from corrigible.protocols.retraining.find_another_explanation import (
    Explanation,
    Search,
    find_another_explanation,
    finding_explanations,
    relied_on,
)
from corrigible.protocols.schedule import Schedule
from corrigible.training import Epoch

NOISE = torch.randn(150, 5, generator=torch.Generator().manual_seed(0))
Y = torch.arange(150) % 2
SIGN = 2.0 * Y - 1
SCHEDULE = Schedule(epochs=10, batch_size=30, learning_rate=0.02)
SEARCH = Search(scope="dataset", share=0.5, weight=30.0)


def cues(*columns: int) -> torch.Tensor:
    """Noise, with columns that each predict the label; the first tells it loudest."""
    x = 0.5 * NOISE.clone()
    for place, column in enumerate(columns):
        x[:, column] += (4.0 - 2 * place) * SIGN
    return x


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(5, 6), nn.SiLU(), nn.Linear(6, 2))


@pytest.mark.parametrize("columns", [(1,), (1, 3)])
def test_counts_the_cues_and_says_where_they_are(columns):
    found = find_another_explanation(network(), (cues(*columns), Y), search=SEARCH, schedule=SCHEDULE)
    assert found.count == len(columns)
    assert len(found.masks) == len(columns)
    for mask, column in zip(found.masks, columns, strict=True):
        assert mask.shape == (120, 5)
        assert mask[:, column].all()
    if len(columns) == 2:
        assert not found.masks[1][:, 1].any()


def test_is_told_as_it_goes_and_leaves_the_model_and_the_random_state_alone():
    model = network()
    before, state = [p.clone() for p in model.parameters()], torch.get_rng_state()
    search = Search(scope="dataset", share=0.5, most=2, weight=3.0)
    told = list(finding_explanations(model, (cues(1), Y), search=search, schedule=Schedule(epochs=2)))
    assert [type(record) for record in told] == [Epoch, Epoch, Explanation] * 2
    assert [record.weight for record in told if isinstance(record, Explanation)] == [0.0, 3.0]
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_same_seed_finds_the_same():
    search = Search(most=2, weight=1.0)
    one, two = (
        find_another_explanation(network(), (cues(1), Y), search=search, schedule=Schedule(epochs=2)) for _ in "ab"
    )
    assert one.accuracies == two.accuracies
    assert all(torch.equal(a, b) for a, b in zip(one.masks, two.masks, strict=True))


def unlabelled(x: torch.Tensor) -> TensorData:
    return TensorData(x, torch.zeros(len(x), dtype=torch.long))


def test_relied_on_is_above_a_share_of_the_largest_gradient():
    model = nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, -2.0, 1.0, 0.0]]))
    x = torch.ones(2, 4)
    for share, expected in ((0.9, 1), (0.6, 2), (0.3, 3), (0.0, 3)):
        for scope in ("row", "dataset"):
            assert relied_on(model, unlabelled(x), share=share, scope=scope).sum(dim=1).tolist() == [expected] * 2


def test_rows_rely_on_their_own_inputs_and_a_pixel_goes_with_all_channels():
    class Larger(nn.Module):
        def forward(self, x):
            z = x.flatten(1).amax(dim=1)
            return torch.stack([0 * z, z], dim=1)

    x = torch.zeros(2, 2, 1, 3)
    x[0, 0, 0, 0] = x[1, 1, 0, 2] = 1.0
    found = relied_on(Larger(), unlabelled(x), share=0.5, scope="row")
    assert torch.equal(found[:, 0], found[:, 1])
    assert found[:, 0, 0].tolist() == [[True, False, False], [False, False, True]]


def test_settings_out_of_range_are_refused():
    for wrong in ({"share": 1.5}, {"most": 0}, {"tolerance": -1.0}, {"weight": -1.0}):
        with pytest.raises(RecipeError, match=next(iter(wrong))):
            Search(**wrong)
