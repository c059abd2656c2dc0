"""Ask the model about changes of rows: is the answer the wanted one, and which way does it lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from corrigible.errors import NoGradientError
from corrigible.explanations.counterfactuals.plausible import Neighbourhood
from corrigible.explanations.counterfactuals.space import Places, Space, Values
from corrigible.explanations.counterfactuals.wishes import Wish
from corrigible.models.modes import like_parameters
from corrigible.models.predictive import predictive
from corrigible.types import Task


def outputs_of(
    model: nn.Module, x: Float[Tensor, " row column"], task: Task, rows_at_once: int
) -> Float[Tensor, " row output"]:
    """The outputs of rows, on the CPU and without a gradient."""
    with torch.no_grad():
        # A copy: a model that works in place would overwrite the rows.
        parts = [
            predictive(model, like_parameters(part, model).clone(), task=task).outputs.cpu()
            for part in x.split(rows_at_once)
        ]
    return torch.cat(parts)


@dataclass(frozen=True)
class Asking:
    """A model, ready to answer, and what is wanted of rows; the caller keeps the model `untouched`."""

    model: nn.Module
    space: Space
    wish: Wish
    x: Float[Tensor, " row column"]
    """The rows themselves, as the model takes them."""
    near: Mapping[int, Neighbourhood]
    """Of each kind of wish, see `Wish.kinds`, the rows of data that fulfil it."""
    usual: Float[np.ndarray, " row"]
    """How far from rows of data with the wanted answer a result may be; NaN where that is not known."""
    is_bounded: bool
    """Whether a result must be as near to rows of data as is usual among these."""
    rows_at_once: int

    @cached_property
    def kinds(self) -> np.ndarray:
        return self.wish.kinds(len(self.x)).numpy()

    def encoded(self, changed: Values, rows: Places) -> Float[Tensor, " some column"]:
        """The rows after the changes as the model takes them; what does not change is as it was, bit for bit."""
        after = self.space.after(changed, rows)
        same = ~self.space.differs(after, rows)
        before = self.x[torch.from_numpy(rows)]
        kept = np.zeros(before.shape, dtype=bool)
        for place, feature in enumerate(self.space.schema.features):
            kept[:, [*feature.places, *([] if feature.mark is None else [feature.mark])]] = same[:, place, None]
        return torch.where(torch.from_numpy(kept), before, self.space.schema.encoded(after).to(before))

    def outputs(self, x: Float[Tensor, " some column"]) -> Float[Tensor, " some output"]:
        """The model's outputs, on the CPU."""
        if not len(x):
            return self.outputs(self.x[:1])[:0]
        return outputs_of(self.model, x, self.wish.task, self.rows_at_once)

    def margins(self, changed: Values, rows: Places) -> Float[np.ndarray, " some"]:
        """How clearly the answers are the wanted ones, above 0 where they are."""
        if not len(rows):
            return np.zeros(0)
        outputs = self.outputs(self.encoded(changed, rows))
        return np.asarray(self.wish.margin(outputs, torch.from_numpy(rows)).double().numpy())

    def slopes(
        self, changed: Values, rows: Places
    ) -> tuple[Float[np.ndarray, " some"], Float[np.ndarray, " some column"]]:
        """The margins and their gradient with respect to the columns of the rows after the changes."""
        margins, slopes = [], []
        for x, place in zip(
            self.encoded(changed, rows).split(self.rows_at_once),
            torch.from_numpy(rows).split(self.rows_at_once),
            strict=True,
        ):
            tracked = like_parameters(x, self.model).clone().requires_grad_()
            outputs = predictive(self.model, tracked, task=self.wish.task).outputs
            if not outputs.requires_grad:
                raise NoGradientError(
                    "the model gives answers without a gradient, which the search follows; nearest_unlike needs none"
                )
            margin = self.wish.margin(outputs, place)
            slopes.append(_gradient(margin.sum(), tracked))
            margins.append(margin.detach().cpu().double())
        return torch.cat(margins).numpy(), torch.cat(slopes).numpy()

    def distances(self, changed: Values, rows: Places) -> Float[np.ndarray, " some"]:
        """How far each is from the nearest row of data with the wanted answer; NaN where there is none."""
        found, kinds = np.full(len(rows), np.nan), self.kinds[rows]
        for kind, near in self.near.items():
            some = np.flatnonzero(kinds == kind)
            if len(some):
                found[some] = near.distance(self.encoded(changed[some], rows[some]))
        return found

    def is_plausible(self, changed: Values, rows: Places) -> Bool[np.ndarray, " some"]:
        """Where a result is as near to rows of data as is usual, or need not be."""
        if not self.is_bounded or not len(rows):
            return np.ones(len(rows), dtype=bool)
        return np.asarray(self.distances(changed, rows) <= self.usual[rows])

    def fulfils(self, changed: Values, rows: Places) -> Bool[np.ndarray, " some"]:
        """Where a change is allowed, plausible where it must be, and the model gives the wanted answer."""
        found = self.space.feasible(changed, rows)
        for check in (self.is_plausible, lambda *some: self.margins(*some) > 0):
            some = np.flatnonzero(found)
            found[some] = check(changed[some], rows[some])
        return found


def _gradient(of: Tensor, tracked: Tensor) -> Tensor:
    """The gradient on the CPU; 0 where the outputs do not depend on the rows at all."""
    (found,) = torch.autograd.grad(of, tracked, allow_unused=True)
    return (torch.zeros_like(tracked) if found is None else found).cpu().double()
