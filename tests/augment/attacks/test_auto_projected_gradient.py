"""Auto-PGD against Algorithm 1 of the paper, written out row by row."""

import math
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from torch import nn

from corrigible.augment import auto_projected_gradient, projected_gradient
from corrigible.augment.attacks.auto_projected_gradient import _ends_of_stages


def network():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def rows(num_rows=4):
    with torch.random.fork_rng():
        torch.manual_seed(4)
        x = torch.rand(num_rows, 5).double()
    return x, network()(x).argmax(1)


def loss_of(model, x, y, name):
    logits = model(x[None])[0]
    others = torch.cat([logits[:y], logits[y + 1 :]])
    return (others.logsumexp(0) if name == "cross_entropy" else others.max()) - logits[y]


def paper(model, x, y, epsilon, steps, name):
    """-> the point of the largest loss, as Algorithm 1 finds it; f(x_max) is that of the start until a step."""

    def looked_at(point):
        point = point.detach().requires_grad_()
        value = loss_of(model, point, y, name)
        return value.item(), torch.autograd.grad(value, point)[0]

    def projected(point):
        return point.clamp(x - epsilon, x + epsilon).clamp(0, 1)

    parts = [Fraction(0), Fraction("0.22")]
    while parts[-1] <= 1:
        parts.append(parts[-1] + max(parts[-1] - parts[-2] - Fraction("0.03"), Fraction("0.06")))
    checkpoints = [math.ceil(part * steps) for part in parts if part <= 1]
    points, (value, gradient) = [x], looked_at(x)
    values, best, best_value, best_gradient, size = [value], x, value, gradient, 2 * epsilon
    at_checkpoint = [(None, None)]
    for k in range(1, steps + 1):
        further = projected(points[-1] + size * gradient.sign())
        if k == 1:
            moved = further
        else:
            moved = projected(points[-1] + 0.75 * (further - points[-1]) + 0.25 * (points[-1] - points[-2]))
        before = points[-1]
        value, gradient = looked_at(moved)
        if value > best_value:
            best, best_value, best_gradient = moved, value, gradient
        points, values = [before, moved], [*values, value]
        if k in checkpoints:
            since = k - checkpoints[checkpoints.index(k) - 1]
            stage = values[-since - 1 :]
            few = sum(later > earlier for earlier, later in pairwise(stage)) < 0.75 * since
            stuck = at_checkpoint[-1] == (size, best_value)
            at_checkpoint.append((size, best_value))
            if few or stuck:
                size, gradient, points, values[-1] = size / 2, best_gradient, [before, best], best_value
    return best


@pytest.mark.parametrize("name", ["cross_entropy", "margin"])
def test_it_finds_what_the_algorithm_of_the_paper_finds(name):
    model, (x, y) = network(), rows()
    for epsilon, steps in ((0.02, 1), (0.02, 12), (0.05, 30)):
        found = auto_projected_gradient(model, x, y, epsilon=epsilon, steps=steps, loss=name)
        for row in range(len(x)):
            expected = paper(model, x[row], int(y[row]), epsilon, steps, name)
            if int(model(found[row : row + 1]).argmax()) == y[row]:
                torch.testing.assert_close(found[row], expected)


def test_stages_end_where_the_paper_says():
    assert sorted(_ends_of_stages(100)) == [22, 41, 57, 70, 80, 87, 93, 99]


def test_a_row_that_was_fooled_stops_and_one_that_is_wrong_stays():
    model, (x, y) = network(), rows(12)
    y[0] = (y[0] + 1) % 3
    found = auto_projected_gradient(model, x, y, epsilon=0.5, steps=30)
    assert torch.equal(found[0], x[0])
    fooled = model(found).argmax(1) != y
    assert bool(fooled[1:].any())
    more = auto_projected_gradient(model, x, y, epsilon=0.5, steps=30, restarts=3)
    assert torch.equal(more[fooled], found[fooled])


def test_with_as_many_steps_it_harms_at_least_as_much_as_fixed_steps_do():
    model, (x, y) = network(), rows(12)
    means = [
        torch.stack([loss_of(model, row, int(label), "margin") for row, label in zip(moved, y, strict=True)]).mean()
        for moved in (
            auto_projected_gradient(model, x, y, epsilon=0.02, steps=10, loss="margin"),
            projected_gradient(model, x, y, epsilon=0.02, steps=10, loss="margin"),
        )
    ]
    assert means[0] >= means[1] - 1e-9
