"""Ensembles of models; where members disagree, the data does not determine which of them is right."""

import math
from collections.abc import Sequence
from typing import TypeGuard

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from corrigible.errors import UnsupportedModelError
from corrigible.models.forward import Forward
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.packed import Packed
from corrigible.models.tabm import TabM
from corrigible.tasks import CLASSES
from corrigible.types import Task


class Ensemble(nn.Module):
    """A model whose prediction is the mean of its members' predictions.

    For classes its output is the logarithm of the mean probabilities: logits whose softmax is that mean. Members share
    no weights unless they are built that way.

    Args:
        members: models that give logits, or the outputs of another task.
        task: what the outputs mean.
    """

    def __init__(self, members: Sequence[nn.Module], *, task: Task = CLASSES) -> None:
        super().__init__()
        self.task = task
        if not members:
            raise UnsupportedModelError("the ensemble has no members; expected at least one model")
        self.members = nn.ModuleList(members)

    def forward(self, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch output"]:
        return self.combined(self.member_outputs(x))

    def combined(self, outputs: Float[Tensor, " member batch output"]) -> Float[Tensor, " batch output"]:
        """The outputs whose prediction is the mean over the members."""
        return self.task.combined(outputs)

    def member_outputs(self, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " member batch output"]:
        """The outputs of each member; each gets its own copy of x, because it may change x in place."""
        return torch.stack([self.task.outputs(member(x.clone())) for member in self.members])


def is_ensemble(model: nn.Module) -> TypeGuard[Ensemble | Packed | TabM]:
    """Whether several members answer together, which share their weights or do not."""
    return isinstance(model, Ensemble | Packed | TabM)


def disagreement(
    model: nn.Module, x: Float[Tensor, " batch *input"], *, rows_at_once: int = 256
) -> Float[Tensor, " batch"]:
    """How much the members disagree on each row: the mutual information of prediction and member, in nats.

    The entropy of the mean probabilities minus the mean entropy of the members' probabilities (Houlsby, Huszár,
    Ghahramani and Lengyel 2011, Bayesian active learning for classification and preference learning, equation 2). It is
    0 if all members give the same probabilities, even if these are uncertain, and at most the logarithm of the number
    of members or of classes, whichever is less.

    Raises:
        UnsupportedModelError: the model is not an ensemble, or of a task without classes.
    """
    if not is_ensemble(model):
        raise UnsupportedModelError(_no_ensemble(model))
    task = CLASSES if isinstance(model, TabM) else model.task
    if task.logits is None:
        raise UnsupportedModelError(f"disagreement is about classes; the ensemble's task is {task.name!r}")
    found = []
    with evaluating(model), torch.no_grad():
        for rows in like_parameters(x, model).split(rows_at_once):
            log_probs = torch.stack([log_softmax(task.logits(of), dim=1) for of in model.member_outputs(rows)])
            found.append((_entropy(_log_mean(log_probs)) - _entropy(log_probs).mean(dim=0)).clamp_min(0))
    return torch.cat(found)


def member_outputs(forward: Forward) -> list[Float[Tensor, " batch output"]]:
    """The outputs of each member of the ensemble in this pass; the ensemble may be part of a larger model.

    Raises:
        UnsupportedModelError: there is no ensemble in the model.
    """
    named = ((name, module) for name, module in forward.model.named_modules() if is_ensemble(module))
    name, ensemble = next(named, (None, None))
    if ensemble is None:
        raise UnsupportedModelError(_no_ensemble(forward.model))
    prefix = f"{name}.members" if name else "members"
    read = forward.task.outputs
    if isinstance(ensemble, Packed | TabM):
        return [read(outputs) for outputs in ensemble.by_member(forward.activation(prefix))]
    return [read(forward.activation(f"{prefix}.{place}")) for place in range(len(ensemble.members))]


def _log_mean(log_probs: Float[Tensor, " member batch num_classes"]) -> Float[Tensor, " batch num_classes"]:
    return log_probs.logsumexp(dim=0) - math.log(len(log_probs))


def _entropy(log_probs: Float[Tensor, " *rows num_classes"]) -> Float[Tensor, " *rows"]:
    return -torch.xlogy(log_probs.exp(), log_probs.exp()).sum(dim=-1)


def _no_ensemble(model: nn.Module) -> str:
    return f"the model is a {type(model).__name__}, with no Ensemble in it; build Ensemble([model, another])"
