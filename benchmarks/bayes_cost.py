"""What distributions over networks cost: medians of alternating turns in one process, as ratios to plain work.

    python benchmarks/bayes_cost.py

Processor time, LeNet, one thread. Steps over a plain step with Adam; samples over plain passes. The evidence is that of
20 reviewed rows, all of them in each step, as a correction takes them. Writes benchmarks/results/bayes_cost.json.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from runner import Row, Unit, measure, options
from torch import nn

from corrigible.losses import LOSSES
from corrigible.models import lenet
from corrigible.models.bayes import bayesian, deterministic, variational_last_layer
from corrigible.models.bayes.ivon import IVON
from corrigible.models.draws import coarse_row_normal
from corrigible.models.packed import packed
from corrigible.models.predictive import predictive
from corrigible.objective import objective_of, terms_of
from corrigible.training import plain_step
from corrigible.types import Batch

BATCHES, TURNS, WARM_UP, SAMPLES, REVIEWED = (64, 256), 60, 5, 8, 20
ACTIVATIONS = (6, 28, 28), (16, 10, 10)
"""Of LeNet's convolutions, for one row."""
KL = {"kl_divergence": {"weight": 1.0, "num_rows": 1000}}
EVIDENCE = {"no_change_evidence": {"weight": 1.0, "num_rows": 1000, "num_reviewed": REVIEWED}}


def main() -> None:
    units = [Unit(f"batch {size}", partial(measured, size)) for size in BATCHES]
    measure(units, options(__doc__).parse_args(), settings={"turns": TURNS, "threads": 1, "samples": SAMPLES})


def measured(num_rows: int) -> Iterator[Row]:
    torch.manual_seed(0)
    index, x = torch.arange(num_rows), torch.rand(num_rows, 1, 28, 28)
    batch, drawing, last = (
        Batch(index, x, torch.randint(10, (num_rows,))),
        bayesian(lenet()),
        variational_last_layer(lenet()),
    )
    mask = torch.zeros(REVIEWED, 1, 28, 28, dtype=torch.bool)
    mask[..., :4, :4] = True
    reviewed = Batch(index[:REVIEWED], x[:REVIEWED], batch.y[:REVIEWED], mask, torch.zeros_like(mask))
    steps = {
        "plain": step_of(lenet(), batch),
        "activations drawn": step_of(drawing, batch, KL),
        "activations drawn, evidence": step_of(bayesian(lenet()), batch, {**KL, **EVIDENCE}, reviewed),
        "IVON": step_of(network := lenet(), batch, optimizer=IVON(network.parameters(), num_rows=1000)),
        "variational last layer": step_of(last, batch, KL, loss="last_layer_bound"),
        "packed ensemble": step_of(packed(lenet()), batch, loss="member_task_loss"),
        "draws alone": lambda: [
            coarse_row_normal(index, of, seed=0, name="a", dtype=torch.float32) for of in ACTIVATIONS
        ],
    }
    yield Row({"batch": num_rows, "of": "steps"}, over(medians(steps), "plain"))
    point = deterministic(last).eval()  # Of the same weights: how long pooling takes depends on what it sees.
    passes = {
        "plain": lambda: [predictive(drawing, x) for _ in range(SAMPLES)],
        "samples": lambda: predictive(drawing, x, samples=SAMPLES),
    }
    of_last: dict[str, Callable[[], object]] = {
        "one pass": lambda: predictive(point, x),
        "last layer in closed form, over one pass": lambda: predictive(last, x),
        "samples of a last layer, over one pass": lambda: predictive(last, x, samples=SAMPLES),
    }
    drawing.eval(), last.eval()
    with torch.no_grad():
        found = over(medians(passes), "plain") | over(medians(of_last), "one pass")
    yield Row({"batch": num_rows, "of": "passes"}, found)


def step_of(
    model: nn.Module,
    batch: Batch,
    penalties: dict[str, Any] | None = None,
    reviewed: Batch | None = None,
    *,
    loss: str = "cross_entropy",
    optimizer: torch.optim.Optimizer | None = None,
) -> Callable[[], object]:
    model.train()
    terms = terms_of(penalties or {})
    objective = partial(objective_of, model, batch, reviewed, loss=LOSSES[loss], terms=terms, epoch=0, seed=0)
    return partial(plain_step, optimizer or torch.optim.Adam(model.parameters()), objective)


def medians(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(WARM_UP + TURNS):
        for name, work in works.items():
            started = time.process_time()
            work()
            if number >= WARM_UP:
                times[name].append(time.process_time() - started)
    return {name: statistics.median(found) for name, found in times.items()}


def over(seconds: dict[str, float], plain: str) -> dict[str, float]:
    return {name: value / seconds[plain] for name, value in seconds.items() if name != plain}


if __name__ == "__main__":
    main()
