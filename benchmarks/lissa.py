"""LiSSA beside the damped inverse that it approximates (Agarwal, Bullins and Hazan 2017; Koh and Liang 2017).

    python benchmarks/lissa.py [--seeds 3]

LiSSA divides a gradient v by the curvature G + λ step by step, h ← v + h − (G_B + λ) h / c, with G_B of a few rows
drawn anew each time; its answer is h / c, here the mean of 4 repeats. The networks are those of influence.py ("tanh"),
G is the Gauss-Newton matrix, λ the damping that `influence` takes, v the gradient of the mean loss of 100 queries. The
scale c is one with which no step can grow: the largest trace of any single row's G, plus λ. ``agreement`` is Pearson's
correlation with the influence by the exact inverse over all 400 training rows, ``size`` the spread of its values over
that of the exact ones, ``passes`` the products of G with a vector, each of all rows. Nothing was chosen on these seeds.
Writes benchmarks/results/lissa.json.
"""

from collections.abc import Callable, Iterator
from functools import partial
from unittest.mock import patch

import torch
from influence import NETWORK, NUM_ROWS, table, trained
from runner import Row, measure, options, units_of
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from corrigible import TensorData
from corrigible.protocols.influence import inverses
from corrigible.protocols.influence.asked import asked_of
from corrigible.protocols.influence.curvature import root_gradients
from corrigible.protocols.influence.influence import influence
from corrigible.protocols.influence.influenced import pearson

DEPTHS, REPEATS, BATCH = (100, 1_000, 5_000, 20_000), 4, 8


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    settings = {"repeats": REPEATS, "batch": BATCH, "rows": NUM_ROWS}
    works = {f"{depth:,} steps": partial(beside, depth) for depth in DEPTHS} | {"conjugate gradients": conjugate}
    measure(units_of(works, asked), asked, settings=settings)


def taught(seed: int) -> tuple[nn.Module, TensorData, Callable[[nn.Module], Tensor]]:
    """A network, its training rows, and the mean loss of queries."""
    data, (x, y) = table(seed)
    torch.manual_seed(seed)
    start = nn.Sequential(nn.Linear(30, 32), nn.Tanh(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 2))
    return trained(start, data, seed), data, lambda network: cross_entropy(network(x), y)


def conjugate(seed: int) -> Iterator[Row]:
    """Conjugate gradients, with the products that they make, those for the damping included."""
    model, data, mean_loss = taught(seed)
    how = {"curvature": "gauss_newton", "schedule": NETWORK, "seed": seed}
    exact = influence(model, data, mean_loss, method="exact", **how)
    with patch.object(inverses, "curvature_products", wraps=inverses.curvature_products) as product:
        found = influence(model, data, mean_loss, method="conjugate_gradients", **how)
    agreement = pearson(found.values[0], exact.values[0])
    assert agreement is not None
    size = float(found.values.std() / exact.values.std())
    made = {"agreement": agreement, "size": size, "passes": product.call_count}
    yield Row({"method": "conjugate gradients"}, made)


def beside(depth: int, seed: int) -> Iterator[Row]:
    model, data, mean_loss = taught(seed)
    how = {"schedule": NETWORK, "seed": seed}
    exact = influence(model, data, mean_loss, method="exact", curvature="gauss_newton", **how)
    learned = asked_of(model, data, mean_loss, penalties=None, feedback=None, **how).learned
    # Each row's own matrix is the sum of the outer products of its roots, times the number of rows.
    roots = torch.stack([part for _, part in root_gradients(learned)], dim=1).double() * NUM_ROWS**0.5
    parameters = list(model.parameters())
    gradients = [
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters, retain_graph=True)]).double()
        for loss in (mean_loss(model), *cross_entropy(model(data.x), data.y, reduction="none"))
    ]
    solved = solved_by_steps(roots, gradients[0], exact.damping or 0.0, depth, seed)
    found = torch.stack(gradients[1:]) @ solved / NUM_ROWS
    agreement = pearson(found, exact.values[0])
    assert agreement is not None
    passes = depth * REPEATS * BATCH / NUM_ROWS
    size = float(found.std() / exact.values.std())
    yield Row({"method": f"LiSSA, {depth:,} steps"}, {"agreement": agreement, "passes": passes, "size": size})


def solved_by_steps(roots: Tensor, v: Tensor, damping: float, depth: int, seed: int) -> Tensor:
    """The mean of repeats of LiSSA, from (row, root, weight)."""
    scale = float((roots @ roots.mT).diagonal(dim1=1, dim2=2).sum(dim=1).max()) + damping
    generator = torch.Generator().manual_seed(seed)
    answers = []
    for _ in range(REPEATS):
        h = v.clone()
        for rows in torch.randint(len(roots), (depth, BATCH), generator=generator):
            some = roots[rows].flatten(0, 1)
            h = v + h - (some.T @ (some @ h) / BATCH + damping * h) / scale
        answers.append(h / scale)
    return torch.stack(answers).mean(dim=0)


if __name__ == "__main__":
    main()
