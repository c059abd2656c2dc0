"""What limiting an influence cost, and what the limited input can still do."""

from dataclasses import dataclass

from markupsafe import Markup

from corrigible.figures import number, percent
from corrigible.html_table import table_html
from corrigible.surgery import Proxy
from corrigible.types import Measurement, Measurements

ROUNDING = 1e-6
"""What is smaller is written as 0: a network rounds a row differently in batches of different size."""


@dataclass(frozen=True)
class Limited:
    """A model before and after its influence was limited, on the same rows."""

    what: str
    """The features, inputs or units."""
    how: str
    """What stands in their place."""
    share_before: float
    """Of the explanation: over inputs by integrated gradients, DeepLIFT or Shapley values, over the units of a layer by
    deviation × gradient."""
    share_after: float
    before: Measurements
    """Quality; for inputs also how far predictions move when they hold other rows' values (``mean_shift``) or are
    mirrored (``flip_effect``), and the gap between groups where the data has groups."""
    after: Measurements
    change: Measurements
    """After minus before, with paired intervals."""
    proxies: tuple[Proxy, ...]
    """How well the other inputs, or the other units of the layer, tell each limited one; empty where inputs have no
    names. What they tell, they can stand in for."""
    told_before: tuple[Proxy, ...]
    """How well the predictions alone tell each limited feature, before and after."""
    told_after: tuple[Proxy, ...]
    seconds: float
    """What the surgery took, without the measurements."""

    def __str__(self) -> str:
        return "\n".join([self._title, *(f"  {row[0]}: {self._words(row)}" for row in self._rows)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        table = table_html(("", "before", "after", "change (95 % interval)"), self._rows)
        return Markup("<p><b>{}</b></p>").format(self._title) + table

    @property
    def _title(self) -> str:
        return f"{self.what}: {self.how}, in {number(self.seconds)} seconds"

    @staticmethod
    def _words(row: tuple[str, str, str, str]) -> str:
        _, before, after, change = row
        return f"{before} → {after}" + (f", change {change}" if change else "") if before else after

    @property
    def _rows(self) -> list[tuple[str, str, str, str]]:
        shares = ("share of the explanation", percent(self.share_before), percent(self.share_after), "")
        measured = [
            (_named(before), _value(before), _value(after), _with_interval(change))
            for before, after, change in zip(self.before, self.after, self.change, strict=True)
        ]
        told = [
            (f"the prediction tells {before.name} ({before.measure})", _told(before), _told(after), "")
            for before, after in zip(self.told_before, self.told_after, strict=True)
        ]
        others = [(f"the others tell {found.name} ({found.measure})", "", _told(found), "") for found in self.proxies]
        return [shares, *measured, *told, *others]


def _named(found: Measurement) -> str:
    name = found.metric.replace("_", " ")
    return f"{name} of {found.part}" if found.part else name


def _value(found: Measurement) -> str:
    return "not measured" if found.value is None else number(found.value if abs(found.value) > ROUNDING else 0.0)


def _told(found: Proxy) -> str:
    return "not measured" if found.value is None else number(found.value)


def _with_interval(found: Measurement) -> str:
    if found.value is None or found.low is None or found.high is None:
        return _value(found)
    return f"{number(found.value)} ({number(found.low)} to {number(found.high)})"
