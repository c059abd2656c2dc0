"""What draws for a network's activations cost: medians of alternating turns in one process, over a plain step.

    python benchmarks/draws.py

Processor time, LeNet, one thread. Draws alone are made for the outputs of both convolutions; a step with draws is one
in which a layer behind each convolution adds them. Two other ways are measured beside them: PyTorch's global generator,
whose draws belong to a place in the batch, and two words of 64 bits for each number, in NumPy. Writes
benchmarks/results/draws.json.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from math import prod

import numpy as np
import torch
from runner import Row, Unit, measure, options
from torch import Tensor, nn

from corrigible.losses import cross_entropy
from corrigible.models import lenet
from corrigible.models.draws import normal_like, row_normal, row_uniform
from corrigible.objective import objective_of
from corrigible.training import plain_step
from corrigible.types import Batch

BATCHES, STEPS, WARM_UP = (64, 256), 30, 5
ACTIVATIONS = (6, 28, 28), (16, 10, 10)
"""Of LeNet's convolutions, for one row."""


class Noise(nn.Module):
    """Adds draws of a tenth of their size."""

    def __init__(self, draws: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.draws = draws

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.1 * self.draws(x)


def main() -> None:
    units = [Unit(f"batch {batch}", partial(measured, batch)) for batch in BATCHES]
    settings = {"steps": STEPS, "threads": 1, "numbers_per_row": sum(map(prod, ACTIVATIONS))}
    measure(units, options(__doc__).parse_args(), settings=settings)


def measured(num_rows: int) -> Iterator[Row]:
    """The ratios at one batch size, and what a number costs."""
    torch.manual_seed(0)
    index = torch.arange(num_rows)
    batch = Batch(index, torch.rand(num_rows, 1, 28, 28), torch.randint(10, (num_rows,)))
    works = {
        "plain": step_of(batch, None),
        "draws": lambda: [row_normal(index, shape, seed=0, name="a", dtype=torch.float32) for shape in ACTIVATIONS],
        "global_generator": lambda: [torch.randn(num_rows, *shape) for shape in ACTIVATIONS],
        "two_words_each": lambda: [two_words_each(index, shape) for shape in ACTIVATIONS],
        "step_with_draws": step_of(batch, lambda place: partial(normal_like, name=place)),
        "step_with_global_generator": step_of(batch, lambda place: torch.randn_like),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(WARM_UP + STEPS):
        for name, work in works.items():
            started = time.process_time()
            work()
            if number >= WARM_UP:
                times[name].append(time.process_time() - started)
    seconds = {name: statistics.median(found) for name, found in times.items()}
    per_number = seconds["draws"] / (num_rows * sum(map(prod, ACTIVATIONS)))
    ratios = {name: value / seconds["plain"] for name, value in seconds.items() if name != "plain"}
    yield Row({"batch": num_rows}, {**ratios, "nanoseconds_per_number": 1e9 * per_number})


def step_of(batch: Batch, draws: Callable[[str], Callable[[Tensor], Tensor]] | None) -> Callable[[], object]:
    layers: list[nn.Module] = []
    for layer in lenet():
        layers.append(layer)
        if draws is not None and isinstance(layer, nn.Conv2d):
            layers.append(Noise(draws(f"noise/{len(layers)}")))
    model = nn.Sequential(*layers)
    loss = partial(objective_of, model, batch, None, loss=cross_entropy, terms=(), epoch=0, seed=0)
    return partial(plain_step, torch.optim.Adam(model.parameters()), loss)


def two_words_each(index: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Box and Muller's cosine alone, in double precision."""
    uniform = row_uniform(index, (2 * prod(shape),), seed=0, name="a").numpy()
    first, second = np.split(uniform, 2, axis=1)
    return torch.from_numpy(np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * np.pi * second)).float()


if __name__ == "__main__":
    main()
