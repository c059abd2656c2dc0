"""Divide rows into batches that all have the same shares of strata.

A batch holds each stratum's share of its rows, rounded up or down, and each row is taken once. That is a rounding of a
table that keeps the sums of its rows and columns (Bacharach 1966, Matrix rounding problems). Since full batches are
alike, it is found by dealing what is left over round the batches in turn (McNaughton 1959, Scheduling with deadlines
and loss functions).
"""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import RecipeError

Target = Mapping[tuple[int, int], float]
"""(group, label) → share; they sum to 1."""


def representative_parts(
    strata: Int[Tensor, " row"], batch_size: int, seed: int, *, shares: Float[Tensor, " stratum"] | None = None
) -> Callable[[int], list[Int[Tensor, " part"]]]:
    """A function epoch → the positions of the rows in each of its batches.

    A batch of b rows holds b · share of each stratum, rounded up or down. An epoch has as many rows as there are.
    Without ``shares`` they are the strata's own, and an epoch holds every row once. With others, a stratum gets its
    share of the epoch's rows, rounded to whole rows, and goes through its rows again and again from epoch to epoch:
    after every epoch some of its rows have been seen once more than the rest, or all of them equally often.

    Args:
        strata: the stratum of each row, numbered from 0; none is empty.
        batch_size: rows per batch; the last is smaller, and a single row joins the batch before it.
        shares: of each stratum, above 0, with the sum 1.

    Raises:
        RecipeError: a share of less than a row per epoch, of which nothing would be seen.
    """
    members = [(strata == number).nonzero().flatten() for number in range(int(strata.max()) + 1)]
    own = torch.tensor([len(rows) for rows in members])
    num_rows = len(strata)
    per_epoch = own if shares is None else _rounded(shares.double() * num_rows, num_rows)
    if shares is not None and not bool(per_epoch.all()):
        raise RecipeError(
            f"the target's least share is {float(shares.min()):g}, less than one of {num_rows} rows; expected a row of "
            "each (group, label) in an epoch: give it a larger share"
        )

    def parts(epoch: int) -> list[Tensor]:
        generator = _generator(seed, epoch)
        counts = _counts(per_epoch, batch_size, generator)
        found = [torch.zeros(0, dtype=torch.long)] * len(counts)
        for number, rows in enumerate(members):
            drawn = _drawn(rows, int(per_epoch[number]), epoch, seed=seed * len(members) + number)
            pieces = drawn.split(counts[:, number].tolist())
            found = [torch.cat(pair) for pair in zip(found, pieces, strict=True)]
        return [part[torch.randperm(len(part), generator=generator)] for part in found]

    return parts


def _counts(
    per_epoch: Int[Tensor, " stratum"], batch_size: int, generator: torch.Generator
) -> Int[Tensor, " batch stratum"]:
    """How many rows of each stratum each batch holds; full batches come in a drawn order, a smaller one last."""
    num_rows = int(per_epoch.sum())
    num_full, last = divmod(num_rows, batch_size)
    if last == 1 and num_full and batch_size > 1:
        num_full, last = num_full - 1, batch_size + 1
    of_last = _rounded(per_epoch.double() * last / num_rows, last)
    counts = (per_epoch * batch_size // num_rows).repeat(num_full, 1)
    left = per_epoch - of_last - counts.sum(dim=0)
    # One more of a stratum in as many batches as it has rows left: dealt round, so that all batches get as many.
    dealt = torch.repeat_interleave(torch.arange(len(per_epoch)), left)
    if num_full:
        turn = torch.randperm(num_full, generator=generator)[torch.arange(len(dealt)) % num_full]
        counts.index_put_((turn, dealt), torch.ones_like(dealt), accumulate=True)
    return torch.cat([counts, of_last[None]]) if last else counts


def _rounded(exact: Float[Tensor, " stratum"], total: int) -> Int[Tensor, " stratum"]:
    """Whole numbers with that sum, each the exact one rounded up or down: up where most would be lost."""
    found = (exact + 1e-9).floor().long()
    up = (exact - found).argsort(descending=True, stable=True)[: total - int(found.sum())]
    found[up] += 1
    return found


def _drawn(rows: Int[Tensor, " member"], count: int, epoch: int, *, seed: int) -> Int[Tensor, " drawn"]:
    """The rows of this epoch: what follows in one shuffled order of all members after the other."""
    first = epoch * count
    orders = range(first // len(rows), -(-(first + count) // len(rows)))
    drawn = [rows[torch.randperm(len(rows), generator=_generator(seed, order))] for order in orders]
    start = first % len(rows)
    return torch.cat(drawn)[start : start + count] if drawn else rows[:0]


def shares_of(target: Target, pairs: Int[Tensor, " stratum 2"]) -> Float[Tensor, " stratum"]:
    """The target's share of each stratum (group, label) that occurs.

    Raises:
        RecipeError: a stratum without a share, one that no row is of, or shares that are not above 0 with the sum 1.
    """
    known = [tuple(pair) for pair in pairs.tolist()]
    lacking, unknown = [p for p in known if p not in target], [p for p in target if tuple(p) not in known]
    if lacking or unknown:
        what = f"no share of {lacking[0]}" if lacking else f"a share of {tuple(unknown[0])}, which no row is of"
        raise RecipeError(f"the target has {what}; expected one for each (group, label) that occurs: {known}")
    shares = torch.tensor([float(target[pair]) for pair in known], dtype=torch.float64)
    if not bool((shares > 0).all()) or abs(float(shares.sum()) - 1) > 1e-6:
        raise RecipeError(f"the target's shares are {shares.tolist()}; expected numbers above 0 with the sum 1")
    return shares


def _generator(seed: int, number: int) -> torch.Generator:
    return torch.Generator().manual_seed((seed * 1_000_003 + number) % 2**63)
