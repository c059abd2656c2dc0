"""How a score comes about: a flow from the inputs through the few important units to the output."""

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from corrigible.errors import DataError
from corrigible.explanations.summaries.node_importance import Link, NodeImportance, Unit
from corrigible.figures import percent
from corrigible.plots.style import (
    FAINT,
    INK,
    MUTED,
    NEGATIVE,
    NORMAL,
    POSITIVE,
    describe,
    key_below,
    new_figure,
    shortened,
    text_style,
)
from corrigible.printable import plural

BETWEEN, BAR, NAME, ANSWER = 1.75, 0.12, 2.15, 1.15
"""Inches across: from one column to the next, a bar, the names on the left, the one on the right."""
SCALE, LEAST, GAP = 3.0, 0.16, 0.12
"""Inches down: a share of 1, what a bar takes at least, the space below it."""
REST = "rest"
KEY = (
    "thick: much of the score · red: raises it, blue: lowers it, pale: depends on the row",
    "grey: all others of the column; bands between units are of those shown",
)


class _Bar(NamedTuple):
    """A feature, a unit or the output: what is written beside it, and its share of its column."""

    key: Hashable
    name: str
    share: float


class _Band(NamedTuple):
    """What flows from one bar to another, as a share of either's column; its colour by mean over size, -1 to 1."""

    source: Hashable
    target: Hashable
    leaves: float
    arrives: float
    lean: float | None
    """None for what is not shown one by one."""


class _Place(NamedTuple):
    across: float
    top: float
    height: float


def importance_flow(
    found: NodeImportance, *, max_features: int = 8, output: str = "the score", title: str = ""
) -> Figure:
    """A band from each input through the most important units of each layer to the output.

    A bar is as high as its share of the absolute contributions of its column; a band at either end as thick as its
    share of that bar. All contributions are in units of the score, so a colour means the same everywhere.

    Args:
        found: as `node_importance` gives it.
        max_features: the most inputs that are named; the rest are one bar.
        output: the name of what is explained, such as that of a class.

    Raises:
        DataError: max_features below 1, or a score to which no unit contributes.
    """
    if max_features < 1:
        raise DataError(f"max_features is {max_features}; expected at least 1")
    if not any(units[0].size for units in found.units.values()):
        raise DataError("no unit contributes to the score; give rows on which the model's layers are not 0 throughout")
    title = title or "From the inputs to the output"
    columns, bands = _flow(found, max_features, output)
    height = max(_height(bars) for bars in columns)
    width = NAME + BETWEEN * (len(columns) - 1) + ANSWER
    figure = new_figure(height + 0.85, width=width, title=title)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_xlim(-NAME, width - NAME)
    axes.set_ylim(height + 0.05, -0.35)
    places = dict(_placed(columns, height))
    _draw_bands(axes, bands, places)
    _draw_bars(axes, columns, places)
    headings = [
        *(["inputs"] if len(columns) > len(found.units) + 1 else []),
        *(f"layer {name}" for name in found.units),
    ]
    for place, heading in enumerate(headings):
        axes.text(place * BETWEEN, -0.2, shortened(heading, longest=20), **text_style(ha="center"))
    key_below(figure, *KEY)
    return describe(figure, f"{title}: {_in_words(found)}")


def _flow(found: NodeImportance, max_features: int, output: str) -> tuple[list[list[_Bar]], list[_Band]]:
    """The bars of each column, and the bands between them."""
    layers = list(found.units)
    columns = [_units(found, layer) for layer in layers]
    bands = list(_between_units(found))
    features = [link for link in found.links if isinstance(link.source, str)]
    if features:
        named, first = _from_features(features, max_features)
        columns, bands = [named, *columns], [*first, *bands]
    last = found.units[layers[-1]]
    shown = found.important(layers[-1])
    bands += [_Band(unit, output, unit.share, unit.share, _lean(unit)) for unit in shown]
    rest = sum(unit.share for unit in last[len(shown) :])
    bands += [_Band((layers[-1], REST), output, rest, rest, None)] if rest else []
    return [*columns, [_Bar(output, output, 1.0)]], bands


def _units(found: NodeImportance, layer: str) -> list[_Bar]:
    shown = found.important(layer)
    others = found.units[layer][len(shown) :]
    bars = [_Bar(unit, f"unit {unit.number}", unit.share) for unit in shown]
    rest = [_Bar((layer, REST), plural(len(others), "other"), sum(unit.share for unit in others))] if others else []
    return bars + rest


def _between_units(found: NodeImportance) -> Iterator[_Band]:
    links = [link for link in found.links if isinstance(link.source, Unit)]
    leaving, arriving = _sums(links, "source"), _sums(links, "unit")
    for link in links:
        assert isinstance(link.source, Unit)
        if link.size:
            leaves = link.source.share * link.size / leaving[link.source]
            yield _Band(link.source, link.unit, leaves, link.unit.share * link.size / arriving[link.unit], _lean(link))


def _from_features(links: Sequence[Link], most: int) -> tuple[list[_Bar], list[_Band]]:
    """The inputs with the largest contributions, all others as one bar, and what they send to the first layer."""
    leaving, arriving = (_sums(links, end) for end in ("source", "unit"))
    total = sum(leaving.values()) or 1.0
    ranked = sorted(leaving, key=lambda name: -leaving[name])
    shown, others = ranked[:most], ranked[most:]
    bars = [_Bar(("input", name), str(name), leaving[name] / total) for name in shown]
    bands = []
    for link in sorted(links, key=lambda link: ranked.index(link.source)):
        if link.source in shown and link.size:
            arrives = link.unit.share * link.size / arriving[link.unit]
            bands.append(_Band(("input", link.source), link.unit, link.size / total, arrives, _lean(link)))
    if others:
        bars.append(_Bar(("input", REST), plural(len(others), "other"), sum(leaving[name] for name in others) / total))
    for unit in dict.fromkeys(link.unit for link in links) if others else ():
        if sent := sum(link.size for link in links if link.unit == unit and link.source in others):
            bands.append(_Band(("input", REST), unit, sent / total, unit.share * sent / arriving[unit], None))
    return bars, bands


def _sums(links: Sequence[Link], end: str) -> dict[Hashable, float]:
    """The sizes of the links that have that end, summed."""
    found: dict[Hashable, float] = {}
    for link in links:
        key = getattr(link, end)
        found[key] = found.get(key, 0.0) + link.size
    return found


def _lean(of: Unit | Link) -> float:
    return of.mean / of.size if of.size else 0.0


def _height(bars: Sequence[_Bar]) -> float:
    return sum(max(SCALE * bar.share, LEAST) for bar in bars) + GAP * (len(bars) - 1)


def _placed(columns: Sequence[Sequence[_Bar]], height: float) -> Iterator[tuple[Hashable, _Place]]:
    """Each bar's place, in inches; columns stand in the middle."""
    for number, bars in enumerate(columns):
        down = (height - _height(bars)) / 2
        for bar in bars:
            slot = max(SCALE * bar.share, LEAST)
            yield bar.key, _Place(number * BETWEEN, down + (slot - SCALE * bar.share) / 2, SCALE * bar.share)
            down += slot + GAP


def _draw_bands(axes: Axes, bands: Sequence[_Band], places: dict[Hashable, _Place]) -> None:
    left, arrived = dict.fromkeys(places, 0.0), dict.fromkeys(places, 0.0)
    # At either end in the order of the bars at the other, so that bands cross as little as can be.
    begins, ends = {}, {}
    for band in sorted(bands, key=lambda band: places[band.target].top):
        begins[band] = places[band.source].top + left[band.source]
        left[band.source] += SCALE * band.leaves
    for band in sorted(bands, key=lambda band: places[band.source].top):
        ends[band] = places[band.target].top + arrived[band.target]
        arrived[band.target] += SCALE * band.arrives
    for band in bands:
        start, end = places[band.source].across + BAR / 2, places[band.target].across - BAR / 2
        tops, heights = (begins[band], ends[band]), (SCALE * band.leaves, SCALE * band.arrives)
        axes.add_patch(
            PathPatch(_bent(start, end, tops, heights), facecolor=_colour(band.lean), alpha=0.6, linewidth=0)
        )


def _bent(start: float, end: float, tops: tuple[float, float], heights: tuple[float, float]) -> Path:
    """A band that leaves and arrives level."""
    middle = (start + end) / 2
    low = (tops[0] + heights[0], tops[1] + heights[1])
    corners = [
        *((start, tops[0]), (middle, tops[0]), (middle, tops[1]), (end, tops[1])),
        *((end, low[1]), (middle, low[1]), (middle, low[0]), (start, low[0])),
        (start, tops[0]),
    ]
    curve = [Path.CURVE4] * 3
    return Path(corners, [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY])


def _colour(lean: float | None) -> tuple[float, float, float]:
    """Red or blue as far as the sign is the same on every row, otherwise pale."""
    if lean is None:
        return to_rgb(FAINT)
    strong, pale = (POSITIVE if lean > 0 else NEGATIVE), to_rgb("#e3dde6")
    weight = min(abs(lean), 1.0)
    red, green, blue = (weight * one + (1 - weight) * other for one, other in zip(strong, pale, strict=True))
    return red, green, blue


def _draw_bars(axes: Axes, columns: Sequence[Sequence[_Bar]], places: dict[Hashable, _Place]) -> None:
    for number, bars in enumerate(columns):
        is_last = number == len(columns) - 1
        for bar in bars:
            place = places[bar.key]
            corner = (place.across - BAR / 2, place.top)
            is_rest = isinstance(bar.key, tuple) and bar.key[-1] is REST
            axes.add_patch(
                Rectangle(corner, BAR, max(place.height, 0.015), color=FAINT if is_rest else MUTED, linewidth=0)
            )
            middle, said = place.top + place.height / 2, f"{shortened(bar.name, longest=22)}  {percent(bar.share, 0)}"
            style = text_style(color=INK, va="center", fontsize=NORMAL if is_last else 8.0)
            if is_last:
                axes.text(place.across + 0.1, middle, shortened(bar.name, longest=14), **style)
            elif number == 0:
                axes.text(place.across - 0.1, middle, said, **(style | {"ha": "right"}))
            else:
                box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
                axes.text(place.across + 0.1, middle, said, **style, bbox=box)


def _in_words(found: NodeImportance) -> str:
    said = []
    for layer in found.units:
        unit = found.important(layer)[0]
        drivers = ", ".join(str(link.source) for link in found.drivers[layer, unit.number][:3])
        driven = f", driven by {drivers}" if drivers else ""
        said.append(f"of layer {layer} unit {unit.number} has {percent(unit.share, 0)}{driven}")
    return "; ".join(said)
