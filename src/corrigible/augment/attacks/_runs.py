"""Several runs against the same rows, of one attack from several starts or of several attacks."""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor

from corrigible.augment.attacks._attacked_rows import AttackedRows
from corrigible.errors import RecipeError

Run = Callable[[AttackedRows], Tensor]
"""-> the point that each row is moved to."""


def from_starts(
    climb: Callable[[AttackedRows, Tensor], Tensor], *, restarts: int, name: str, random_start: bool = False
) -> list[Run]:
    """Runs that climb from the row, then from points drawn around it; with a random start all do the latter.

    Raises:
        RecipeError: no runs.
    """
    if restarts < 1:
        raise RecipeError(f"restarts is {restarts}; expected at least 1")

    def from_start(number: int) -> Run:
        if number == 0 and not random_start:
            return lambda rows: climb(rows, rows.ball.x)
        return lambda rows: climb(rows, rows.ball.drawn(rows.index, seed=rows.seed, name=f"{name}/{number}"))

    return [from_start(number) for number in range(restarts)]


def best_of(rows: AttackedRows, runs: Sequence[Run]) -> Float[Tensor, " batch *input"]:
    """For each row the end of its first run that succeeds; of several that do not, the one with the largest value.

    A row whose run succeeded takes part in no other.
    """
    best = runs[0](rows)
    if len(runs) == 1:
        return best
    seen = rows.seen(best)
    value, standing = seen.value, (~seen.is_done).nonzero().flatten()
    for run in runs[1:]:
        if not len(standing):
            break
        some = rows.of(standing)
        end = run(some)
        seen = some.seen(end)
        better = seen.is_done | (seen.value > value[standing])
        best[standing[better]], value[standing[better]] = end[better], seen.value[better]
        standing = standing[~seen.is_done]
    return best
