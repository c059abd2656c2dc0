"""EK-FAC beside kronfluence: agreement with the exact inverse of the damped Gauss-Newton matrix, and time.

    python benchmarks/ek_fac_peer.py [--seeds 3] [--resume]

It needs kronfluence 1.0.1, einconv, einops, opt-einsum and accelerate, which the library does not: `pip install` them
where this is run. Both get the same network, rows, queries, loss and damping, a hundredth of the largest eigenvalue, in
single precision on one thread. kronfluence runs with its usual settings (strategy "ekfac", Fisher matrix of labels that
are drawn from the model), with all rows in one batch, and writes to a temporary folder.

* ``table``: breast cancer's table, 400 training rows, 100 queries, a network of 9,710 weights. Beside it, not timed,
  kronfluence with 16 drawn labels of each row in place of 1: the rows are given 16 times where the factors are fitted.
* ``digits``: digits of 8 × 8 pixels, 200 training rows, 10 queries, a network of about a million weights.

The truth needs no matrix of the size of the weights: the Gauss-Newton matrix is U Uᵀ with a column for each row and
output, (U Uᵀ + d)⁻¹ = (1 - U (UᵀU + d)⁻¹ Uᵀ) / d, and the products of gradients of two rows are sums over linear layers
of the product of their inputs times the product of the gradients behind (Woodbury's formula, in double precision).

``agreement``: Pearson's correlation with the truth over all pairs of a query and a row; ``rank``: the mean over queries
of Spearman's. ``times_faster``: kronfluence's processor time, from the network to the scores, over that of `influence`;
the median of pairs that take turns, three for the table and one for the digits. Settings are from seed 100. Writes
benchmarks/results/ek_fac_peer.json.
"""

import copy
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from runner import Row, measure, options, units_of
from scipy.stats import spearmanr
from sklearn.datasets import load_breast_cancer, load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import TensorDataset

from corrigible import TensorData
from corrigible.protocols.influence.influence import influence
from corrigible.protocols.influence.influenced import pearson
from corrigible.protocols.schedule import Schedule, run

TABLE, DIGITS = (30, 96, 68, 2), (64, 690, 690, 690, 10)
ROWS, QUERIES = {"table": 400, "digits": 200}, {"table": 100, "digits": 10}
SCHEDULE = Schedule(epochs=10, batch_size=32, learning_rate=1e-3)
SHARE, TIMES, DRAWS = 0.01, {"table": 3, "digits": 1}, 16

Rows = tuple[Tensor, Tensor]


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    works = {"table": partial(compared, "table", TABLE), "digits": partial(compared, "digits", DIGITS)}
    settings = {
        "rows": ROWS,
        "queries": QUERIES,
        "epochs": SCHEDULE.epochs,
        "damping_share": SHARE,
        "times": TIMES,
        "draws": DRAWS,
    }
    measure(units_of(works, asked), asked, settings=settings)


def compared(case: str, sizes: tuple[int, ...], seed: int) -> Iterator[Row]:
    torch.set_num_threads(1)
    train, query = rows_of(case, seed)
    torch.manual_seed(seed)
    layers = [part for pair in pairwise(sizes) for part in (nn.Linear(*pair), nn.Tanh())][:-1]
    model = nn.Sequential(*layers)
    for _ in run(model, TensorData(*train), SCHEDULE, seed=seed):
        pass
    truth, damping = exact(copy.deepcopy(model).double(), train, query)
    asked = (model, train, query, damping)
    warm_up()
    works = {"corrigible": partial(by_influence, *asked), "kronfluence": partial(by_kronfluence, *asked, seed)}
    found, seconds = taking_turns(works, TIMES[case])
    if case == "table":
        found["kronfluence, 16 draws"] = by_kronfluence(*asked, seed, draws=DRAWS)
    ratio = median(slow / fast for fast, slow in zip(*seconds.values(), strict=True))
    weights = sum(value.numel() for value in model.parameters())
    for name, values in found.items():
        numbers = {"agreement": pearson(values, truth) or 0.0, "rank": spearman(values, truth)}
        numbers |= {"seconds": median(seconds[name])} if name in seconds else {}
        numbers |= {"times_faster": ratio} if name == "corrigible" else {}
        yield Row({"case": case, "method": name, "weights": weights}, numbers)


def rows_of(case: str, seed: int) -> tuple[Rows, Rows]:
    if case == "table":
        x, y = load_breast_cancer(return_X_y=True)
        x = (x - x.mean(0)) / x.std(0)
    else:
        x, y = load_digits(return_X_y=True)
        x = x / 16
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    x, y = torch.tensor(x, dtype=torch.float32)[order], torch.tensor(y)[order]
    split, end = ROWS[case], ROWS[case] + QUERIES[case]
    return (x[:split], y[:split]), (x[split:end], y[split:end])


def warm_up() -> None:
    """Run both once on a small network, so that what they load is not counted."""
    asked = (nn.Sequential(nn.Linear(3, 2)), *[(torch.ones(4, 3), torch.tensor([0, 1, 0, 1]))] * 2, 0.1)
    by_influence(*asked)
    by_kronfluence(*asked, 0)


def taking_turns(
    works: dict[str, Callable[[], Tensor]], times: int
) -> tuple[dict[str, Tensor], dict[str, list[float]]]:
    """What each gives, and the processor seconds of each turn."""
    found: dict[str, Tensor] = {}
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(times):
        for name, work in works.items():
            began = time.process_time()
            found[name] = work()
            seconds[name].append(time.process_time() - began)
    return found, seconds


def by_influence(model: nn.Module, train: Rows, query: Rows, damping: float) -> Tensor:
    return influence(model, TensorData(*train), query, method="ek_fac", damping=damping).values


def by_kronfluence(model: nn.Module, train: Rows, query: Rows, damping: float, seed: int, *, draws: int = 1) -> Tensor:
    from kronfluence.analyzer import Analyzer, prepare_model
    from kronfluence.arguments import FactorArguments, ScoreArguments
    from kronfluence.task import Task

    class Losses(Task):
        def compute_train_loss(self, batch: Any, model: nn.Module, sample: bool = False) -> Tensor:
            logits = model(batch[0])
            labels = torch.multinomial(logits.detach().softmax(-1), 1).flatten() if sample else batch[1]
            return cross_entropy(logits, labels, reduction="sum")

        def compute_measurement(self, batch: Any, model: nn.Module) -> Tensor:
            return self.compute_train_loss(batch, model)

    torch.manual_seed(seed)
    task, rows, queries = Losses(), TensorDataset(*train), TensorDataset(*query)
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare_model(copy.deepcopy(model), task)
        analyzer = Analyzer("peer", prepared, task, cpu=True, disable_tqdm=True, output_dir=folder)
        repeated = TensorDataset(*(part.repeat_interleave(draws, dim=0) for part in train))
        how: dict[str, Any] = {"per_device_batch_size": len(rows), "factor_args": FactorArguments(strategy="ekfac")}
        analyzer.fit_all_factors("factors", repeated, **how)
        analyzer.compute_pairwise_scores(
            "scores",
            "factors",
            queries,
            rows,
            per_device_query_batch_size=len(queries),
            per_device_train_batch_size=len(rows),
            score_args=ScoreArguments(damping_factor=damping),
        )
        return analyzer.load_pairwise_scores("scores")["all_modules"] / len(rows)


def exact(model: nn.Sequential, train: Rows, query: Rows) -> tuple[Tensor, float]:
    """The influences by the whole damped Gauss-Newton matrix, and the damping."""
    (x, y), (asked, labels) = ((part[0].double(), part[1]) for part in (train, query))
    probs = model(x).detach().softmax(1)
    bend = torch.diag_embed(probs) - probs[:, :, None] * probs[:, None, :]
    values, vectors = torch.linalg.eigh(bend / len(x))
    roots = vectors * values.clamp_min(0).sqrt()[:, None, :]
    columns = [gradients(model, x, roots[:, :, place]) for place in range(1, roots.shape[2])]  # The first is 0.
    rows, queries = (gradients(model, *slopes(model, *part)) for part in ((x, y), (asked, labels)))
    of_columns = torch.cat([torch.cat([products(a, b) for b in columns], dim=1) for a in columns])
    damping = SHARE * float(torch.linalg.eigvalsh(of_columns)[-1])
    of_queries, of_rows = (torch.cat([products(part, b) for b in columns], dim=1) for part in (queries, rows))
    factor = torch.linalg.cholesky(of_columns + damping * torch.eye(len(of_columns), dtype=torch.float64))
    found = products(queries, rows) - of_queries @ torch.cholesky_solve(of_rows.T, factor)
    return found / damping / len(x), damping


Layers = list[tuple[Tensor, Tensor]]
"""For each linear layer its inputs, with a 1 for the bias, and the gradients behind it, of each row."""


def slopes(model: nn.Sequential, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    probs = model(x).detach().softmax(1)
    return x, probs - nn.functional.one_hot(y, probs.shape[1])


def gradients(model: nn.Sequential, x: Tensor, slope: Tensor) -> Layers:
    """Those of Σ slope · outputs, for each row."""
    inputs, outputs, value = [], [], x
    for layer in model:
        given, value = value, layer(value)
        if isinstance(layer, nn.Linear):
            inputs.append(torch.cat([given.detach(), torch.ones_like(given[:, :1])], dim=1).detach())
            outputs.append(value)
    return list(zip(inputs, torch.autograd.grad((value * slope).sum(), outputs), strict=True))


def products(first: Layers, second: Layers) -> Tensor:
    """The product of the gradients of each row of the first with each of the second."""
    total = 0.0
    for (given, behind), (other, behind_other) in zip(first, second, strict=True):
        total = total + (given @ other.T) * (behind @ behind_other.T)
    assert isinstance(total, Tensor)
    return total


def spearman(values: Tensor, truth: Tensor) -> float:
    both = [spearmanr(a, b).statistic for a, b in zip(values.double().numpy(), truth.numpy(), strict=True)]
    return float(sum(both) / len(both))


if __name__ == "__main__":
    main()
