"""Random projections of what a model says of all classes: on average over draws no class can cancel another."""

import math
import weakref
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from corrigible.errors import UnsupportedModelError
from corrigible.models.ensemble import member_outputs
from corrigible.models.forward import Forward


@dataclass(frozen=True)
class RandomProjection:
    """The log-probabilities, or the standardised outputs of another task, weighted by fresh standard normal draws.

    With v ~ N(0, I) and J the Jacobian of the log-probabilities, E[(vᵀJ)ᵢ²] = ‖J₍:,ᵢ₎‖²: on average over draws, the
    squared gradient is the sum over all classes, and no class can cancel another.
    """

    forward: "weakref.ref[Forward]"
    """Weak, because the pass keeps the gradients of its scores."""
    classes: tuple[int, ...] | None = None
    """The classes whose log-probabilities count; None for all."""

    def __call__(
        self, outputs: Float[Tensor, " batch output"], target: Shaped[Tensor, " batch *any"]
    ) -> Float[Tensor, " batch"]:
        forward = self.forward()
        assert forward is not None
        values = forward.task.standard(outputs)
        direction = forward.normal("random_projection", values.shape[1])
        return of_classes_alone(values * direction, self.classes).sum(dim=1)


@dataclass(frozen=True)
class MemberProjection:
    """Like `RandomProjection`, of what each member of an ensemble says, over the root of their number.

    On average over draws, the squared gradient is the mean of the members' own. The mean of their probabilities hides
    all but the least sure member: of a class that is not the label, its logarithm follows the largest of them. Only for
    the pass's own outputs, as penalties ask for them.

    Raises:
        UnsupportedModelError: the model is no ensemble, or outputs of something else than this pass.
    """

    forward: "weakref.ref[Forward]"
    classes: tuple[int, ...] | None = None

    def __call__(
        self, outputs: Float[Tensor, " batch output"], target: Shaped[Tensor, " batch *any"]
    ) -> Float[Tensor, " batch"]:
        forward = self.forward()
        if forward is None or outputs is not forward.outputs:
            raise UnsupportedModelError(
                "member_projection is about the members in one pass, as penalties run it; explain a member by itself"
            )
        values = torch.stack([forward.task.standard(member) for member in member_outputs(forward)], dim=2)
        direction = forward.normal("member_projection", *values.shape[1:])
        found = of_classes_alone(values * direction, self.classes).flatten(1).sum(dim=1)
        return found / math.sqrt(values.shape[2])


def of_classes_alone(
    values: Float[Tensor, " batch num_classes *member"], classes: tuple[int, ...] | None
) -> Float[Tensor, " batch some *member"]:
    """The columns of these classes; all for None."""
    return values if classes is None else values[:, list(classes)]
