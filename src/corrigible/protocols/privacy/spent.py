"""What private training cost, as it is kept in a run and said in a line."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from corrigible.protocols.privacy.accounting import Accountant, Spent, epsilon_of


@dataclass(frozen=True)
class PrivacySpent:
    """ε and δ of a model's training, and what they follow from.

    Rows without feedback are in label batches alone. Reviewed rows are in batches of their own too, so that their ε is
    larger.
    """

    epsilon: float
    """Of rows without feedback."""
    reviewed_epsilon: float | None
    """Of reviewed rows; None where no penalty drew any."""
    delta: float
    noise_multiplier: float
    """Standard deviation of the noise on a sum of clipped gradients, in units of ``max_grad_norm``."""
    max_grad_norm: float
    max_reviewed_norm: float | None
    """Of the gradient of a reviewed row's penalties; None where no penalty drew any."""
    num_steps: int
    rate: float
    """The probability that a row is in a step's label batch."""
    reviewed_rate: float | None
    """The probability that a reviewed row is in a step's batch of reviewed rows."""
    accountant: Accountant
    is_seeded: bool
    """Whether noise and batches repeat with the run's seed: then whoever knows the seed is not kept from anything."""
    history: tuple[Spent, ...]
    """All steps of rows without feedback, those of earlier private trainings of the model first."""
    reviewed_history: tuple[Spent, ...]

    @property
    def line(self) -> str:
        """ε and δ in one sentence."""
        reviewed = "" if self.reviewed_epsilon is None else f", of reviewed rows ε = {self.reviewed_epsilon:.3g}"
        seeded = "; its noise repeats with the seed, so this holds only for who does not know it" * self.is_seeded
        return (
            f"differentially private: ε = {self.epsilon:.3g}{reviewed} at δ = {self.delta:g} ({self.num_steps} steps, "
            f"noise multiplier {self.noise_multiplier:.3g}, gradients clipped to {self.max_grad_norm:g}){seeded}"
        )

    def as_record(self) -> dict[str, Any]:
        """What a run keeps: all fields, and the sentence."""
        return {**asdict(self), "said": self.line}


def spent_from(record: Mapping[str, Any]) -> PrivacySpent:
    """The record of a run, read again."""
    kept = {name: value for name, value in record.items() if name != "said"}
    for name in ("history", "reviewed_history"):
        kept[name] = tuple((noise, rate, steps) for noise, rate, steps in kept[name])
    return PrivacySpent(**kept)


def spent_of(now: Spent, reviewed: Spent | None, before: PrivacySpent | None, **settings: Any) -> PrivacySpent:
    """The record of a training, which adds to what an earlier private training of the same model cost."""
    delta, accountant = settings["delta"], settings["accountant"]
    earlier = () if before is None else before.history
    history = (*earlier, now)
    of_reviewed = before.reviewed_history if before is not None and before.reviewed_history else earlier
    reviewed_history = (*of_reviewed, now, *([reviewed] if reviewed else []))
    has_reviewed = reviewed_history != history
    settings["is_seeded"] |= before is not None and before.is_seeded
    return PrivacySpent(
        epsilon=epsilon_of(history, delta, accountant),
        reviewed_epsilon=epsilon_of(reviewed_history, delta, accountant) if has_reviewed else None,
        noise_multiplier=now[0],
        rate=now[1],
        num_steps=now[2],
        reviewed_rate=None if reviewed is None else reviewed[1],
        history=history,
        reviewed_history=reviewed_history if has_reviewed else (),
        **settings,
    )
