"""Abadi, Chu, Goodfellow, McMahan, Mironov, Talwar and Zhang 2016, Deep learning with differential privacy (DP-SGD).

The gradient of each row's own objective is clipped, the clipped gradients are summed, normal noise is added, and the
sum is divided by the expected number of rows. Rows are drawn by Poisson sampling. Reviewed rows have batches, clipping
and noise of their own. What the optimizer does with the gradient, and penalties that look at no row, cost nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from corrigible.errors import RecipeError
from corrigible.objective import Objective, StepObjective, Term
from corrigible.protocols.privacy.accounting import Accountant, noise_multiplier_for, require_accountant
from corrigible.protocols.privacy.randomness import Randomness, randomness_of
from corrigible.protocols.privacy.row_gradients import (
    RowGradients,
    RowSums,
    gradient_of_weights_alone,
    parameters_of,
)
from corrigible.protocols.privacy.sampling import Sampling
from corrigible.protocols.privacy.spent import PrivacySpent, spent_of


@dataclass(frozen=True, kw_only=True)
class PrivateStep:
    """Steps that keep what the trained weights tell of any one row within ε and δ.

    Give it as the step of a `Schedule`; `run` then draws the rows as it needs them. The model keeps a record,
    ``privacy``, with the ε of rows without feedback and of reviewed rows.

    Raises:
        RecipeError: neither or both of ``epsilon`` and ``noise_multiplier``, or a number out of range.
    """

    epsilon: float | None = None
    """What rows without feedback may cost over the whole run, from which the noise multiplier follows."""
    noise_multiplier: float | None = None
    """Standard deviation of the noise, in units of ``max_grad_norm``; in place of ``epsilon``."""
    delta: float = 1e-5
    """The probability with which ε may be exceeded; below 1 over the number of rows."""
    max_grad_norm: float = 1.0
    """The largest Euclidean norm of a row's gradient; longer ones are scaled down."""
    max_reviewed_norm: float | None = None
    """The same of a reviewed row's penalties; None for ``max_grad_norm``. Reviewed rows are few, so that the noise on
    their mean is large: a smaller norm makes both smaller, noise and penalties."""
    accountant: Accountant = "rdp"
    """"rdp", or "prv", which finds a smaller ε and takes longer."""
    is_seeded: bool = False
    """Whether noise and batches come from the run's seed, so that the run repeats: for research only. Otherwise they
    come from the operating system, and nobody can draw them again."""

    def __post_init__(self) -> None:
        require_accountant(self.accountant)
        if (self.epsilon is None) == (self.noise_multiplier is None):
            raise RecipeError(
                f"a private step has epsilon {self.epsilon} and noise_multiplier {self.noise_multiplier}; expected one "
                "of the two, such as epsilon = 3.0"
            )
        for name in ("epsilon", "noise_multiplier", "max_grad_norm", "max_reviewed_norm"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise RecipeError(f"{name} of a private step is {value}; expected a number above 0")
        if not 0 < self.delta < 1:
            raise RecipeError(f"delta of a private step is {self.delta}; expected a number between 0 and 1")

    @property
    def clip_of_reviewed(self) -> float:
        """The largest norm of the gradient of a reviewed row's penalties."""
        return self.max_grad_norm if self.max_reviewed_norm is None else self.max_reviewed_norm

    def __call__(
        self, num_steps: int, sampling: Sampling | None = None, *, seed: int = 0, before: PrivacySpent | None = None
    ) -> "PrivateSteps":
        """The steps of a run that draws its rows so.

        Args:
            before: the record of an earlier private training of the same model, to which the run adds.

        Raises:
            RecipeError: no ``sampling``: the training does not draw rows as private steps need it.
        """
        if sampling is None:
            raise RecipeError(
                "private steps need rows drawn by Poisson sampling, which this training does not do; give the schedule "
                "to correct, or to corrigible.protocols.schedule.run"
            )
        if self.delta * sampling.num_rows >= 1:
            raise RecipeError(
                f"delta is {self.delta:g}, and there are {sampling.num_rows} rows: it would allow to publish a whole "
                f"row; expected less than {1 / sampling.num_rows:.1g}"
            )
        noise = self.noise_multiplier
        if noise is None:
            assert self.epsilon is not None
            about: dict[str, Any] = {"rate": sampling.rate, "num_steps": num_steps, "accountant": self.accountant}
            noise = noise_multiplier_for(self.epsilon, self.delta, **about)
        return PrivateSteps(self, sampling, noise, randomness_of(seed if self.is_seeded else None), before)


@dataclass
class PrivateSteps:
    """The steps of one run."""

    asked: PrivateStep
    sampling: Sampling
    noise_multiplier: float
    randomness: Randomness
    before: PrivacySpent | None = None
    """The record of an earlier private training of the same model."""

    def __post_init__(self) -> None:
        self.rows = RowGradients()

    def __call__(self, optimizer: Optimizer, objective: StepObjective) -> Objective:
        """Make one step."""
        optimizer.zero_grad()
        active = [term for term in objective.terms if term.weight_at(objective.epoch) != 0]
        of_weights = [term for term in active if term.looks_at == "weights"]
        of_label_rows = [term for term in active if not term.on_reviewed_rows and term not in of_weights]
        of_reviewed = [term for term in active if term.on_reviewed_rows]
        if objective.reviewed is None:
            of_label_rows, of_reviewed = [*of_label_rows, *of_reviewed], []
        gradients, values = gradient_of_weights_alone(objective, of_weights)
        labelled = self._noisy(gradients, objective, objective.batch, of_label_rows, is_labelled=True)
        found = {name: value.detach() for name, value in values.items()} | labelled.penalty_sums
        if of_reviewed and objective.reviewed is not None:
            found |= self._noisy(gradients, objective, objective.reviewed, of_reviewed, is_labelled=False).penalty_sums
        for parameter, gradient in zip(parameters_of(objective.model).values(), gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        losses = torch.cat(labelled.label_losses) if labelled.label_losses else objective.batch.x.new_zeros(0)
        return Objective(losses, found, losses.sum() / self.sampling.expected_rows)

    def _noisy(
        self,
        gradients: Sequence[Tensor],
        objective: StepObjective,
        batch: Any,
        terms: Sequence[Term],
        *,
        is_labelled: bool,
    ) -> RowSums:
        """Add the batch's clipped gradients with noise, over the expected number of rows; penalties become means."""
        if is_labelled:
            clip, expected = self.asked.max_grad_norm, self.sampling.expected_rows
        else:
            clip, expected = self.asked.clip_of_reviewed, self.sampling.expected_reviewed
        found = self.rows.clipped_sums(objective, batch, terms, clip, labelled=is_labelled)
        for gradient, total in zip(gradients, found.sums, strict=True):
            noise = self.randomness.normal(total.numel()).reshape(total.shape).to(total)
            gradient += (total + self.noise_multiplier * clip * noise) / expected
        for term in terms:
            found.penalty_sums[term.name] = found.penalty_sums.get(term.name, torch.zeros(())) / expected
        return found

    def spent(self) -> PrivacySpent:
        """What the model has cost once all steps of the run are done."""
        asked, sampling = self.asked, self.sampling
        now = (self.noise_multiplier, sampling.rate, sampling.num_steps)
        rate = sampling.reviewed_rate
        reviewed = None if rate is None else (self.noise_multiplier, rate, sampling.num_steps)
        settings: dict[str, Any] = {name: getattr(asked, name) for name in ("delta", "max_grad_norm", "accountant")}
        settings["max_reviewed_norm"] = None if rate is None else asked.clip_of_reviewed
        return spent_of(now, reviewed, self.before, is_seeded=asked.is_seeded, **settings)
