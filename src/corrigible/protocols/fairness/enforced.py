"""What enforcing a gap between groups reached, what it cost, and what the other gaps did."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from markupsafe import Markup
from torch import Tensor

from corrigible.errors import DataError
from corrigible.figures import number
from corrigible.html_table import table_html
from corrigible.intervals import percentile_interval, resamples
from corrigible.printable import plural
from corrigible.protocols.fairness.group_means import GroupMeans
from corrigible.protocols.fairness.judged_groups import JudgedGroups, kinds_of
from corrigible.protocols.fairness.weight_for_gap import GapTrial
from corrigible.types import Measurement, Measurements

NUM_RESAMPLES = 100
ROSE = "rose"


@dataclass(frozen=True)
class Enforced:
    """A model before and after a gap between groups was enforced, on the same rows."""

    penalty: str
    sensitive: str
    """The name of the attribute; "" for the groups."""
    asked: float
    reached: float
    """On the rows by which the weight was chosen, which the trials did not learn from."""
    has_reached: bool
    weight: float
    trials: tuple[GapTrial, ...]
    """Each weight that was tried, with its gap and its loss."""
    before: Measurements
    """Quality, loss and all gaps that the rows can have, by what the model decides; 95 % intervals hold their gaps."""
    after: Measurements
    change: Measurements
    """After minus before, with paired intervals."""
    groups: tuple[GroupMeans, ...]
    """How often each group is decided for, or what it pays; none for several classes, or along a number."""
    by_chance: float | None
    """The gap that chance alone brings on the rows by which the weight was chosen; None where it was not measured."""
    positive: str
    """The class whose rate is compared, where two classes have names."""
    note: str
    """Which groups were not judged."""
    seconds: float
    ruin: str = ""
    """Why the copy is not worth having, though its gap is small; "" where it still predicts."""

    def __str__(self) -> str:
        lines = [f"  {name}: {before} → {after}, change {change}" for name, before, after, change in self._rows]
        groups = [f"  {self._of_groups}: {'; '.join(map(str, self.groups))}"] if self.groups else []
        return "\n".join([self._title, *lines, *groups, *([f"  {self.note}"] if self.note else [])])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        table = table_html(("", "before", "after", "change (95 % interval)"), self._rows)
        groups = [
            (group.name, f"{group.num_rows:,}", number(group.before), number(group.after)) for group in self.groups
        ]
        beside = table_html((self._of_groups, "rows", "before", "after"), groups) if groups else ""
        return Markup("<p><b>{}</b> {}</p>").format(self._title, self.note) + table + beside

    @property
    def line(self) -> str:
        """What was asked and reached, in one line."""
        of = f" of {self.sensitive}" if self.sensitive else ""
        about = f" (positive: {self.positive})" if self.positive else ""
        found = f"{self.penalty}{of}{about}: asked for a gap of {number(self.asked)}, reached {number(self.reached)}"
        if self.has_reached and not self.weight:
            return f"{found}: it is there already, nothing was trained for it"
        found = f"{found} on rows that the trials did not learn from"
        if not self.has_reached:
            todo = "" if self.ruin else "; ask for a larger gap, or give more rows"
            found = f"{found}: no weight of {len(self.trials)} reaches it{todo}"
        if self.ruin:
            found = f"{found}, but {self.ruin}"
        if self.by_chance is not None and self.asked < self.by_chance:
            found = f"{found}; among so few rows of each group chance alone brings up to {number(self.by_chance)}"
        rose = [row[0] for row in self._rows if row[3].endswith(ROSE)]
        return f"{found}; other gaps rose: {', '.join(rose)}" if rose else found

    @property
    def _of_groups(self) -> str:
        return self.groups[0].what

    @property
    def _title(self) -> str:
        tried = plural(len(self.trials), "trial")
        return f"{self.line} (weight {number(self.weight)}, {tried}, {number(self.seconds)} seconds)"

    @property
    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [
            (_named(was), _with_interval(was), _with_interval(now), _with_interval(by) + _mark(by))
            for was, now, by in zip(self.before, self.after, self.change, strict=True)
        ]


def compared_groups(before: JudgedGroups, after: JudgedGroups, *, seed: int) -> tuple[Measurements, ...]:
    """Both models and the change, on the same rows, with bootstrap intervals over rows.

    Raises:
        DataError: the rows are not the same.
    """
    if not torch.equal(before.rows.index, after.rows.index):
        raise DataError("the two models are judged on different rows; expected the same")
    names = [before.task.quality_name, "loss", *(f"{name} gap" for name in kinds_of(before))]
    values = [_values(judged) for judged in (before, after)]
    num_rows, drawn = len(before.outputs), list[list[list[float]]]()
    for index in resamples(num_rows, NUM_RESAMPLES, seed):
        counts = index.bincount(minlength=num_rows).double()
        drawn.append([_values(judged.counted(counts)) for judged in (before, after)])
    draws = torch.tensor(drawn, dtype=torch.float64)
    of_both = [(values[0], draws[:, 0]), (values[1], draws[:, 1])]
    of_change = ([now - was for was, now in zip(*values, strict=True)], draws[:, 1] - draws[:, 0])
    was, now, by = (_measurements(names, *found, num_rows) for found in (*of_both, of_change))
    return _holding(was), _holding(now), by


def _values(judged: JudgedGroups) -> list[float]:
    return [judged.quality, judged.loss, *(judged.gap(kind) for kind in kinds_of(judged).values())]


def _measurements(names: list[str], values: list[float], draws: Tensor, num_rows: int) -> Measurements:
    return Measurements(
        Measurement(name, None, note="too few rows")
        if math.isnan(value)
        else Measurement(name, value, *_ends(found), num_rows)
        for name, value, found in zip(names, values, draws.T, strict=True)
    )


def _ends(draws: Float[Tensor, " sample"]) -> tuple[float | None, float | None]:
    """Of the resamples that have a value; none where a tenth of them or more has none."""
    known = draws[~draws.isnan()]
    if len(known) <= 0.9 * len(draws):
        return None, None
    low, high = percentile_interval(known).tolist()
    return low, high


def _holding(found: Measurements) -> Measurements:
    """With intervals of gaps that hold them: on resamples a gap is larger by chance, as it is on few rows.

    The lower end is as far below as the upper end is above, and not below 0: the basic interval of Davison and Hinkley
    1997, Bootstrap methods and their application.
    """
    return Measurements(_held(one) if one.metric.endswith(" gap") else one for one in found)


def _held(gap: Measurement) -> Measurement:
    if gap.value is None or gap.high is None:
        return gap
    high = max(gap.value, gap.high)
    return replace(gap, low=max(0.0, 2 * gap.value - high), high=high)


def _named(found: Measurement) -> str:
    return found.metric.replace("_", " ")


def _with_interval(found: Measurement) -> str:
    if found.value is None:
        return "not measured"
    if found.low is None or found.high is None:
        return f"{number(found.value)} (interval not measured)"
    return f"{number(found.value)} ({number(found.low)} to {number(found.high)})"


def _mark(found: Measurement) -> str:
    """Whether a gap rose for sure."""
    return f" {ROSE}" if found.metric.endswith(" gap") and found.low is not None and found.low > 0 else ""
