"""What follows for a category: its chances given its causes, with a noise of the row that stays.

Each level has a score, a logit of the causes plus a noise with a Gumbel distribution, and the row holds the level with
the largest (Oberst and Sontag 2019, Counterfactual off-policy evaluation with Gumbel-max structural causal models). A
level so gives way only to one that the new causes make likelier against it. The noise is not drawn, but taken at its
median, given the level that the row holds: of its own level first, of the others given that these were smaller.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

LN2 = float(np.log(2.0))
MOST_STEPS = 200


def held_levels(
    before: Float[np.ndarray, " row level"], after: Float[np.ndarray, " row level"], held: Int[np.ndarray, " row"]
) -> Int[np.ndarray, " row"]:
    """The level of each row when its logits become others, with the row's noise as it was.

    Args:
        before, after: the logits of the levels, given the causes as they were and as they are.
        held: the level that each row had.
    """
    if not len(held):
        return held
    largest = before.max(axis=1, keepdims=True)
    total = largest + np.log(np.exp(before - largest).sum(axis=1, keepdims=True))
    top = total - np.log(LN2)  # The median of the largest score.
    noise = -np.log(LN2 + np.exp(before - top))  # Of a Gumbel distribution below that.
    rows = np.arange(len(held))
    noise[rows, held] = top[:, 0] - before[rows, held]
    return np.asarray((after + noise).argmax(axis=1))


def learned_logits(
    regressors: Float[np.ndarray, " row regressor"], level: Int[np.ndarray, " row"], num_levels: int, *, ridge: float
) -> Float[np.ndarray, " regressor_and_1 level"]:
    """The slopes, and last the intercepts, of a multinomial logistic regression.

    Args:
        level: what each row holds, all of ``num_levels`` among them.
        ridge: of the squared slopes, in standard deviations of the regressors.
    """
    middle, sd = regressors.mean(axis=0), regressors.std(axis=0)
    sd = np.where(sd > 0, sd, 1.0)
    x, y = torch.from_numpy((regressors - middle) / sd), torch.tensor(level)
    share = torch.bincount(y, minlength=num_levels).double() / len(y)
    slopes = torch.zeros(x.shape[1], num_levels, dtype=torch.float64, requires_grad=True)
    start = share.log().clone().requires_grad_()
    optimizer = torch.optim.LBFGS([slopes, start], max_iter=MOST_STEPS, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimizer.zero_grad()
        found = cross_entropy(x @ slopes + start, y) + ridge / 2 * slopes.square().sum()
        found.backward()
        return float(found.detach())

    with torch.enable_grad():
        optimizer.step(loss)
    found: NDArray[np.float64] = slopes.detach().numpy() / sd[:, None]
    return np.concatenate([found, (start.detach().numpy() - middle @ found)[None]])
