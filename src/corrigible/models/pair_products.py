"""Products of pairs of a table's features as additional inputs inside a network."""

from collections.abc import Sequence
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor, nn

MOST_PRODUCTS = 4096


class PairProducts(nn.Module):
    """Appends the products of pairs of an encoded table's columns; what is explained and corrected stays the columns.

    A product is written as a difference of squares, ((a + b)² - (a - b)²) / 4, functions of one number each: so
    DeepLIFT's contributions still sum to the score, half of a product's to each of the two.

    Args:
        pairs: places of columns.
    """

    def __init__(self, pairs: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        # On the CPU also where a network is only sized, without memory for its weights.
        places = torch.tensor(list(pairs), dtype=torch.long, device="cpu").reshape(-1, 2)
        self.register_buffer("first", places[:, 0].clone())
        self.register_buffer("second", places[:, 1].clone())

    def forward(self, x: Float[Tensor, " batch column"]) -> Float[Tensor, " batch product"]:
        first, second = x[:, self.get_buffer("first")], x[:, self.get_buffer("second")]
        return ((first + second).square() - (first - second).square()) / 4


def columns_of_pairs(
    pairs: Sequence[Sequence[str]], features: Sequence[str], one_hot: Sequence[bool], directions: Sequence[int]
) -> list[tuple[int, int]]:
    """The pairs of columns whose products a pair of features has: one for two numbers, with categories one for each.

    Args:
        features: for each column the name of the number or category in it.
        directions: for each column 1 or -1 if it has a direction, see `corrigible.models.monotone`, or 0.

    Raises:
        ValueError: no pairs of different names that occur, or a column with a direction.
    """
    columns: dict[str, list[int]] = {}
    for place, name in enumerate(features):
        columns.setdefault(name, []).append(place)
    _require_pairs(pairs, columns)
    for name in (name for pair in pairs for name in pair):
        if any(directions[place] for place in columns[name]):
            raise ValueError(f"interactions pair {name!r}, which has a direction in monotonic_cst: products have none")
        if (name, name) in map(tuple, pairs) and one_hot[columns[name][0]]:
            raise ValueError(f"interactions pair {name!r} with itself, a column of categories; expected a number")
    found = [places for one, other in pairs for places in product(columns[one], columns[other])]
    if len(found) > MOST_PRODUCTS:
        raise ValueError(f"interactions would add {len(found):,} columns; expected at most {MOST_PRODUCTS:,}")
    return found


def _require_pairs(pairs: Sequence[Sequence[str]], columns: dict[str, list[int]]) -> None:
    seen = set()
    for pair in pairs:
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise ValueError(f"interactions hold {pair!r}; expected pairs of names, such as ('age', 'income')")
        unknown = next((name for name in pair if name not in columns), None)
        if unknown is not None:
            raise ValueError(
                f"interactions name {unknown!r}; there are {', '.join(map(repr, columns)) or 'no columns'}"
            )
        if frozenset(pair) in seen:
            raise ValueError(f"interactions hold {pair[0]!r} and {pair[1]!r} twice; expected each pair once")
        seen.add(frozenset(pair))
