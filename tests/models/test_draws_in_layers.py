"""A layer's draws belong to the pass that runs: to its seed, a name and the row alone."""

import threading
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from corrigible.errors import UnsupportedModelError
from corrigible.models.draws import normal_like, row_normal, shared_normal_like
from corrigible.models.forward import Forward
from corrigible.types import Batch


class Noise(nn.Module):
    """Adds draws with a learned size to each activation."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.size = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.size * normal_like(x, name=self.name)


class PerturbedLinear(nn.Linear):
    """One draw of the weights for all rows."""

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight + 0.3 * shared_normal_like(self.weight, name="weight")
        return nn.functional.linear(x, weight, self.bias)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 2, 3), Noise("early"), nn.ReLU(), nn.Flatten(), PerturbedLinear(2 * 3 * 3, 4), Noise("late")
    return nn.Sequential(*layers, nn.Linear(4, 3)).double()


@pytest.fixture
def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(7, 1, 5, 5, dtype=torch.float64, generator=generator)
    return Batch(torch.tensor([4, 0, 11, 3, 8, 2, 6]), x, torch.zeros(7, dtype=torch.long))


def some(batch: Batch, rows: Tensor) -> Batch:
    return replace(batch, index=batch.index[rows], x=batch.x[rows], y=batch.y[rows])


def logits(batch: Batch, seed: int = 0, model: nn.Module | None = None) -> Tensor:
    return Forward((model or network()).double(), batch, seed=seed).logits


def test_order_size_and_company_of_a_batch_change_no_row(batch):
    whole = logits(batch)
    for rows in (torch.tensor([6, 2, 0, 4, 1, 5, 3]), torch.tensor([5, 1]), torch.tensor([3]), torch.tensor([2, 2, 0])):
        torch.testing.assert_close(logits(some(batch, rows)), whole[rows])


def test_the_seed_and_the_index_settle_the_draws(batch):
    assert torch.equal(logits(batch), logits(batch))
    assert not torch.allclose(logits(batch, seed=1), logits(batch))
    assert not torch.allclose(logits(replace(batch, index=batch.index + 20)), logits(batch))


@pytest.mark.parametrize("track_input", [True, False])
def test_a_layer_gets_the_draws_of_its_pass(batch, track_input):
    """Also where the pass is not looked into."""
    forward = Forward(nn.Sequential(Noise("mine"), nn.Flatten()).double(), batch, seed=5, track_input=track_input)
    drawn = row_normal(batch.index, (1, 5, 5), seed=5, name="mine")
    torch.testing.assert_close(forward.logits, (batch.x + 0.5 * drawn).flatten(1))
    assert torch.equal(forward.normal("mine", 1, 5, 5), drawn)


def test_another_name_is_another_draw_and_the_same_name_the_same(batch):
    def differ(first: str, second: str) -> bool:
        found = [logits(batch, model=nn.Sequential(Noise(name), nn.Flatten())) for name in (first, second)]
        return not torch.allclose(*found)

    assert differ("a", "b")
    assert not differ("a", "a")


def test_weights_get_one_draw_for_all_rows_of_a_pass(batch):
    model = nn.Sequential(nn.Flatten(), PerturbedLinear(25, 4))
    same = replace(batch, x=batch.x[:1].expand_as(batch.x))
    found = logits(same, model=model)
    torch.testing.assert_close(found, found[:1].expand_as(found))
    assert not torch.allclose(logits(same, seed=1, model=model), found)


def test_points_of_a_row_share_its_draws(batch):
    model = network()
    beside = Forward(model, batch, seed=3).at(torch.stack([batch.x, batch.x * 2]))
    torch.testing.assert_close(beside.logits[:7], logits(batch, 3, model))
    torch.testing.assert_close(beside.logits[7:], logits(replace(batch, x=batch.x * 2), 3, model))


def test_gradients_reach_what_scales_the_draws_and_what_lies_before_them(batch):
    model = network()
    forward = Forward(model, batch)
    forward.input_gradient(lambda logits, _: logits[:, 0].square(), batch.y).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in (model[0].weight, model[1].size, model[5].size))


def test_outside_of_a_pass_draws_are_from_the_global_generator(batch):
    layer = Noise("mine")
    torch.manual_seed(3)
    expected = batch.x + 0.5 * torch.randn_like(batch.x)
    torch.manual_seed(3)
    torch.testing.assert_close(layer(batch.x), expected)
    torch.manual_seed(3)
    before = torch.randn_like(batch.x)
    torch.manual_seed(3)
    assert torch.equal(shared_normal_like(batch.x, name="mine"), before)


def test_a_pass_neither_uses_nor_moves_the_global_generator(batch):
    model, before = network(), torch.get_rng_state()
    _ = Forward(model, batch).logits
    assert torch.equal(torch.get_rng_state(), before)


def test_after_a_pass_inside_another_the_outer_goes_on(batch):
    class Nested(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.noise = Noise("mine")

        def forward(self, x: Tensor) -> Tensor:
            before = self.noise(x)
            inner = Forward(self.noise, replace(batch, x=x.flatten(1)), seed=9).logits
            return torch.cat([before.flatten(1), inner, self.noise(x).flatten(1)], dim=1)

    before, inner, after = logits(batch, model=Nested()).split(25, dim=1)
    assert torch.equal(before, after)
    assert not torch.allclose(before, inner)


def test_a_pass_ends_with_an_error(batch):
    class Failing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        logits(batch, model=Failing())
    torch.manual_seed(3)
    expected = torch.randn_like(batch.x)
    torch.manual_seed(3)
    assert torch.equal(normal_like(batch.x, name="mine"), expected)


def test_two_threads_with_passes_over_one_model_do_not_see_each_other(batch):
    together, found = threading.Barrier(2, timeout=20), {}

    class Meeting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            together.wait()  # Both passes have begun, and neither has ended.
            drawn = normal_like(x, name="mine")
            together.wait()
            return drawn

    model = nn.Sequential(Meeting(), Meeting(), nn.Flatten())

    def run(seed: int) -> None:
        forward = Forward(model, some(batch, torch.arange(7 - seed)), seed=seed)
        found[seed] = forward.logits, forward.activation("0").flatten(1)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in (1, 2):
        drawn = row_normal(batch.index[: 7 - seed], (25,), seed=seed, name="mine")
        assert all(torch.equal(values, drawn) for values in found[seed])


def test_rows_that_are_not_those_of_the_pass_are_refused(batch):
    model = nn.Sequential(nn.Flatten(0, 1), Noise("mine"))
    with pytest.raises(UnsupportedModelError, match=r"'mine' .* 14 rows in a pass of 7"):
        logits(replace(batch, x=batch.x.repeat(1, 2, 1, 1)), model=model)


def test_what_watches_the_model_s_functions_does_not_see_how_draws_are_made(batch):
    class Watching(TorchFunctionMode):
        def __init__(self) -> None:
            super().__init__()
            self.names = set()

        def __torch_function__(self, function, types, args=(), kwargs=None):
            self.names.add(getattr(function, "__name__", ""))
            return function(*args, **(kwargs or {}))

    model = nn.Sequential(Noise("mine"), PerturbedLinear(5, 5), nn.Flatten()).double()
    with Watching() as watching:
        _ = Forward(model, batch).logits
    assert "linear" in watching.names
    assert not watching.names & {"log_", "cos", "sin_", "sqrt_", "bitwise_xor_"}
