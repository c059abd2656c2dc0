"""Which rows taught it: influence beside the truth, what it costs, and whether it finds wrong labels.

    python benchmarks/influence.py [--seeds 3] [--resume]

The truth is always a network trained again without a row, by the same seed and in the same order; rows are drawn.

* ``logistic``: logistic regression at its minimum on breast cancer's table (400 rows, 30 columns), 100 test rows, 100
  training rows left out in turn; beside it the Newton step that leaves a row out of the Hessian too.
* ``tanh`` and ``relu``: networks of two hidden layers, trained by Adam for 10 epochs on the same rows, 12 of them left
  out in turn; ``replay`` and, beside it, methods that assume a minimum. Cost: processor time of one query over that of
  a training.
* ``memory``: peak of a process of its own that replays 5,000 steps of a network with 100,000 weights.
* ``labels``: 20 of the 400 labels flipped; the share among the 40 rows of the largest self-influence.

Settings were chosen on seeds 100 and 101. Writes benchmarks/results/influence.json.
"""

import copy
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from runner import Row, Unit, measure, options, units_of
from sklearn.datasets import load_breast_cancer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from corrigible import TensorData
from corrigible.protocols.influence.influence import influence
from corrigible.protocols.influence.influenced import pearson
from corrigible.protocols.influence.replay import Taught, replayed, slopes_by_factors
from corrigible.protocols.influence.self_influence import self_influence
from corrigible.protocols.influence.verify import verify
from corrigible.protocols.schedule import Schedule, run

NUM_ROWS, NUM_QUERIES, NUM_LEFT_OUT, NUM_LEFT_OUT_OF_LINEAR, DECAY = 400, 100, 12, 100, 0.01
NETWORK = Schedule(epochs=10, batch_size=32, learning_rate=1e-3)
DECAYS = (0.01, 0.1)
NUM_FLIPPED, NUM_LOOKED_AT = 20, 40
NUM_STEPS, HIDDEN = 5000, 280
TIMES = 3


def main() -> None:
    parser = options(__doc__, seeds=3)
    parser.add_argument("--memory-here", action="store_true", help="replay in this process, and print its peak")
    asked = parser.parse_args()
    if asked.memory_here:
        print(json.dumps(peaks()))
        return
    works = {f"logistic, decay {decay:g}": partial(logistic, decay) for decay in DECAYS}
    works |= {"tanh": partial(networks, nn.Tanh), "relu": partial(networks, nn.ReLU)}
    works["labels"] = labels
    settings = {"rows": NUM_ROWS, "queries": NUM_QUERIES, "left_out": NUM_LEFT_OUT, "epochs": NETWORK.epochs}
    settings |= {"steps": NUM_STEPS, "flipped": NUM_FLIPPED, "looked_at": NUM_LOOKED_AT}
    measure([*units_of(works, asked), Unit("memory", memory)], asked, settings=settings)


def table(seed: int, *, dtype: torch.dtype = torch.float32) -> tuple[TensorData, tuple[Tensor, Tensor]]:
    x, y = load_breast_cancer(return_X_y=True)
    x, y = torch.tensor((x - x.mean(0)) / x.std(0)).to(dtype), torch.tensor(y)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    train, test = order[:NUM_ROWS], order[NUM_ROWS : NUM_ROWS + NUM_QUERIES]
    return TensorData(x[train], y[train]), (x[test], y[test])


def logistic(decay: float, seed: int) -> Iterator[Row]:
    data, query = table(seed, dtype=torch.float64)
    model = nn.Linear(30, 2).double()
    every = torch.ones(NUM_ROWS, dtype=torch.float64)
    learned = Logistic(data, decay)
    fitted, _ = learned.minimum(every, torch.zeros(62, dtype=torch.float64))
    load(model, fitted)
    with_all, slopes = query_losses(fitted, query), query_slopes(fitted, query)
    drawn = torch.randperm(NUM_ROWS, generator=torch.Generator().manual_seed(seed + 1))[:NUM_LEFT_OUT_OF_LINEAR]
    truth, newton = [], []
    for row in drawn.tolist():
        without = every.clone()
        without[row] = 0
        truth.append(query_losses(learned.minimum(without, fitted)[0], query) - with_all)
        _, bend_without = learned.derivatives(without, fitted)
        slope, _ = learned.derivatives(every - without, fitted)
        newton.append(slopes @ torch.linalg.solve(bend_without, slope - decay * fitted))
    for method in ("exact", "conjugate_gradients", "ek_fac", "gradient_similarity"):
        found = influence(model, data, query, method=method, schedule=Schedule(weight_decay=decay)).values[:, drawn]
        numbers = {"truth": pearson(found, torch.stack(truth, 1)), "newton": pearson(found, torch.stack(newton, 1))}
        yield Row({"case": f"logistic, decay {decay:g}", "method": method}, known(numbers))
    both = pearson(torch.stack(newton, 1), torch.stack(truth, 1))
    yield Row({"case": f"logistic, decay {decay:g}", "method": "a Newton step"}, known({"truth": both}))


@dataclass(frozen=True)
class Logistic:
    """Logistic regression of a table with 30 columns and two classes."""

    data: TensorData
    decay: float

    def objective(self, theta: Tensor, counts: Tensor) -> Tensor:
        losses = query_losses(theta, (self.data.x, self.data.y))
        return (losses * counts).sum() / len(self.data) + self.decay / 2 * theta.square().sum()

    def derivatives(self, counts: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        theta = theta.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.objective(theta, counts), theta, create_graph=True)
        (bend,) = torch.autograd.grad(slope, theta, torch.eye(62, dtype=torch.float64), is_grads_batched=True)
        return slope.detach(), bend

    def minimum(self, counts: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """By Newton's steps, with the Hessian there."""
        for _ in range(60):
            slope, bend = self.derivatives(counts, theta)
            if float(slope.norm()) < 1e-11:
                return theta, bend
            theta = theta - torch.linalg.solve(bend, slope)
        raise ArithmeticError("Newton's steps did not end at a minimum")


def query_losses(theta: Tensor, query: tuple[Tensor, Tensor]) -> Tensor:
    return cross_entropy(query[0] @ theta[:60].view(2, 30).T + theta[60:], query[1], reduction="none")


def query_slopes(theta: Tensor, query: tuple[Tensor, Tensor]) -> Tensor:
    theta = theta.detach().requires_grad_()
    losses = query_losses(theta, query)
    eye = torch.eye(len(losses), dtype=torch.float64)
    return torch.autograd.grad(losses, theta, eye, is_grads_batched=True)[0]


def load(model: nn.Linear, theta: Tensor) -> None:
    with torch.no_grad():
        model.weight.copy_(theta[:60].view(2, 30))
        model.bias.copy_(theta[60:])


def networks(activation: Callable[[], nn.Module], seed: int) -> Iterator[Row]:
    data, query = table(seed)
    torch.manual_seed(seed)
    start = nn.Sequential(nn.Linear(30, 32), activation(), nn.Linear(32, 16), activation(), nn.Linear(16, 2))
    how = {"schedule": NETWORK, "seed": seed}
    model = trained(start, data, seed)
    drawn = torch.randperm(NUM_ROWS, generator=torch.Generator().manual_seed(seed + 1))[:NUM_LEFT_OUT]
    found = influence(model, data, query, method="replay", start=start, **how)
    checked = verify(found, data, query, start=start, rows=drawn.tolist(), **how)
    case = activation.__name__.lower()
    mean = pearson(checked.estimated.mean(0), checked.truth.mean(0))
    yield Row(
        {"case": case, "method": "replay"},
        known({"truth": checked.correlation, "mean_query": mean, **costs(start, data, query, seed)}),
    )
    for method, more in (
        ("exact", {"curvature": "gauss_newton"}),
        ("conjugate_gradients", {"curvature": "gauss_newton"}),
        ("ek_fac", {}),
        ("last_layer", {}),
        ("gradient_similarity", {}),
    ):
        values = influence(model, data, query, method=method, **more, **how).values[:, drawn]
        numbers = {
            "truth": pearson(values, checked.truth),
            "mean_query": pearson(values.mean(0), checked.truth.mean(0)),
        }
        yield Row({"case": case, "method": method}, known(numbers))


def trained(start: nn.Module, data: TensorData, seed: int) -> nn.Module:
    model = copy.deepcopy(start)
    for _ in run(model, data, NETWORK, seed=seed):
        pass
    return model


def costs(start: nn.Module, data: TensorData, query: tuple[Tensor, Tensor], seed: int) -> dict[str, float]:
    """Processor time of one query, everything included, over that of a training; the median of three pairs."""

    def mean_loss(model: nn.Module) -> Tensor:
        return cross_entropy(model(query[0]), query[1])

    ratios = []
    for _ in range(TIMES):
        began = time.process_time()
        model = trained(start, data, seed)
        between = time.process_time()
        influence(model, data, mean_loss, method="replay", start=start, schedule=NETWORK, seed=seed)
        ratios.append((time.process_time() - between) / (between - began))
    return {"cost": median(ratios)}


def labels(seed: int) -> Iterator[Row]:
    data, _ = table(seed)
    flipped = torch.randperm(NUM_ROWS, generator=torch.Generator().manual_seed(seed + 2))[:NUM_FLIPPED]
    y = data.y.clone()
    y[flipped] = 1 - y[flipped]
    wrong = TensorData(data.x, y)
    for name, layers in (("linear", [nn.Linear(30, 2)]), ("tanh", [nn.Linear(30, 32), nn.Tanh(), nn.Linear(32, 2)])):
        torch.manual_seed(seed)
        schedule = Schedule(epochs=30, batch_size=32, learning_rate=3e-3, weight_decay=DECAY)
        model = copy.deepcopy(nn.Sequential(*layers))
        for _ in run(model, wrong, schedule, seed=seed):
            pass
        found = self_influence(model, wrong, schedule=schedule)
        with torch.no_grad():
            loss = cross_entropy(model(wrong.x), wrong.y, reduction="none")
        numbers = {"self_influence": share(found, flipped), "loss": share(loss, flipped)}
        yield Row({"case": "labels", "method": name}, numbers)


def share(values: Tensor, wanted: Tensor) -> float:
    top = values.argsort(descending=True)[:NUM_LOOKED_AT]
    return float(torch.isin(wanted, top).float().mean())


def memory() -> Iterator[Row]:
    command = [sys.executable, __file__, "--memory-here"]
    numbers = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    yield Row({"case": "memory", "method": "replay"}, numbers)


def peaks() -> dict[str, float]:
    """Peak resident memory in GB: before the replay, and of all of it."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = torch.randn(1000, 64), torch.arange(1000) % 2
    start = nn.Sequential(nn.Linear(64, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 2))
    schedule = Schedule(epochs=NUM_STEPS // 50, batch_size=20)
    before = peak()
    again = replayed(Taught(start, TensorData(x, y), schedule, 0))
    slopes_by_factors(again, again.theta[None], len(x))
    return {"before_gb": before, "peak_gb": peak(), "weights": len(again.theta), "steps": len(again.places)}


def peak() -> float:
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kilobytes / (2**30 if sys.platform == "darwin" else 2**20), 3)


def known(numbers: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if value is not None}


if __name__ == "__main__":
    main()
