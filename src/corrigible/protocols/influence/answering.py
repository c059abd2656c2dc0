"""How each method answers: what all queries share is prepared once, then any part of the queries is answered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.errors import RecipeError, unknown
from corrigible.explanations.examples.nearest_examples import nearest_examples
from corrigible.explanations.examples.row_gradients import row_gradients, rows_in_memory
from corrigible.models.bayes.last_layer import last_linear
from corrigible.models.kinks import kinks_of
from corrigible.models.modes import untouched
from corrigible.models.networks import network_of
from corrigible.protocols.influence.asked import Asked
from corrigible.protocols.influence.curvature import Curvature, require_curvature
from corrigible.protocols.influence.doubts import about_kinks, doubts, with_doubtful_values
from corrigible.protocols.influence.ek_fac import ek_fac_inverse
from corrigible.protocols.influence.influenced import Influence
from corrigible.protocols.influence.inverses import Inverse, checked_damping, exact_inverse, iterative_inverse
from corrigible.protocols.influence.kept import Collecting, Kept
from corrigible.protocols.influence.learned import Learned
from corrigible.protocols.influence.replay import Taught, replayed, require_same_end, slopes_by_factors
from corrigible.protocols.schedule import Schedule

Inverting = Callable[[Learned, Curvature, float | None], Inverse]
Answer = Callable[[Asked, int | None], Influence]
"""(some queries, how many rows of each sign are kept of each; None for all) -> the influence on them."""


@dataclass(frozen=True)
class Ways:
    """The method, with its settings."""

    method: str
    curvature: Curvature
    damping: float | None
    nearest: int | None
    start: nn.Module | None


def ways(
    *, method: Any, curvature: Any, damping: Any, nearest: Any, start: nn.Module | None, schedule: Schedule | None
) -> Ways:
    """The settings, checked.

    Raises:
        RecipeError: an unknown method, curvature or setting.
    """
    if method not in NAMES:
        raise RecipeError(unknown("influence method", str(method), NAMES))
    require_curvature(curvature)
    damping = checked_damping(damping)
    nearest = None if nearest is None else whole_number("nearest", nearest, 1)
    if method == "replay" and (start is None or schedule is None):
        raise RecipeError("'replay' runs the training again; give schedule=… and start=…, the network before training")
    if method == "replay" and nearest is not None:
        raise RecipeError("'replay' costs the same for all rows as for some; leave out nearest")
    return Ways(method, curvature, damping, nearest, start)


def prepared(asked: Asked, way: Ways) -> Answer:
    """The method with all that does not depend on the queries done: curvature and inverse, or the replayed run.

    Raises:
        RecipeError, UnsupportedModelError: as `influence`.
    """
    if way.nearest is not None and asked.rows is None:
        raise RecipeError("nearest is about rows, and the query is a function; leave out nearest")
    if way.method == "replay":
        return _replay(asked, way)
    with untouched(asked.learned.network, asked.seed):
        found = METHODS[way.method](asked, way)

    def answer(some: Asked, most: int | None) -> Influence:
        with untouched(some.learned.network, some.seed):
            return found(some, most)

    return answer


def _chosen(asked: Asked, nearest: int | None) -> Tensor | None:
    """The positions of each query's nearest training rows; None for all rows."""
    if nearest is None:
        return None
    return nearest_examples(asked.learned.network, asked.learned.dataset, asked.rows, n=nearest)[0]


def _by_curvature(name: str, inverting: Inverting) -> Callable[[Asked, Ways], Answer]:
    def prepare(asked: Asked, way: Ways) -> Answer:
        learned = asked.learned
        inverse = inverting(learned, way.curvature, way.damping)
        gradient_norm = float(learned.gradient().norm())
        kinks = kinks_of(learned.network, learned.batch(learned.index[:8]).x)

        def answer(some: Asked, most: int | None) -> Influence:
            chosen = _chosen(some, way.nearest)
            kept, size = products(learned, inverse.solve(some.gradients()), chosen, most)
            found = Influence(
                kept.values,
                name,
                rows=kept.rows,
                queries=some.queries,
                damping=inverse.damping,
                smallest_eigenvalue=inverse.smallest_eigenvalue,
                gradient_norm=gradient_norm,
                relative_gradient_norm=gradient_norm / size if size else None,
                kinks=kinks,
                residual=None if inverse.residual is None else inverse.residual(),
            )
            return with_doubtful_values(replace(found, warnings=doubts(found, inverse, learned)), kept)

        return answer

    return prepare


def products(
    learned: Learned, solved: Float[Tensor, " query weight"], chosen: Tensor | None, most: int | None
) -> tuple[Kept, float]:
    """What each row's gradient gives in these directions, by what the row counts, and the root mean square gradient.

    Args:
        chosen: (query, row): the only rows that count; None for all.
        most: how many of each sign are kept of each query; None for all.
    """
    index = learned.index if chosen is None else chosen.unique()
    squares = 0.0
    collecting = Collecting(len(solved), len(learned.dataset), chosen=chosen, most=most, dtype=solved.dtype)
    for part in rows_in_memory(index, learned.weights.count):
        gradients = row_gradients(learned.network, learned.weights, learned.batch(part), loss=learned.loss)
        collecting.add(part, (solved @ gradients.T * learned.row_shares[part.to(solved.device)]).cpu())
        squares += float(torch.linalg.vector_norm(gradients, dim=1).double().square().sum())
    return collecting.found(), (squares / max(len(index), 1)) ** 0.5


def _last_layer(asked: Asked, way: Ways) -> Answer:
    last = asked.learned.network.get_submodule(last_linear(asked.learned.network))
    asked.learned.network.requires_grad_(False)
    last.requires_grad_(True)
    return _by_curvature("last_layer", exact_inverse)(asked, way)


def _gradient_similarity(asked: Asked, way: Ways) -> Answer:
    def answer(some: Asked, most: int | None) -> Influence:
        kept, _ = products(asked.learned, some.gradients(), _chosen(some, way.nearest), most)
        found = Influence(
            kept.values, "gradient_similarity", rows=kept.rows, queries=some.queries, unit="gradient product"
        )
        return with_doubtful_values(found, kept)

    return answer


def _replay(asked: Asked, way: Ways) -> Answer:
    """Minus the derivative by each row's factor, from 1 to 0."""
    assert way.start is not None
    learned = asked.learned
    taught = Taught(
        network_of(way.start),
        learned.dataset,
        asked.schedule,
        asked.seed,
        learned.terms,
        learned.marks,
        step=asked.step,
    )
    run = replayed(taught)
    difference = require_same_end(run, learned.theta)

    def answer(some: Asked, most: int | None) -> Influence:
        with untouched(learned.network, some.seed):
            slopes = some.gradients()
            kinks = kinks_of(learned.network, learned.batch(learned.index[:8]).x)
        values = -slopes_by_factors(run, slopes, len(learned.dataset))
        collecting = Collecting(len(values), len(learned.dataset), chosen=None, most=most, dtype=values.dtype)
        collecting.add(learned.index, values.cpu())
        kept = collecting.found()
        found = Influence(
            kept.values,
            "replay",
            rows=kept.rows,
            queries=some.queries,
            kinks=kinks,
            difference=difference,
            warnings=about_kinks(kinks),
        )
        return with_doubtful_values(found, kept)

    return answer


INVERSES: Mapping[str, Inverting] = {
    "exact": exact_inverse,
    "conjugate_gradients": iterative_inverse,
    "ek_fac": ek_fac_inverse,
}


def inverting(method: Any) -> Inverting:
    """How a method divides by the curvature.

    Raises:
        RecipeError: a method that does not.
    """
    if not isinstance(method, str) or method not in INVERSES:
        raise RecipeError(unknown("method", str(method), INVERSES))
    return INVERSES[method]


METHODS: Mapping[str, Callable[[Asked, Ways], Answer]] = {
    **{name: _by_curvature(name, inverse) for name, inverse in INVERSES.items()},
    "last_layer": _last_layer,
    "gradient_similarity": _gradient_similarity,
}
NAMES = (*METHODS, "replay")
