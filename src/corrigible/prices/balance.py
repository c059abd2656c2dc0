"""Wüthrich 2020, Bias regularization in neural network models for general insurance pricing, section 3: balance.

A portfolio is in balance if its prices sum to what they must pay for. Prices of at least 0 are multiplied by one
factor, other amounts shifted by one amount, and the logits of each class shifted so that its mean probability is met.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from corrigible.errors import DataError

STEPS, CLOSE, REACHED = 200, 1e-12, 1e-6


@dataclass(frozen=True)
class Balance:
    """What brings the prices of a portfolio into balance."""

    kind: Literal["factor", "shift", "logits"]
    by: NDArray[np.float64]
    """The factor or the shift, (), or the shift of the logit of each class, (class,)."""

    def __call__(self, prices: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.kind == "logits":
            return _with_logits(prices, self.by)
        return prices * self.by if self.kind == "factor" else prices + self.by

    def __str__(self) -> str:
        if self.kind == "logits":
            return f"logits shifted by {', '.join(f'{by:+.4f}' for by in self.by)}".replace("-", "−")
        return f"multiplied by {float(self.by):.6g}" if self.kind == "factor" else f"shifted by {float(self.by):+.4g}"


def balance_to(prices: NDArray[np.float64], aims: NDArray[np.float64], weight: NDArray[np.float64]) -> Balance:
    """The change after which the weighted mean price is that of the aims; for classes, that of each class.

    Args:
        prices, aims: (row,), or probabilities of classes, (row, class).
        weight: of each row.

    Raises:
        DataError: prices that are all 0, or probabilities, that no such change brings into balance.
    """
    if prices.ndim == 2:
        return Balance("logits", _logit_shift(prices, np.average(aims, axis=0, weights=weight), weight))
    now, aim = np.average(prices, weights=weight), np.average(aims, weights=weight)
    if bool((prices >= 0).all()) and aim >= 0:
        if not now > 0 < aim and now != aim:
            told = "expected y of more than 0, and a model that prices some rows above 0"
            raise DataError(f"no factor brings prices of mean {now:.4g} to a mean of {aim:.4g}; {told}")
        return Balance("factor", np.asarray(aim / now if now else 1.0))
    return Balance("shift", np.asarray(aim - now))


def _logit_shift(
    probs: NDArray[np.float64], aim: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """By iterative scaling, which ends at the only shifts that meet the aim, up to a constant."""
    shift = np.zeros(len(aim))
    for _ in range(STEPS):
        now = np.average(_with_logits(probs, shift), axis=0, weights=weight)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.where((aim > 0) & (now > 0), np.log(aim) - np.log(now), 0.0)
        shift = shift + step - step[0]
        if np.abs(step).max() < CLOSE:
            break
    now = np.average(_with_logits(probs, shift), axis=0, weights=weight)
    if (far := np.abs(now - aim)).max() > REACHED:
        k = int(far.argmax())
        told = "expected rows of every class in y, or no y, and probabilities above 0"
        raise DataError(f"class {k} cannot be balanced: its mean probability is {now[k]:.4g}, not {aim[k]:.4g}; {told}")
    return shift


def _with_logits(probs: NDArray[np.float64], shift: NDArray[np.float64]) -> NDArray[np.float64]:
    odds = probs * np.exp(shift)
    found: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
    return found
