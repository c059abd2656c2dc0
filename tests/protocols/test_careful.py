"""Steps of a correction: small at first and in the end, and never further than a gradient of norm 1 leads."""

from types import SimpleNamespace

import pytest
import torch

from corrigible.protocols.careful import MOST_GRADIENT, WARM_UP, careful_step, share_of_rate
from corrigible.protocols.schedule import Schedule


def moves(slope: float, num_steps: int) -> tuple[torch.Tensor, torch.optim.Optimizer]:
    """How far each step of plain descent at rate 1 goes on a plane of this slope."""
    place = torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))
    optimizer = torch.optim.SGD([place], lr=1.0)
    step, found = careful_step(num_steps), []
    for _ in range(num_steps):
        before = place.detach().clone()
        step(optimizer, lambda: SimpleNamespace(total=slope * place.sum() / 2))
        found.append(float((place.detach() - before).norm()))
    return torch.tensor(found), optimizer


@pytest.mark.parametrize("slope", [0.1, 1.0, 1000.0])
def test_a_step_follows_the_gradient_as_far_as_its_norm_is_allowed(slope):
    found, optimizer = moves(slope, 40)
    share = torch.tensor([share_of_rate(done, 40) for done in range(40)])
    torch.testing.assert_close(found, share * min(slope, MOST_GRADIENT), rtol=1e-4, atol=0)
    assert [group["lr"] for group in optimizer.param_groups] == [1.0]


@pytest.mark.parametrize("num_steps", [40, 1000])
def test_the_rate_goes_up_and_then_down_to_nothing(num_steps):
    share = torch.tensor([share_of_rate(done, num_steps) for done in range(num_steps)])
    top = int(share.argmax())
    assert abs(top + 1 - WARM_UP * num_steps) <= 1
    assert bool((share[: top + 1].diff() > 0).all())
    assert bool((share[top:].diff() < 0).all())
    assert share[-1] < 0.02 * share.max()
    assert share.min() >= 0
    assert share_of_rate(num_steps + 5, num_steps) == 0


@pytest.mark.parametrize("num_steps", [1, 2])
def test_a_run_of_hardly_any_steps_still_moves(num_steps):
    assert all(share_of_rate(done, num_steps) > 0 for done in range(num_steps))


def test_each_run_begins_anew():
    assert torch.equal(moves(1.0, 10)[0], moves(1.0, 10)[0])


@pytest.mark.parametrize(
    ("num_rows", "given", "expected"),
    [(10_000, None, 64), (500, None, 32), (60, None, 16), (3, None, 16), (3, 64, 64), (10_000, 7, 7)],
)
def test_little_data_is_seen_in_smaller_batches_unless_their_size_is_given(num_rows, given, expected):
    assert Schedule(batch_size=given).rows_per_step(num_rows) == expected
