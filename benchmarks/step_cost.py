"""What a correction step costs: medians of alternating steps in one process, in processor time, over a plain step.

    python benchmarks/step_cost.py [--cases right_reasons counterexamples]

Processor time, not the clock's: other programs on the machine then take less part. LeNet, batch 256, one thread: 26
reviewed rows (10 %) beside the label batch, and the label batch itself being reviewed, as with a rule about every row.
Penalties that act on what should matter get the rest of the image as marks. Evidence is measured on a Bayesian network,
over a plain step of that network. Writes
benchmarks/results/step_cost.json.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from runner import Row, Unit, measure, options

from corrigible.data.dataset import TensorData
from corrigible.demos.digits_data import irrelevant, load
from corrigible.feedback.masks import marks_of
from corrigible.losses import cross_entropy
from corrigible.models import lenet
from corrigible.models.bayes import bayesian
from corrigible.objective import objective_of, terms_of
from corrigible.penalties import ON_REVIEWED_ROWS, RELEVANCE_PENALTIES
from corrigible.protocols.training_facts import Known, provided
from corrigible.training import plain_step
from corrigible.types import Batch, Feedback

BATCH, REVIEWED, STEPS = 256, 26, 40
OF_BAYESIAN = ("no_change_evidence", "zero_activation_evidence")
AIMS = {
    "no_change_evidence": (1.15, None),
    "right_reasons": (1.4, 2.5),
    "grad_cam_overlap": (1.15, 1.3),
    "should_matter": (1.15, None),
    "activation_evidence": (1.1, None),
    "counterexamples": (1.2, None),
    "expected_gradients_on_marks": (1.5, 3.0),
    "contextual_decomposition": (2.0, None),
    "concept_gradient": (1.15, None),
}
"""With 10 % of the rows reviewed, and with all of them."""


def main() -> None:
    data, masks = load("train"), irrelevant("train")
    units = [Unit(name, partial(measured, name, data, masks)) for name in ON_REVIEWED_ROWS]
    settings = {"batch": BATCH, "reviewed": REVIEWED, "steps": STEPS, "threads": 1}
    measure(units, options(__doc__).parse_args(), settings=settings)


def measured(name: str, data: TensorData, masks: torch.Tensor) -> Iterator[Row]:
    """The ratios of one method, each to plain steps that take turns with it."""
    few, every = (marked(name, data, masks, slice(BATCH, BATCH + REVIEWED)), marked(name, data, masks, slice(0, BATCH)))
    batch = Batch(torch.arange(BATCH), data.x[:BATCH], data.y[:BATCH])
    steps = {
        "plain": step_with(name, data, batch, None),
        "few": step_with(name, data, batch, few),
        "every": step_with(name, data, every, None),
    }
    times: dict[str, list[float]] = {kind: [] for kind in steps}
    for number in range(STEPS + 5):
        for kind, step in steps.items():
            started = time.process_time()
            step()
            if number >= 5:
                times[kind].append(time.process_time() - started)
    plain = statistics.median(times["plain"])
    ratios = {kind: statistics.median(found) / plain for kind, found in times.items()}
    aims = zip(("few_aim", "every_aim"), AIMS.get(name, ()), strict=False)
    labels = {"method": name} | {kind: aim for kind, aim in aims if aim is not None}
    yield Row(labels, {kind: ratios[kind] for kind in ("few", "every")})


def marked(name: str, data: TensorData, masks: torch.Tensor, which: slice) -> Batch:
    rows = torch.arange(len(data))[which]
    irrelevant, relevant = masks[rows], torch.zeros_like(masks[rows])
    if name in RELEVANCE_PENALTIES:
        irrelevant, relevant = relevant, ~irrelevant
    return Batch(rows, data.x[rows], data.y[rows], irrelevant, relevant)


def step_with(name: str, data: TensorData, batch: Batch, reviewed: Batch | None) -> Callable[[], object]:
    torch.manual_seed(0)
    model = bayesian(lenet()).train() if name in OF_BAYESIAN else lenet()
    optimizer = torch.optim.Adam(model.parameters())
    wanted = {name: {"weight": 1.0}} if reviewed is not None or batch.irrelevant is not None else {}
    marks = marks_of([Feedback(irrelevant("train")[0].numpy(), row=0)], data)
    terms = provided(terms_of(wanted), Known(model, data, marks, seed=0))
    loss = partial(objective_of, model, batch, reviewed, loss=cross_entropy, terms=terms, epoch=0, seed=0)
    return partial(plain_step, optimizer, loss)


if __name__ == "__main__":
    main()
