"""Accuracy beside accuracy under attack, and beside what is proved."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from markupsafe import Markup, escape
from torch import Tensor

from corrigible.figures import number
from corrigible.html_table import table_html
from corrigible.intervals import share_interval
from corrigible.printable import plural
from corrigible.types import Measurement, Measurements


@dataclass(frozen=True, eq=False, repr=False)
class RobustAccuracy:
    """Which rows a model predicts right, and which of them attacks made it predict wrong."""

    epsilon: float
    """How far an attack may move: each input, with ``l2`` the row, with "cost" as the attacks themselves count it."""
    norm: str
    is_right: Bool[Tensor, " row"]
    """Whether the row is predicted right as it is."""
    fooled: Mapping[str, Bool[Tensor, " row"]]
    """For each attack, which of these rows it made the model predict wrong."""
    warnings: tuple[str, ...] = ()
    """Why the rows that stand may fall to another attack, one sentence each."""

    @property
    def stands(self) -> Bool[Tensor, " row"]:
        """Whether the row is predicted right and no attack changed that."""
        return self.is_right & ~self._by_attack.any(dim=0)

    @property
    def clean(self) -> float:
        """The share of rows that are predicted right."""
        return _share(self.is_right)

    @property
    def robust(self) -> float:
        """The share of rows that are predicted right under the strongest attack on each row."""
        return _share(self.stands)

    @property
    def under(self) -> dict[str, float]:
        """The share of rows that are predicted right under each attack."""
        return {name: _share(self.is_right & ~fooled) for name, fooled in self.fooled.items()}

    @property
    def won(self) -> tuple[str | None, ...]:
        """For each row the first attack that fooled the model; None where none did, or the row was wrong already."""
        names, by_attack = list(self.fooled), self._by_attack
        first = torch.where(by_attack.any(dim=0), by_attack.int().argmax(dim=0), -1).tolist()
        return tuple(names[place] if place >= 0 else None for place in first)

    @property
    def alone(self) -> dict[str, int]:
        """For each attack, on how many rows it alone fooled the model."""
        by_attack = self._by_attack
        once = by_attack.sum(dim=0) == 1
        return {name: int((fooled & once).sum()) for name, fooled in zip(self.fooled, by_attack, strict=True)}

    def measurements(self) -> Measurements:
        """Accuracy, ``robust_accuracy`` under each attack, and under the strongest on each row."""
        within = f"epsilon {self.epsilon:g}, {self.norm}"
        careful = f"{within}; {'; '.join(self.warnings)}" if self.warnings else within
        return Measurements(
            [
                share_measured("accuracy", self.is_right),
                *(
                    share_measured("robust_accuracy", self.is_right & ~fooled, part=name, note=within)
                    for name, fooled in self.fooled.items()
                ),
                share_measured("robust_accuracy", self.stands, note=careful),
            ]
        )

    def __str__(self) -> str:
        lines = [f"Accuracy on {plural(len(self.is_right), 'row')}: {_with_interval(self.is_right)}"]
        lines.append(f"{self._title}: {_with_interval(self.stands)}")
        alone = self.alone
        for name, fooled in self.fooled.items():
            lines.append(f"  {name}: {_with_interval(self.is_right & ~fooled)}; alone on {plural(alone[name], 'row')}")
        return "\n".join([*lines, *(f"  Careful: {warning}" for warning in self.warnings)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        cells = [("none", _with_interval(self.is_right), "")]
        for name, fooled in self.fooled.items():
            cells.append((name, _with_interval(self.is_right & ~fooled), str(self.alone[name])))
        cells.append(("the strongest on each row", _with_interval(self.stands), ""))
        notes = Markup("<br>").join(escape(f"Careful: {warning}") for warning in self.warnings)
        table = table_html(("attack", "accuracy", "rows that it alone fooled"), cells)
        return Markup("<p><b>{}</b></p>").format(self._title) + table + Markup("<p>{}</p>").format(notes)

    @property
    def _title(self) -> str:
        where = {"linf": "each input moved by", "l2": "the row moved by"}.get(self.norm, "changes that cost together")
        return f"Under attack, {where} at most {self.epsilon:g}"

    @property
    def _by_attack(self) -> Bool[Tensor, " attack row"]:
        return torch.stack(list(self.fooled.values()))


@dataclass(frozen=True, eq=False, repr=False)
class CertifiedAccuracy:
    """Which rows a model predicts right, and provably so for every input within epsilon."""

    epsilon: float
    is_right: Bool[Tensor, " row"]
    is_certified: Bool[Tensor, " row"]
    """Whether no change of at most epsilon makes the model predict another class than the label."""

    @property
    def clean(self) -> float:
        """The share of rows that are predicted right."""
        return _share(self.is_right)

    @property
    def certified(self) -> float:
        """The share of rows that are predicted right within epsilon: at most the accuracy under any attack."""
        return _share(self.is_certified)

    def measurements(self) -> Measurements:
        """Accuracy and ``certified_accuracy``."""
        note = f"epsilon {self.epsilon:g}, linf, by interval bounds"
        certified = share_measured("certified_accuracy", self.is_certified, note=note)
        return Measurements([share_measured("accuracy", self.is_right), certified])

    def __str__(self) -> str:
        return (
            f"Accuracy on {plural(len(self.is_right), 'row')}: {_with_interval(self.is_right)}\n"
            f"Certified, each input moved by at most {self.epsilon:g}: {_with_interval(self.is_certified)}"
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> Markup:
        return Markup("<p>{}</p>").format(Markup("<br>").join(map(escape, str(self).splitlines())))


def share_measured(metric: str, holds: Bool[Tensor, " row"], *, part: str = "", note: str = "") -> Measurement:
    """The share of rows of which it holds, with its interval."""
    low, high = share_interval(int(holds.sum()), len(holds))
    return Measurement(metric, _share(holds), low, high, len(holds), part=part, note=note)


def _share(holds: Bool[Tensor, " row"]) -> float:
    return float(holds.double().mean())


def _with_interval(holds: Bool[Tensor, " row"]) -> str:
    low, high = share_interval(int(holds.sum()), len(holds))
    return f"{number(_share(holds))} ({number(low)} to {number(high)})"
