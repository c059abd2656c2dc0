"""Leaks and proxies that `audit.py` plants in real tables, each of a kind of its own."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Rng = np.random.Generator
Plant = Callable[[NDArray[np.float64], Rng], pd.Series]


def of_class(y: NDArray[np.bool_], words: tuple[str, str], wrong: float, rng: Rng) -> pd.Series:
    """The class in words, some of them wrong."""
    told = y ^ (rng.random(len(y)) < wrong)
    return pd.Series(np.where(told, *words)).astype("category")


def copy_with_noise(y: NDArray[np.bool_], rng: Rng) -> pd.Series:
    return pd.Series((y ^ (rng.random(len(y)) < 0.05)).astype(float))


def label_as_category(y: NDArray[np.bool_], rng: Rng) -> pd.Series:
    return of_class(y, ("closed", "open"), 0.08, rng)


def label_as_score(y: NDArray[np.bool_], rng: Rng) -> pd.Series:
    return pd.Series(y + 0.35 * rng.normal(size=len(y)))


def missing_where_positive(y: NDArray[np.bool_], rng: Rng) -> pd.Series:
    """A number that is not filled in for nine of ten rows of the class, and for a few others."""
    gone = rng.random(len(y)) < np.where(y, 0.9, 0.03)
    return pd.Series(np.where(gone, np.nan, rng.normal(50, 9, len(y))))


def missing_where_negative(y: NDArray[np.bool_], rng: Rng) -> pd.Series:
    """A category that is filled in for the class alone, and for a few others."""
    there = rng.random(len(y)) < np.where(y, 0.95, 0.02)
    return pd.Series(np.where(there, rng.choice(["letter", "visit", "call"], len(y)), None)).astype("category")


def bucketed_label(y: NDArray[np.bool_], rng: Rng) -> pd.Series:
    """Eight codes, four for each class, and one row in twenty with a code of the other."""
    told = y ^ (rng.random(len(y)) < 0.05)
    return pd.Series([f"c{2 * rng.integers(4) + int(one)}" for one in told]).astype("category")


def days_until_closed(y: NDArray[np.bool_], rng: Rng) -> pd.Series:
    """A duration that is long for the class."""
    return pd.Series(np.round(rng.gamma(np.where(y, 12.0, 2.0), 5.0)))


def numbered_by_class(y: NDArray[np.bool_], rng: Rng) -> pd.Series:
    """A file number given after the decision: the class has the later ones, with some overlap."""
    return pd.Series((y + 0.08 * rng.normal(size=len(y))).argsort().argsort().astype(float))


def flag_on_some(y: NDArray[np.bool_], rng: Rng) -> pd.Series:
    """A word on three of ten rows of the class, and on nearly no other."""
    marked = rng.random(len(y)) < np.where(y, 0.3, 0.002)
    return pd.Series(np.where(marked, "yes", "no")).astype("category")


def sentinel_on_some(y: NDArray[np.bool_], rng: Rng) -> pd.Series:
    """A number that is 999 on half of the rows of the class, and never else."""
    marked = y & (rng.random(len(y)) < 0.5)
    return pd.Series(np.where(marked, 999.0, np.round(rng.normal(40, 12, len(y)))))


def future_amount(y: NDArray[np.float64], rng: Rng) -> pd.Series:
    return pd.Series(y * np.exp(0.4 * rng.normal(size=len(y))))


def amount_in_parts(y: NDArray[np.float64], rng: Rng) -> pd.Series:
    part = np.searchsorted(np.quantile(y, [0.35, 0.6, 0.85]), y + 1e-9)
    return (
        pd.Series(np.where(rng.random(len(y)) < 0.1, rng.integers(4, size=len(y)), part))
        .map(lambda place: f"part {place}")
        .astype("category")
    )


def missing_where_zero(y: NDArray[np.float64], rng: Rng) -> pd.Series:
    """A number that is filled in where there is an amount, and nowhere else."""
    return pd.Series(np.where(y > 0, rng.normal(5, 1, len(y)), np.nan))


def logarithm(y: NDArray[np.float64], rng: Rng) -> pd.Series:
    return pd.Series(np.log1p(y) + 0.3 * rng.normal(size=len(y)))


LEAKS: tuple[tuple[str, Callable[..., pd.Series]], ...] = (
    ("adult", copy_with_noise),
    ("adult", missing_where_positive),
    ("adult", bucketed_label),
    ("adult", sentinel_on_some),
    ("compas", label_as_category),
    ("compas", label_as_score),
    ("compas", days_until_closed),
    ("compas", flag_on_some),
    ("german", copy_with_noise),
    ("german", missing_where_negative),
    ("german", numbered_by_class),
    ("german", bucketed_label),
    ("hmda", label_as_category),
    ("hmda", missing_where_positive),
    ("hmda", flag_on_some),
    ("hmda", days_until_closed),
    ("visits", future_amount),
    ("visits", amount_in_parts),
    ("visits", missing_where_zero),
    ("visits", logarithm),
)
"""Each in a table of its own: 20 in all."""


def linear(a: NDArray[np.bool_], rng: Rng, right: float) -> dict[str, pd.Series]:
    """A number that is higher for the group, and tells it to about ``right``."""
    from scipy.special import ndtri

    return {"planted": pd.Series(2 * ndtri(right) * a + rng.normal(size=len(a)))}


def interaction_of_numbers(a: NDArray[np.bool_], rng: Rng, right: float) -> dict[str, pd.Series]:
    """Two numbers, neither of which tells anything: the group is that of equal signs."""
    same = a ^ (rng.random(len(a)) > right)
    one, size = rng.normal(size=len(a)), np.abs(rng.normal(size=len(a)))
    return {"planted": pd.Series(one), "planted too": pd.Series(np.where(same, 1, -1) * np.sign(one) * size)}


def interaction_of_categories(a: NDArray[np.bool_], rng: Rng, right: float) -> dict[str, pd.Series]:
    """Two categories of six words each: the group is that of an even sum of their places."""
    odd = a ^ (rng.random(len(a)) > right)
    one = rng.integers(6, size=len(a))
    other = 2 * rng.integers(3, size=len(a)) + (odd ^ (one % 2 == 1))
    return {name: pd.Series(values).map("w{}".format).astype("category") for name, values in
            (("planted", one), ("planted too", other))}  # fmt: skip


def category(a: NDArray[np.bool_], rng: Rng, right: float) -> dict[str, pd.Series]:
    """Forty places, each of which holds mostly one of the two groups."""
    told = a ^ (rng.random(len(a)) > right)
    place = 2 * rng.integers(20, size=len(a)) + told
    return {"planted": pd.Series(place).map("place {}".format).astype("category")}


PROXIES = {
    "linear": (linear,),
    "interaction": (interaction_of_numbers, interaction_of_categories),
    "category": (category,),
}
RIGHT = (0.8, 0.85, 0.9, 0.95)
"""How often a planted proxy tells the group, where that is half of the rows."""
ATTRIBUTES = {
    "adult": ("sex", "Female"),
    "compas": ("race", "African-American"),
    "german": ("column 8", "A92"),
    "hmda": ("afam", "yes"),
    "visits": ("female", None),
}
"""The column of each table, and the group that is told from all others; None where numbers are above 0."""
