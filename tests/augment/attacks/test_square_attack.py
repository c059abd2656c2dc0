"""The random search against the paper's, written out one row and one input at a time."""

import pytest
import torch
from torch import nn

from corrigible.augment import projected_gradient, square_attack
from corrigible.models.draws import row_uniform


class Quantised(nn.Module):
    """Sees inputs in steps of 1/10: its gradient is 0 everywhere."""

    def __init__(self, inside):
        super().__init__()
        self.inside = inside

    def forward(self, x):
        return self.inside((10 * x).round() / 10)


def margin(model, x, y):
    logits = model(x[None])[0]
    return logits[y] - torch.cat([logits[:y], logits[y + 1 :]]).max()


def share_at(query, queries):
    """Appendix of the paper: 0.8, halved after these of 10,000 queries."""
    return 0.8 / 2 ** sum(query > each * queries / 10_000 for each in (10, 50, 200, 1000, 2000, 4000, 6000, 8000))


def on_an_image(model, x, y, row, epsilon, queries):
    best, (channels, height, width) = x, x.shape
    for query in range(queries):
        moved = best.clone()
        if query == 0:
            signs = row_uniform(torch.tensor([row]), (channels, 1, width), seed=0, name="square_attack/0")[0]
            for channel in range(channels):
                for column in range(width):
                    up = signs[channel, 0, column] < 0.5
                    moved[channel, :, column] = x[channel, :, column] + (epsilon if up else -epsilon)
        else:
            drawn = row_uniform(torch.tensor([row]), (2 + channels,), seed=0, name=f"square_attack/{query}")[0]
            side = min(max(round((share_at(query, queries) * height * width) ** 0.5), 1), height, width)
            top, left = (int(drawn[0] * (height - side + 1)), int(drawn[1] * (width - side + 1)))
            for channel in range(channels):
                square = (channel, slice(top, top + side), slice(left, left + side))
                moved[square] = x[square] + (epsilon if drawn[2 + channel] < 0.5 else -epsilon)
        moved = moved.clamp(0, 1)
        if margin(model, moved, y) < margin(model, best, y):
            best = moved
        if margin(model, best, y) < 0:
            break
    return best


def on_other_inputs(model, x, y, row, epsilon, queries):
    best = x
    for query in range(queries):
        drawn = row_uniform(torch.tensor([row]), (2, len(x)), seed=0, name=f"square_attack/{query}")[0]
        number = len(x) if query == 0 else max(round(share_at(query, queries) * len(x)), 1)
        moved = best.clone()
        for place in sorted(range(len(x)), key=lambda place: drawn[0, place])[:number]:
            moved[place] = x[place] + (epsilon if drawn[1, place] < 0.5 else -epsilon)
        moved = moved.clamp(0, 1)
        if margin(model, moved, y) < margin(model, best, y):
            best = moved
        if margin(model, best, y) < 0:
            break
    return best


@pytest.mark.parametrize("epsilon", [0.01, 0.1])
def test_it_finds_what_the_search_of_the_paper_finds(epsilon):
    torch.manual_seed(0)
    for shape, slowly in (((2, 4, 5), on_an_image), ((6,), on_other_inputs)):
        x = torch.rand(3, *shape).double()
        model = nn.Sequential(nn.Flatten(), nn.Linear(x[0].numel(), 8), nn.Tanh(), nn.Linear(8, 3)).double()
        y = model(x).argmax(1)
        found = square_attack(model, x, y, epsilon=epsilon, queries=25)
        assert not torch.equal(found, x)
        for row in range(3):
            torch.testing.assert_close(found[row], slowly(model, x[row], int(y[row]), row, epsilon, 25))


def test_it_fools_a_network_without_gradients():
    torch.manual_seed(0)
    model = Quantised(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)))
    x = torch.rand(12, 1, 4, 4)
    y = model(x).argmax(1)
    assert torch.equal(model(projected_gradient(model, x, y, epsilon=0.2)).argmax(1), y)
    assert (model(square_attack(model, x, y, epsilon=0.2, queries=60)).argmax(1) != y).float().mean() > 0.5
