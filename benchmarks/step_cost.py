"""What a correction step costs: medians of alternating steps in one process, as ratios to a plain step.

    python benchmarks/step_cost.py

LeNet, batch 256, one thread: 26 reviewed rows beside the label batch, 256 beside it, and the label batch itself being
reviewed, as with a rule about every row. Writes benchmarks/results/step_cost.json.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from results import write

from corrigible.demos.digits_data import irrelevant, load
from corrigible.losses import cross_entropy
from corrigible.models import lenet
from corrigible.objective import objective_of, terms_of
from corrigible.training import plain_step
from corrigible.types import Batch

BATCH, REVIEWED, STEPS = 256, (26, 256), 60


def main() -> None:
    torch.set_num_threads(1)
    data, masks = load("train"), irrelevant("train")
    batch = Batch(torch.arange(BATCH), data.x[:BATCH], data.y[:BATCH])
    steps = {"plain": step_with(batch, None)}
    for count in REVIEWED:
        rows = torch.arange(BATCH, BATCH + count)
        steps[f"right_reasons, {count} more rows reviewed"] = step_with(
            batch, Batch(rows, data.x[rows], data.y[rows], masks[rows])
        )
    steps["right_reasons, the 256 rows themselves reviewed"] = step_with(replace(batch, irrelevant=masks[:BATCH]), None)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(STEPS + 5):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            if number >= 5:
                times[name].append(time.perf_counter() - started)
    plain = statistics.median(times["plain"])
    rows = [{"step": name, "ratio": statistics.median(found) / plain} for name, found in times.items()]
    write("step_cost", {"batch": BATCH, "steps": STEPS, "threads": 1, "rows": rows})


def step_with(batch: Batch, reviewed: Batch | None) -> Callable[[], object]:
    torch.manual_seed(0)
    model = lenet()
    optimizer = torch.optim.Adam(model.parameters())
    terms = terms_of({"right_reasons": 10.0} if reviewed is not None or batch.irrelevant is not None else {})
    loss = partial(objective_of, model, batch, reviewed, loss=cross_entropy, terms=terms, epoch=0, seed=0)
    return partial(plain_step, optimizer, loss)


if __name__ == "__main__":
    main()
