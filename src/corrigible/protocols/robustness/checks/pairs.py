"""Pairs of values that training rows hold each often, and hardly ever together."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.protocols.robustness.checks.seen import Seen, written

BINS = 8
"""Of a number, of equally many rows each."""
MOST_PAIRS = 300
"""The pairs of features that tell most of each other are looked at."""


@dataclass(frozen=True)
class Pairs:
    """How often each pair of values occurs, against how often it would if the features told nothing of each other."""

    schema: Schema
    edges: tuple[Float[np.ndarray, " _"], ...]
    """Of each number where its bins end; empty for categories."""
    pairs: tuple[tuple[int, int], ...]
    rarer: tuple[Float[np.ndarray, "_ _"], ...]
    """Of each pair the logarithm of how many times more rarely each two values meet than they would."""
    met: tuple[Float[np.ndarray, "_ _"], ...]
    """How often they meet, and how often they would."""
    would: tuple[Float[np.ndarray, "_ _"], ...]
    name: str = "pairs"

    def scores(self, rows: Seen) -> Float[np.ndarray, " row"]:
        """That of the rarest pair."""
        found = self.of_pairs(rows)
        return np.asarray(found.max(axis=1, initial=0.0))

    def of_pairs(self, rows: Seen) -> Float[np.ndarray, " row pair"]:
        codes = coded(rows, self.schema, self.edges)
        parts = [rarer[codes[:, a], codes[:, b]] for (a, b), rarer in zip(self.pairs, self.rarer, strict=True)]
        return np.stack(parts, axis=1) if parts else np.zeros((len(rows), 0))

    def words(self, rows: Seen, row: int) -> str:
        """The rarest pair, and how often it was there."""
        one = rows.at(np.array([row]))
        number = int(self.of_pairs(one)[0].argmax())
        codes = coded(one, self.schema, self.edges)[0]
        places = self.pairs[number]
        held = [
            f"{self.schema.names[place]} {written(self.schema.features[place], one.values[0, place])}"
            for place in places
        ]
        met, would = (float(of[number][codes[places[0]], codes[places[1]]]) for of in (self.met, self.would))
        return f"{' with '.join(held)}: {met:.0f} training rows are like this, where chance would give {would:.0f}"


def pairs(rows: Seen, schema: Schema) -> Pairs:
    """The pairs of the rows' values."""
    edges = tuple(
        np.zeros(0) if feature.is_category else np.unique(np.nanquantile(held, np.linspace(0, 1, BINS + 1)[1:-1]))
        for feature, held in zip(schema.features, _known(rows.values), strict=True)
    )
    codes, sizes = coded(rows, schema, edges), sizes_of(schema, edges)
    found = []
    for a in range(len(sizes)):
        for b in range(a + 1, len(sizes)):
            met = np.bincount(codes[:, a] * sizes[b] + codes[:, b], minlength=sizes[a] * sizes[b])
            met = met.reshape(sizes[a], sizes[b]).astype(np.float64)
            would = np.outer(met.sum(axis=1), met.sum(axis=0)) / len(rows)
            told = float((met * np.log(np.where(met > 0, met, 1.0) / np.where(would > 0, would, 1.0))).sum())
            found.append((told, (a, b), met, would))
    found.sort(key=lambda one: (-one[0], one[1]))
    found = found[:MOST_PAIRS]
    rarer = tuple(np.maximum(np.log((would + 0.5) / (met + 0.5)), 0.0) for _, _, met, would in found)
    places = tuple(pair for _, pair, _, _ in found)
    return Pairs(schema, edges, places, rarer, tuple(met for *_, met, _ in found), tuple(of[3] for of in found))


def sizes_of(schema: Schema, edges: tuple[np.ndarray, ...]) -> list[int]:
    """How many codes each feature has: its levels or bins, and one for an empty cell."""
    return [
        1 + (len(feature.levels) if feature.is_category else len(ends) + 1)
        for feature, ends in zip(schema.features, edges, strict=True)
    ]


def coded(rows: Seen, schema: Schema, edges: tuple[np.ndarray, ...]) -> Int[np.ndarray, " row feature"]:
    """The place of each cell's level or bin; 0 for an empty cell."""
    found = np.zeros(rows.values.shape, dtype=np.int64)
    for place, (feature, ends) in enumerate(zip(schema.features, edges, strict=True)):
        held = rows.values[:, place]
        code = np.nan_to_num(held).astype(np.int64) if feature.is_category else np.searchsorted(ends, held, "right")
        found[:, place] = np.where(np.isnan(held), 0, code + 1)
    return found


def _known(values: Float[np.ndarray, " row feature"]) -> list[np.ndarray]:
    """The numbers of each feature; one 0 where there are none."""
    columns = (values[:, place] for place in range(values.shape[1]))
    return [held[~np.isnan(held)] if (~np.isnan(held)).any() else np.zeros(1) for held in columns]
