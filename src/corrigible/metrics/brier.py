"""Brier 1950, verification of forecasts expressed in terms of probability."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from corrigible.tasks.classes import require_labels


def brier_score(probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Squared distance between the probabilities and the label, summed over the classes, in [0, 2]; lower is better.

    The mean over rows of Σ (p − 1)² for the label and p² for other classes, as Brier defined it. Of two classes it is
    twice the score that looks at one of them, which scikit-learn's ``brier_score_loss`` gives.
    """
    require_labels(y, probs.shape[1])
    return (probs.double() - one_hot(y.long(), probs.shape[1]).double()).square().sum(dim=1).mean()
