"""Checks of rows of a table, before a prediction is used: is the row like those that the network has learned from?

Each check gives every row a score: cells that training never held, numbers beyond its range, pairs of values that never
meet, numbers that the other columns speak against, and the distance from training rows, in the network (Lee et al.
2018, a simple unified framework for detecting out-of-distribution samples) and in the table. What is usual is learned
on rows that a check was not fitted on, by five folds, so that all checks together flag at most the stated share of
ordinary rows (Vovk 2012, conditional validity of inductive conformal predictors).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.data.arrays import frame_of
from corrigible.data.cells import Words, cells_of
from corrigible.data.column_reading import numbers_read
from corrigible.data.dataset import TensorData, as_dataset, rows_of
from corrigible.data.protocol import Dataset, columns_of
from corrigible.data.table import inputs_of
from corrigible.data.table_encoder import TableEncoder
from corrigible.data.table_features import Numeric
from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.explanations.counterfactuals.schema import Schema, schema_of
from corrigible.explanations.examples.latent import latent_rows
from corrigible.intervals import share_interval
from corrigible.models.bayes.last_layer import last_linear
from corrigible.models.networks import network_of
from corrigible.printable import plural
from corrigible.protocols.robustness.checks.cells import Beyond, Unread, beyond, unread
from corrigible.protocols.robustness.checks.distances import InNetwork, Nearest, in_network, nearest
from corrigible.protocols.robustness.checks.expected import Expected, expected
from corrigible.protocols.robustness.checks.pairs import Pairs, pairs
from corrigible.protocols.robustness.checks.seen import Latent, Seen, seen
from corrigible.protocols.robustness.flags import Flags
from corrigible.types import Columns, Measurement

Check = Unread | Beyond | Expected | Pairs | Nearest | InNetwork
"""Each has a ``name``, gives ``scores(rows)``, at least 0, higher where a row is more unusual, and says why."""
FOLDS = 5
MOST_REASONS = 3
CERTAIN = 0.95
"""How likely it should be that no more than the stated share of ordinary rows is flagged."""


@dataclass(frozen=True, repr=False)
class RowChecks:
    """Checks that are fitted on training rows, and what is usual among these."""

    checks: tuple[Check, ...]
    usual: tuple[Float[np.ndarray, " row"], ...]
    """The scores of each check for training rows that it was not fitted on, sorted."""
    threshold: float
    """A row is flagged where, by some check, at most this share of training rows is as unusual."""
    false_alarms: Measurement
    """The share of those training rows that is flagged, with its interval."""
    schema: Schema
    latent: Latent | None
    encoder: TableEncoder | None
    left_out: tuple[str, ...] = ()
    """Which checks could not be made, and why."""

    def flags(self, rows: Any) -> Flags:
        """Which rows are unlike the training rows, and why.

        Args:
            rows: a tensor as the model takes it, also NaN or infinite; or a frame, where the encoder is known.

        Raises:
            DataError: rows of other columns, or a frame that cannot be read.
        """
        found = self._seen(rows)
        scores = np.stack([check.scores(found) for check in self.checks], axis=1)
        shares = shares_of(scores, self.usual)
        flagged = shares.min(axis=1) <= self.threshold
        frame = frame_of(rows)
        index = pd.RangeIndex(len(found)) if frame is None else frame.index
        return Flags(flagged, shares.min(axis=1), index, lambda row: self._why(found, row, shares[row]))

    def _why(self, found: Seen, row: int, shares: NDArray[np.float64]) -> str:
        some = [check for check, share in zip(self.checks, shares, strict=True) if share <= self.threshold]
        return "; ".join(check.words(found, row) for check in some[:MOST_REASONS])

    def _seen(self, rows: Any) -> Seen:
        frame = frame_of(rows)
        if frame is not None and self.encoder is not None:
            return seen(inputs_of(frame, self.encoder), self.schema, self.latent, empty_cells(frame, self.encoder))
        if frame is not None:
            raise DataError("the rows are a frame, and the checks know no encoder; give row_checks encoder=…")
        if self.encoder is not None and not isinstance(rows, Tensor):
            what = f"the rows are a {type(rows).__name__}, which does not say whether they are encoded"
            raise DataError(f"{what}; give a frame with the columns of training, or encoded rows as a tensor")
        x = torch.as_tensor(rows)
        width = len(self.schema.columns.names)
        if x.ndim != 2 or x.shape[1] != width or not len(x):
            raise DataError(f"the rows have shape {tuple(x.shape)}; expected (row, {width}), and at least one row")
        return seen(x.float() if not x.is_floating_point() else x, self.schema, self.latent, None)

    def __repr__(self) -> str:
        names = ", ".join(check.name for check in self.checks)
        left = f"; left out: {'; '.join(self.left_out)}" if self.left_out else ""
        return f"RowChecks({names}; {self.false_alarms}{left})"


def row_checks(
    model: Any,
    data: Any,
    *,
    encoder: TableEncoder | None = None,
    false_alarms: float = 0.02,
    layer: str | None = None,
    seed: int = 0,
) -> RowChecks:
    """Checks of rows, fitted on these training rows, that flag at most a share of rows like them.

    All checks together keep that share, with 95 % certainty for rows that are drawn as the training rows are. Which
    share of these is flagged where the checks were fitted without them is in ``false_alarms``. Rows that change, as the
    years go by, are flagged more often: that is what checks are for. The network is left as it was.

    Args:
        model: whose layer before the last tells how rows look to it; where it has none, that check is left out.
        data: the training rows, ``(x, y)`` or a data set; with its columns, categories are known as such.
        encoder: of the rows, so that frames can be checked, and empty cells are seen that ``x`` does not tell.
        false_alarms: the largest share of ordinary rows that is flagged.
        layer: the layer of the network to look at, which gives one vector for each row.
        seed: settles the folds.

    Raises:
        RecipeError: a share that is not between 0 and 1.
        DataError: rows that are not those of a table, or too few for such a share.
        UnsupportedModelError: no such layer.
    """
    if isinstance(false_alarms, bool) or not isinstance(false_alarms, float) or not 0 < false_alarms < 1:
        raise RecipeError(f"false_alarms is {false_alarms!r}; expected a share between 0 and 1")
    network, dataset = network_of(model), as_dataset(data)
    rows = rows_of(dataset, torch.arange(len(dataset)))
    schema = schema_of(_columns(dataset, rows), rows.x)
    num_allowed = allowed_of(len(rows.x), false_alarms)
    latent, left_out = _latent(network, rows, layer)
    found = seen(rows.x, schema, latent, None)
    rng = np.random.default_rng(whole_number("seed", seed))
    strata = torch.zeros(len(rows.x), dtype=torch.long) if rows.y.is_floating_point() else rows.y
    checks = _fitted(found, strata, schema, rng)
    scores = np.full((len(found), len(checks)), np.nan)
    for fold in np.array_split(rng.permutation(len(found)), FOLDS):
        rest = np.setdiff1d(np.arange(len(found)), fold)
        fitted = _fitted(found.at(rest), strata[torch.from_numpy(rest)], schema, rng)
        scores[fold] = np.stack([check.scores(found.at(fold)) for check in fitted], axis=1)
    usual = tuple(np.sort(of) for of in scores.T)
    shares = shares_of(scores, usual).min(axis=1)
    threshold = threshold_of(shares, num_allowed)
    flagged = int((shares <= threshold).sum())
    measured = Measurement("false_alarms", flagged / len(found), *share_interval(flagged, len(found)), len(found))
    return RowChecks(checks, usual, threshold, measured, schema, latent, encoder, left_out)


def _fitted(rows: Seen, strata: Tensor, schema: Schema, rng: np.random.Generator) -> tuple[Check, ...]:
    meetings = pairs(rows, schema)
    made = (
        *(unread(rows, schema), beyond(rows, schema), expected(rows, schema, meetings.edges), meetings),
        *(nearest(rows, schema, rng), in_network(rows, strata)),
    )
    return tuple(check for check in made if check is not None)


def shares_of(
    scores: Float[np.ndarray, " row check"], usual: tuple[Float[np.ndarray, " usual"], ...]
) -> Float[np.ndarray, " row check"]:
    """Of each check the share of usual rows that it finds as unusual; of the first, which counts cells, 0 if any."""
    found = np.stack([rank_of(of, ordered) for of, ordered in zip(scores.T, usual, strict=True)], axis=1)
    found[:, 0] = scores[:, 0] == 0
    return np.asarray(found)


def rank_of(scores: Float[np.ndarray, " row"], usual: Float[np.ndarray, " usual"]) -> Float[np.ndarray, " row"]:
    """The share of usual rows whose score is at least as high, the row itself counted; 1 for a score of 0."""
    above = len(usual) - np.searchsorted(usual, scores, "left")
    return np.asarray(np.where(scores <= 0, 1.0, (1 + above) / (1 + len(usual))))


def threshold_of(shares: Float[np.ndarray, " row"], num_allowed: int) -> float:
    """The largest threshold with which at most so many rows are flagged; 0 where that is none.

    Raises:
        DataError: more rows hold what no other row holds, which is always flagged.
    """
    if (num := int((shares <= 0).sum())) > num_allowed:
        what = f"{plural(num, 'row')} of {len(shares):,} hold a value that rows of other folds lack"
        raise DataError(
            f"{what}, more than may be flagged ({num_allowed}); join rare categories, or allow a larger share"
        )
    values, counts = np.unique(shares, return_counts=True)
    fits = counts.cumsum() <= num_allowed
    return float(values[fits][-1]) if fits.any() else 0.0


def allowed_of(num_rows: int, false_alarms: float) -> int:
    """How many of so many ordinary rows may be flagged, so that it is certain enough that the share is no larger.

    Raises:
        DataError: too few rows to be certain whatever is flagged.
    """
    from scipy.special import bdtr  # Here, because not every command needs it.

    counts = np.arange(num_rows)
    fits = np.flatnonzero(bdtr(counts, num_rows, false_alarms) <= 1 - CERTAIN)
    least = int(np.ceil(np.log(1 - CERTAIN) / np.log1p(-false_alarms)))
    if not len(fits) or fits[-1] < 1:
        what = f"{plural(num_rows, 'row')} cannot say that at most {false_alarms:.3g} of such rows are flagged"
        raise DataError(f"{what}; expected about {2 * least} or more, or a larger share")
    return int(fits[-1])


def empty_cells(frame: pd.DataFrame, encoder: TableEncoder) -> Bool[np.ndarray, " row feature"]:
    """Where a number is empty in a column that had none empty in training, which encoded rows do not tell."""
    found = np.zeros((len(frame), len(encoder.columns.features)), dtype=bool)
    for feature in encoder.features:
        if not isinstance(feature, Numeric) or feature.has_missing or feature.name not in encoder.columns.features:
            continue
        cells = cells_of(frame[feature.name])
        numbers = numbers_read(cells, encoder.reading(feature.name)) if isinstance(cells, Words) else cells
        found[:, encoder.columns.features.index(feature.name)] = np.isnan(numbers)
    return found


def _columns(dataset: Dataset, rows: TensorData) -> Columns:
    if rows.x.ndim != 2:
        raise DataError(f"the rows have shape {tuple(rows.x.shape)}; expected those of a table, (row, column)")
    names = tuple(f"x{place}" for place in range(rows.x.shape[1]))
    return columns_of(dataset) or Columns(names, names, (False,) * len(names))


def _latent(network: nn.Module, rows: TensorData, layer: str | None) -> tuple[Latent | None, tuple[str, ...]]:
    """What the network makes of rows; None with the reason where no layer was named and none can be looked at."""

    def reading(name: str | None) -> Latent:
        def read(x: Tensor) -> Tensor:
            return latent_rows(network, TensorData(x, torch.zeros(len(x), dtype=torch.long)), layer=name)

        read(rows.x[:2])
        return read

    try:
        return reading(layer), ()
    except UnsupportedModelError as error:
        if layer is not None:
            raise
        reason = str(error)
    try:  # The last linear layer may be one that several members share, which then see each row several times.
        return reading(last_linear(network)), ()
    except UnsupportedModelError:
        return None, (f"network ({reason})",)
