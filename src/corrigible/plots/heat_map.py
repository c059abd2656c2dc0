"""Images beside their heat maps, for one explainer or several."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from torch import Tensor

from corrigible.errors import DataError
from corrigible.figures import short_number
from corrigible.pictures import border, brightness_of, channels_of, marked_plane, shades, shared_limit
from corrigible.plots.features import numbers_in
from corrigible.plots.style import (
    DIVERGING,
    INK,
    NORMAL,
    RULE,
    SMALL,
    colour_bar,
    describe,
    new_figure,
    require_limit,
    shortened,
    spoken_method,
    text_style,
)
from corrigible.printable import plural

IMAGES_ACROSS = 6
PANEL = 1.15
"""Inches that one picture takes."""
BAR_HEIGHT = 0.07
SHARPEST = 64
"""Pictures with fewer pixels to a side are drawn as squares, larger ones smoothly."""


def heat_map(
    x: Any,
    attribution: Any,
    *,
    titles: Sequence[str] = (),
    irrelevant: Any = None,
    relevant: Any = None,
    limit: float | None = None,
    over_input: bool = False,
    title: str = "",
) -> Figure:
    """Each image and its attribution, summed over channels: blue below zero, white at zero, red above.

    A tensor is drawn under its images, all on one scale. Several explainers by name are drawn side by side, one row per
    image, each with a scale of its own that all its images share, since their units differ. A scale ends at the 99.5th
    percentile of the absolute attribution, or at ``limit``; unknown values (NaN) are grey.

    Args:
        x: images, (row, channel, height, width) or (row, height, width), a tensor, array or list; three channels are
            red, green and blue.
        attribution: in the shape of x; or several by the name of their explainer.
        titles: one per image.
        irrelevant: outlined. ``relevant`` has a dashed outline.
        over_input: draw the maps over a faint copy of their image, opaque where the attribution is strong.

    Raises:
        DataError: no images, other shapes than x has, another number of titles, or a limit that is not above 0.
    """
    given = attribution if isinstance(attribution, Mapping) else {"": attribution}
    methods = {name: numbers_in(found, f"the attribution {name}".rstrip()) for name, found in given.items()}
    x = numbers_in(x, "x")
    irrelevant, relevant = _marks(irrelevant), _marks(relevant)
    _check(x, methods, irrelevant, relevant, titles, limit)
    brightness = brightness_of([x])
    images = [
        _Image(
            shades(channels_of(x[row]).float(), brightness=brightness),
            None if irrelevant is None else marked_plane(irrelevant[row]),
            None if relevant is None else marked_plane(relevant[row]),
            titles[row] if titles else "",
        )
        for row in range(len(x))
    ]
    maps = {
        name: _Maps(
            [channels_of(values).float().sum(dim=0).numpy() for values in found],
            limit or shared_limit(list(found)),
            over_input,
        )
        for name, found in methods.items()
    }
    is_alone = not isinstance(attribution, Mapping)
    figure = _under_each_other(images, maps[""], title) if is_alone else _side_by_side(images, maps, title)
    _say_what_outlines_mean(figure, irrelevant, relevant, is_alone)
    names = "" if is_alone else " by " + ", ".join(map(spoken_method, methods))
    return describe(figure, f"{title or 'Heat maps'}: {plural(len(x), 'image')} with attributions{names}")


def _marks(given: Any) -> Tensor | None:
    return None if given is None else numbers_in(given, "marks").bool()


class _Image(NamedTuple):
    shade: np.ndarray
    irrelevant: np.ndarray | None
    relevant: np.ndarray | None
    title: str


class _Maps(NamedTuple):
    """What one explainer found, on one scale."""

    planes: list[np.ndarray]
    limit: float
    over_input: bool


def _under_each_other(images: list[_Image], maps: _Maps, title: str) -> Figure:
    bands = -(-len(images) // IMAGES_ACROSS)
    across = -(-len(images) // bands)
    has_titles = any(image.title for image in images)
    height = bands * (2 * PANEL + 0.25 * has_titles)
    figure = new_figure(height, width=max(across * PANEL, 2.5 * bool(title)) + 0.8, title=title)
    panels = figure.subplots(2 * bands, across, squeeze=False)
    drawn = None
    for place, image in enumerate(images):
        above, below = panels[2 * (place // across) : 2 * (place // across) + 2, place % across]
        _draw_input(above, image)
        above.set_title(shortened(image.title, longest=18), **text_style(color=INK), pad=3)
        drawn = _draw_map(below, image, maps, place)
    for panel in panels.ravel():
        panel.set_visible(panel.has_data())
    colour_bar(
        figure,
        drawn,
        ax=panels,
        label="attribution (red raises the score)",
        location="right",
        fraction=0.05,
        aspect=25,
        pad=0.02,
    )
    return figure


def _side_by_side(images: list[_Image], maps: Mapping[str, _Maps], title: str) -> Figure:
    """One row per image and, so that all stand in line, a last row for the colour bars."""
    height = len(images) * PANEL + 0.9
    name_width = 0.075 * max(len(shortened(image.title, longest=18)) for image in images)
    figure = new_figure(height, width=max((1 + len(maps)) * PANEL * 1.06, 3.6) + name_width, title=title)
    panels = figure.subplots(
        len(images) + 1, 1 + len(maps), squeeze=False, height_ratios=[1.0] * len(images) + [BAR_HEIGHT]
    )
    for place, image in enumerate(images):
        _draw_input(panels[place, 0], image)
        style: dict[str, Any] = {"rotation": 0, "ha": "right", "va": "center"} | text_style(color=INK)
        panels[place, 0].set_ylabel(shortened(image.title, longest=18), **style)
    for column, (name, found) in enumerate(maps.items(), start=1):
        drawn = [_draw_map(panels[place, column], image, found, place) for place, image in enumerate(images)]
        panels[0, column].set_title(_on_two_lines(name), **text_style(color=INK, fontsize=NORMAL), pad=5)
        ends = [-found.limit, 0, found.limit]
        bar = colour_bar(
            figure, drawn[0], cax=panels[-1, column], label="attribution", orientation="horizontal", ticks=ends
        )
        bar.set_ticklabels([short_number(float(f"{end:.2g}")) for end in ends])
    panels[0, 0].set_title("input", **text_style(color=INK, fontsize=NORMAL), pad=5)
    panels[-1, 0].set_visible(False)
    return figure


def _on_two_lines(name: str) -> str:
    """A method's name as words, on at most two short lines."""
    lines = textwrap.wrap(shortened(spoken_method(name), longest=60), width=14)
    return "\n".join(lines[:2]) + ("…" if len(lines) > 2 else "")


def _draw_input(panel: Axes, image: _Image) -> None:
    panel.imshow(image.shade, **_sampling(image))
    _finish(panel, image)


def _draw_map(panel: Axes, image: _Image, maps: _Maps, place: int) -> Any:
    """The heat map as drawn, for its colour bar."""
    plane = maps.planes[place]
    alpha = None
    if maps.over_input:
        grey = 1 - 0.18 * (1 - image.shade.mean(axis=-1, keepdims=True) / 255)
        panel.imshow(np.broadcast_to(grey, image.shade.shape), **_sampling(image))
        alpha = np.sqrt(np.clip(np.abs(np.nan_to_num(plane, nan=maps.limit)) / maps.limit, 0, 1))
    scale = Normalize(-maps.limit, maps.limit)
    drawn = panel.imshow(plane, cmap=DIVERGING, norm=scale, alpha=alpha, **_sampling(image))
    _finish(panel, image)
    return drawn


def _sampling(image: _Image) -> dict[str, Any]:
    return {"interpolation": "none" if max(image.shade.shape) <= SHARPEST else "antialiased", "aspect": "equal"}


def _finish(panel: Axes, image: _Image) -> None:
    for region, dash in ((image.irrelevant, "solid"), (image.relevant, (0, (2.5, 1.5)))):
        if region is not None and region.any():
            corners = np.array(border(region)).reshape(-1, 2) - 0.5  # A pixel's centre is a whole number.
            path = Path(corners, [Path.MOVETO, Path.LINETO] * (len(corners) // 2))
            panel.add_patch(PathPatch(path, fill=False, edgecolor="white", linewidth=2.4, capstyle="projecting"))
            panel.add_patch(PathPatch(path, fill=False, edgecolor=INK, linewidth=1.0, linestyle=dash))
    panel.set_xticks([])
    panel.set_yticks([])
    for spine in panel.spines.values():
        spine.set_color(RULE)
        spine.set_linewidth(0.6)


def _say_what_outlines_mean(figure: Figure, irrelevant: Tensor | None, relevant: Tensor | None, is_alone: bool) -> None:
    lines = [] if is_alone else ["red raises the score, blue lowers it", "each method has its own scale for all rows"]
    lines += ["outlined: marked irrelevant"] if irrelevant is not None else []
    lines += ["dashed: marked relevant"] if relevant is not None else []
    if lines:
        across = int(figure.get_figwidth() / (0.0086 * SMALL))
        joined, rows = "; ".join(lines), ""
        if len(joined) > across:
            joined, rows = "\n".join(lines), "\n"
        figure.supxlabel(joined, **text_style()).set_linespacing(1.4 if rows else 1.2)


def _check(
    x: Tensor,
    methods: Mapping[str, Tensor],
    irrelevant: Tensor | None,
    relevant: Tensor | None,
    titles: Sequence[str],
    limit: float | None,
) -> None:
    if x.ndim not in (3, 4) or not len(x):
        raise DataError(f"x has shape {tuple(x.shape)}; expected (row, channel, height, width) or (row, height, width)")
    if not methods:
        raise DataError("no attributions by name; expected at least one explainer")
    named = {f"the attribution {name}".rstrip(): values for name, values in methods.items()}
    for name, values in {**named, "irrelevant": irrelevant, "relevant": relevant}.items():
        if values is not None and values.shape != x.shape:
            raise DataError(f"{name} has shape {tuple(values.shape)}; expected that of x, {tuple(x.shape)}")
    if titles and len(titles) != len(x):
        raise DataError(f"{plural(len(titles), 'title')} for {plural(len(x), 'image')}; expected one each")
    require_limit(limit)
