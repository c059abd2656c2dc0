"""What an attacker infers of an attribute with and without what a model gives out."""

from dataclasses import dataclass

from markupsafe import Markup

from corrigible.html_table import table_html
from corrigible.printable import plural
from corrigible.protocols.privacy.measured_success import with_interval
from corrigible.types import Measurement, Measurements

WITHOUT = "the other columns alone"


@dataclass(frozen=True)
class AttributeAttack:
    """How well the attribute is inferred from something."""

    seen: str
    """What the attacker sees, such as "the other columns alone"."""
    success: Measurement
    """The share of rows of which the class is inferred, or R² for amounts."""
    auc: Measurement | None
    """0.5 for nothing, 1 for all; of several classes the mean of each against the others. None for amounts."""
    gain: Measurement | None
    """What this adds to the success with the other columns alone, or to that of the most frequent class where it is
    higher, with a paired interval; None for the other columns themselves."""
    auc_gain: Measurement | None


@dataclass(frozen=True)
class AttributeInference:
    """What `attribute_inference` found."""

    attribute: str
    classes: tuple[str, ...]
    """Empty for amounts."""
    num_rows: int
    majority: float
    """The success of who always names the most frequent class, or the mean."""
    attacks: tuple[AttributeAttack, ...]
    """First from the other columns alone, then with the prediction, then with each thing that is served beside it."""
    more: tuple[Measurement, ...] = ()
    """What each thing served adds to the success with the prediction, with a paired interval."""

    @property
    def without(self) -> AttributeAttack:
        """From the other columns alone: what is told without the model."""
        return self.attacks[0]

    @property
    def with_prediction(self) -> AttributeAttack:
        return self.attacks[1]

    @property
    def gain(self) -> float:
        """What the prediction adds to the success without the model."""
        assert self.with_prediction.gain is not None and self.with_prediction.gain.value is not None
        return self.with_prediction.gain.value

    def measurements(self) -> list[Measurement]:
        """The same, as `evaluate` gives measurements; their part says what the attacker sees."""
        found = [Measurement("attribute_inference_majority", self.majority, count=self.num_rows)]
        for attack in self.attacks:
            found += [one for one in (attack.success, attack.auc, attack.gain, attack.auc_gain) if one is not None]
        return Measurements([*found, *self.more])

    def __str__(self) -> str:
        lines = [f"  from {cells[0]}: " + ", ".join(_told(self._header, cells)) for cells in self._cells]
        return "\n".join([self._title, *lines, *(f"  {line}" for line in self._more)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        more = Markup("<br>").join(self._more)
        table = table_html(self._header, self._cells)
        return Markup("<p><b>{}</b></p>").format(self._title) + table + Markup("<p>{}</p>").format(more)

    @property
    def _more(self) -> list[str]:
        return [f"{found.part} adds to the prediction: {with_interval(found)}" for found in self.more]

    @property
    def _title(self) -> str:
        guess = "the most frequent class" if self.classes else "the mean"
        rows = plural(self.num_rows, "row")
        return f"Attribute inference of {self.attribute} on {rows}; always {guess}: {self.majority:.3f}"

    @property
    def _header(self) -> tuple[str, ...]:
        return ("seen", "accuracy", "gain", "AUC", "AUC gain") if self.classes else ("seen", "R²", "gain")

    @property
    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                attack.seen,
                *(
                    "" if one is None else with_interval(one)
                    for one in (attack.success, attack.gain, attack.auc, attack.auc_gain)[: len(self._header) - 1]
                ),
            )
            for attack in self.attacks
        ]


def _told(header: tuple[str, ...], cells: tuple[str, ...]) -> list[str]:
    return [f"{name} {cell}" for name, cell in zip(header[1:], cells[1:], strict=True) if cell]
