"""How much privacy steps cost, by the accountants of Opacus (Yousefpour et al. 2021).

``rdp`` is the moments accountant (Abadi et al. 2016; Mironov 2017, Rényi differential privacy). ``prv`` composes
distributions of the privacy loss numerically (Gopi, Lee and Wutschitz 2021); it is tighter and takes longer.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

from corrigible.errors import RecipeError

Accountant = Literal["rdp", "prv"]
Spent = tuple[float, float, int]
"""(noise multiplier, sampling rate, number of steps)"""


def epsilon_of(history: Sequence[Spent], delta: float, accountant: Accountant = "rdp") -> float:
    """ε at this δ of rows that took part in all of these steps, after steps of the subsampled Gaussian mechanism.

    Neighbouring data sets differ in one row, which only one of them has.

    Raises:
        RecipeError: Opacus is not installed.
    """
    create = _opacus().create_accountant
    with _quiet():
        counting = create(accountant)
        counting.history = list(history)
        return float(counting.get_epsilon(delta=delta))


def noise_multiplier_for(
    epsilon: float, delta: float, *, rate: float, num_steps: int, accountant: Accountant = "rdp"
) -> float:
    """The noise multiplier with which so many steps cost at most this ε, to within .01.

    Raises:
        RecipeError: Opacus is not installed, or no noise multiplier up to a million is enough.
    """
    _opacus()
    from opacus.accountants.utils import get_noise_multiplier

    about: dict[str, Any] = {"sample_rate": rate, "steps": num_steps, "accountant": accountant}
    with _quiet():
        try:
            return float(get_noise_multiplier(target_epsilon=epsilon, target_delta=delta, **about))
        except ValueError as error:
            raise RecipeError(
                f"epsilon {epsilon:g} at delta {delta:g} cannot be kept over {num_steps} steps ({error}); raise it, or "
                "train for fewer steps"
            ) from error


def require_accountant(name: str) -> None:
    """Raises RecipeError for an accountant that is not known."""
    if name not in get_args(Accountant):
        raise RecipeError(f"accountant is {name!r}; expected one of {', '.join(map(repr, get_args(Accountant)))}")


def _opacus() -> Any:
    try:
        from opacus import accountants
    except ImportError as error:
        raise RecipeError(
            "private steps need opacus, which is not installed; pip install 'corrigible[privacy]'"
        ) from error
    return accountants


@contextmanager
def _quiet() -> Iterator[None]:
    """A context without Opacus's warnings that another range of orders might give a smaller bound."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
