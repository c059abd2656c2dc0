"""Ross, Pan, Celi and Doshi-Velez 2020, Ensembles of locally independent prediction models.

The penalty of their equation for classification: members may agree on the data, but not for the same reasons.
"""

from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.errors import UnsupportedModelError
from corrigible.explanations.marks.shares import directions
from corrigible.explanations.scores import score_named
from corrigible.models.centring import centred
from corrigible.models.ensemble import member_outputs
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(rows="labelled")
def local_independence(forward: Forward, batch: Batch, *, score: str = "target_log_prob") -> Float[Tensor, ""]:
    """Squared cosine between the members' input gradients, from 0 to 1, averaged over rows and pairs of members.

    It is 0 if no two members respond to the same change of the input. A member whose gradient is 0 is independent of
    all others. It shares the label pass: if a normalisation layer mixes the rows of a batch, the gradients mix them
    too. Train the members with `member_task_loss`, so that each learns the labels by itself.

    Raises:
        UnsupportedModelError: the model is not an ensemble, or has a single member.
        RecipeError: an unknown score.
    """
    logits, measure = member_outputs(forward), score_named(score, forward)
    if len(logits) < 2:
        raise UnsupportedModelError("local_independence compares members; the ensemble has 1, give it another")
    gradients = [forward.gradient(measure(member, forward.target).sum(), forward.x) for member in logits]
    members = [directions(centred(gradient, batch.columns).flatten(1)) for gradient in gradients]
    cosines = [(one * other).sum(dim=1) for one, other in combinations(members, 2)]
    return torch.stack(cosines).square().mean()
