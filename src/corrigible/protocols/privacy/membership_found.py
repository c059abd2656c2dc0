"""How well an attack told members from others, and what limits it."""

from dataclasses import dataclass

from jaxtyping import Float
from markupsafe import Markup, escape
from torch import Tensor

from corrigible.html_table import table_html
from corrigible.protocols.privacy.measured_success import with_interval
from corrigible.types import Measurement, Measurements

NAMES = {
    "membership_auc": "AUC, 0.5 is guessing",
    "membership_advantage": "advantage, 0 is guessing",
    "membership_tpr_at_1pct_fpr": "members found at 1 % false positives",
    "membership_tpr_at_0.1pct_fpr": "members found at 0.1 % false positives",
}


@dataclass(frozen=True)
class MembershipInference:
    """What `membership_inference` found."""

    method: str
    num_members: int
    num_others: int
    success: tuple[Measurement, ...]
    """AUC, advantage, and the share of members found at few false positives, each with its 95 % interval."""
    member_scores: Float[Tensor, " member"]
    """Higher where the attacker takes the row for a member."""
    other_scores: Float[Tensor, " other"]
    num_shadow_models: int = 0
    notes: tuple[str, ...] = ()
    """What limits the attack."""

    @property
    def auc(self) -> float:
        """The probability that a member has a higher score than another row."""
        value = self.success[0].value
        assert value is not None
        return value

    def measurements(self) -> list[Measurement]:
        """The same, as `evaluate` gives measurements."""
        return Measurements(self.success)

    def __str__(self) -> str:
        lines = [f"  {NAMES[found.metric]}: {with_interval(found)}" for found in self.success]
        return "\n".join([self._title, *lines, *(f"  Note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        cells = [(NAMES[found.metric], with_interval(found)) for found in self.success]
        notes = Markup("<br>").join(escape(note) for note in self.notes)
        table = table_html(("", "value (95 % interval)"), cells)
        return Markup("<p><b>{}</b></p>").format(self._title) + table + Markup("<p>{}</p>").format(notes)

    @property
    def _title(self) -> str:
        by = f" with {self.num_shadow_models} shadow models" if self.num_shadow_models else ""
        told = f"{self.num_members:,} members told from {self.num_others:,} others"
        return f"Membership inference by {self.method}{by}: {told}"
