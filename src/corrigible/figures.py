"""Charts as inline SVG: the same input gives the same bytes, and nothing is loaded from elsewhere."""

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

# Okabe and Ito's colours, which people with any colour vision tell apart, darkened for contrast on white.
COLOURS = ("#c4510b", "#0067a6", "#5f6672", "#00755a", "#8a3e7d")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2")
SMALLEST, LARGEST = 1e-6, 1e15
"""Numbers beyond are written as powers of ten."""
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LOG_FROM = 100.0
"""Positive values that span more than this factor are drawn on a logarithmic axis."""


@dataclass(frozen=True)
class Line:
    """One line of a chart; points that are not finite are left out."""

    name: str
    points: Sequence[tuple[int, float]]
    style: int
    """Place in ``COLOURS`` and ``DASHES``."""


def number(value: float) -> str:
    """The value as people read it: three decimals, none from 1,000 on, three significant digits below 0.001."""
    size = abs(value)
    if value == 0 or 0.001 <= size < 1000:
        return f"{value:.3f}".replace("-", "−")
    return f"{value:,.0f}".replace("-", "−") if 1000 <= size < LARGEST else _significant(value, 3)


def number_beside(value: float, largest: float) -> str:
    """The value with as many decimals as the largest one that it stands beside."""
    if value == 0 or abs(largest) < 1000 or abs(largest) >= LARGEST:
        return number(value)
    return f"{value:,.0f}".replace("-", "−")


def short_number(value: float) -> str:
    """The value with at most four digits behind the first one that counts, and no trailing zeros.

    Thousands are divided from 10,000 on: a smaller number may be a year.
    """
    size = abs(value)
    if value == 0 or 1000 <= size < LARGEST:
        written = f"{value + 0.0:,.0f}" if round(size) >= 10_000 else f"{value + 0.0:.0f}"
        return written.replace("-", "−")
    return _significant(value, 4)


def percent(share: float, decimals: int = 1) -> str:
    """The share in per cent, with a space that does not break a line."""
    return f"{100 * share:,.{decimals}f}\u00a0%".replace("-", "−")


def signed(value: float, largest: float = 0.0) -> str:
    """The number with its sign, also where it is above 0; with the decimals of the largest that it stands beside."""
    return ("+" if value > 0 else "") + number_beside(value, largest)


def _significant(value: float, digits: int) -> str:
    """Without trailing zeros; as a power of ten where it would take too many places."""
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "unknown")
    rounded = float(f"{value:.{digits}g}")
    exponent = math.floor(math.log10(abs(rounded)))
    if SMALLEST <= abs(rounded) < LARGEST:
        text = f"{rounded:,.{max(digits - 1 - exponent, 0)}f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")
    factor = f"{rounded / 10.0**exponent:.{digits - 1}f}".rstrip("0").rstrip(".").replace("-", "−")
    return f"{factor} × 10{str(exponent).translate(RAISED)}"


def scale_of(values: Iterable[float]) -> tuple[float, float]:
    """Ends of an axis that holds zero and all values, rounded outwards to 1, 2 or 5 times a power of ten."""
    values = [0.0, *values]
    low, high = _rounded_up(-min(values)), _rounded_up(max(values))
    return (-low or 0.0, high) if low or high else (0.0, 1.0)


def dot_and_whisker(
    value: float, low: float | None, high: float | None, *, scale: tuple[float, float], style: int
) -> Markup:
    """A dot at the value and a line over its interval, on a scale shared with other figures.

    Hidden from screen readers: the numbers stand beside it.
    """

    def x(at: float) -> float:
        return round(5 + 180 * (at - scale[0]) / (scale[1] - scale[0]), 2)

    colour = COLOURS[style % len(COLOURS)]
    ends = Markup("").join(Markup('<path class="axis" d="M{} 5v6"/>').format(x(at)) for at in sorted({*scale, 0.0}))
    whisker = Markup("")
    if low is not None and high is not None:
        whisker = Markup('<path d="M{0} 4v8M{1} 4v8M{0} 8H{1}" stroke="{2}" stroke-width="1.5"/>').format(
            x(low), x(high), colour
        )
    dot = Markup('<circle cx="{}" cy="8" r="3.2" fill="{}"/>').format(x(value), colour)
    return Markup(
        '<svg class="whisker" width="190" height="16" viewBox="0 0 190 16" aria-hidden="true">'
        '<path class="axis" d="M5 8H185"/>{}{}{}</svg>'
    ).format(ends, whisker, dot)


def bar_pair(before: float | None, after: float | None, *, longest: float) -> Markup:
    """Two bars, one above the other; ``longest`` is the value of a bar over the full width."""
    bars = Markup("").join(
        Markup('<rect y="{}" width="{}" height="8" fill="{}"/>').format(y, round(100 * value / longest, 2), colour)
        for value, y, colour in ((before, 1, COLOURS[0]), (after, 11, COLOURS[1]))
        if value is not None
    )
    return Markup(
        '<svg class="bars" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(bars)


def line_sample(style: int) -> Markup:
    """A short piece of the line, for a legend."""
    return Markup(
        '<svg class="sample" width="34" height="10" viewBox="0 0 34 10" aria-hidden="true">'
        '<path d="M1 5H33" stroke="{}" stroke-width="2" stroke-dasharray="{}"/></svg>'
    ).format(COLOURS[style % len(COLOURS)], DASHES[style % len(DASHES)])


def line_chart(title: str, lines: Sequence[Line]) -> Markup:
    """A quantity by epoch, one line per curve, with a logarithmic axis where linear would hide the small values."""
    lines = [Line(line.name, [p for p in line.points if math.isfinite(p[1])], line.style) for line in lines]
    lines = [line for line in lines if line.points]
    if not lines:
        return Markup('<p class="missing">{}: not measured: no finite value</p>').format(title)
    values = [value for line in lines for _, value in line.points]
    is_log = min(values) >= sys.float_info.min and max(values) / min(values) > LOG_FROM
    ticks = _decades(min(values), max(values)) if is_log else _ticks(min(values), max(values))
    last = max(epoch for line in lines for epoch, _ in line.points)

    def x(epoch: int) -> float:
        return round(52 + 276 * (epoch - 1) / max(last - 1, 1), 2)

    def y(value: float) -> float:
        at, low, high = (math.log10(v) if is_log else v for v in (value, ticks[0], ticks[-1]))
        return round(160 - 122 * (at - low) / (high - low), 2)

    grid = Markup("").join(
        Markup('<path class="grid" d="M52 {0}H328"/><text x="46" y="{1}" text-anchor="end">{2}</text>').format(
            y(tick), y(tick) + 4, short_number(tick)
        )
        for tick in ticks
    )
    epochs = Markup("").join(
        Markup('<text x="{}" y="177" text-anchor="middle">{}</text>').format(x(epoch), epoch) for epoch in _epochs(last)
    )
    drawn = Markup("").join(_polyline([(x(e), y(v)) for e, v in line.points], line.style) for line in lines)
    told = "; ".join(f"{r.name} from {number(r.points[0][1])} to {number(r.points[-1][1])}" for r in lines)
    scale = Markup('<tspan class="aside"> (log scale)</tspan>') if is_log else ""
    return Markup(
        '<svg class="chart" viewBox="0 0 340 200" role="img" aria-label="{} by epoch: {}">'
        '<text x="4" y="16" class="title">{}{}</text>{}{}{}'
        '<text x="190" y="195" text-anchor="middle">epoch</text></svg>'
    ).format(title, told, title, scale, grid, epochs, drawn)


def shaded(share: float, style: int) -> str:
    """The colour mixed with white, light enough for dark text on it; ``share`` in [0, 1]."""
    channels = (int(COLOURS[style][i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 - 0.55 * share * (255 - channel)):02x}" for channel in channels)


def _polyline(points: Sequence[tuple[float, float]], style: int) -> Markup:
    colour, dash = COLOURS[style % len(COLOURS)], DASHES[style % len(DASHES)]
    return Markup(
        '<polyline points="{}" stroke="{}" stroke-dasharray="{}"/><circle cx="{}" cy="{}" r="3" fill="{}"/>'
    ).format(" ".join(f"{x:g},{y:g}" for x, y in points), colour, dash, *points[-1], colour)


def _rounded_up(value: float) -> float:
    if value < sys.float_info.min:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(value))
    # The small slack keeps 0.1 + 0.2 from being more than 0.3.
    return float(f"{next(unit * k for k in (1, 2, 5, 10) if unit * k >= value * (1 - 1e-9)):.12g}")


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from at most ``low`` to at least ``high``; a range far from zero does not start there."""
    if low >= 0 and low < high / 2:
        low = 0.0
    step = _rounded_up((high - low) / 4) or _rounded_up(abs(high) / 4) or 1.0
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{step * k:.12g}") for k in range(first, max(last, first + 1) + 1)]


def _decades(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    step = math.ceil((last - first) / 5)
    return [10.0**k for k in range(first, last + step, step)]


def _epochs(last: int) -> list[int]:
    if last == 1:
        return [1]
    step = max(1, round(_rounded_up(last / 6)))
    return [1, *range(step if step > 1 else 2, last + 1, step)]
