"""The report: the results of a study as one self-contained HTML page, for the screen or for paper."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from markupsafe import Markup
from matplotlib.figure import Figure
from torch import Tensor

from corrigible import figures, pictures
from corrigible.comparison import comparison, spoken, titled
from corrigible.declarations import declaration_of
from corrigible.penalties import PENALTIES
from corrigible.plots.page import as_image
from corrigible.rendered import rendered
from corrigible.reported_confusion import classes_used, confusion_table
from corrigible.reported_feedback import features_of, feedback_counts, feedback_features, feedback_masks, feedback_notes
from corrigible.reported_gaps import opened_gaps, told_of_gaps
from corrigible.training import Epoch
from corrigible.types import Feedback, Measurement

READABLE = 0.72
"""The share of its full size to which a figure may shrink."""
MOST_FEATURES = 30
"""Features shown besides the marked ones."""


class ReportTable(NamedTuple):
    """A table of texts."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ReportedModel:
    """One model and its measurements."""

    name: str
    measurements: tuple[Measurement, ...] = ()
    confusion: Int[np.ndarray, " num_classes num_classes"] | None = None
    """Number of rows by label (first axis) and predicted class (second axis)."""
    class_names: tuple[str, ...] = ()
    errors: ReportTable | None = None
    """For labels that are no classes: predictions against labels, over parts of the rows."""


@dataclass(frozen=True)
class HeatmapRow:
    """One image with its attributions; the shape is (channel, height, width) or (height, width)."""

    row: int
    x: Float[Tensor, " *input"]
    label: str
    predicted_before: str
    attribution_before: Float[Tensor, " *input"]
    predicted_after: str | None = None
    attribution_after: Float[Tensor, " *input"] | None = None
    irrelevant: Bool[Tensor, " *input"] | None = None
    is_right_or_wrong: bool = True
    """Whether a prediction that is not the label is called wrong."""
    source: str = ""
    """Where the row is from: the part of the data, its file, and why it is shown."""
    certainties: tuple[str, ...] = ()
    """The probability of what is predicted, before and after."""


@dataclass(frozen=True)
class Plots:
    """Figures that belong together, drawn side by side where there is room."""

    title: str
    note: str
    """How to read them, in one or two sentences."""
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Curve:
    """The training curve of one model."""

    name: str
    epochs: tuple[Epoch, ...]


@dataclass(frozen=True)
class Opening:
    """How a correction went, for a reader who does not program."""

    outcome: str
    sentences: tuple[str, ...]
    """The first one says what was asked."""


@dataclass(frozen=True)
class ReportContent:
    """Everything a report shows. An empty part leaves its section out."""

    title: str
    kind: Literal["image", "table", "text"]
    created: datetime
    opening: Opening | None = None
    summary: tuple[str, ...] = ()
    """Sentences that say what changed, the most important first."""
    notes: tuple[str, ...] = ()
    """What the reader must not conclude."""
    unit: str = ""
    """Of the labels, if they are amounts."""
    models: tuple[ReportedModel, ...] = ()
    """The model before correction, then the corrected one, then others."""
    changes: tuple[Measurement, ...] = ()
    """The paired changes from the first model to the second."""
    explanation: str = ""
    """What the attributions are, in one sentence."""
    map_explanation: str = ""
    """What the maps of images are; empty if they are the attributions."""
    heatmaps: tuple[HeatmapRow, ...] = ()
    feature_shares: tuple[tuple[str, float | None, float | None], ...] = ()
    """(feature, before, after): its share of the mean absolute attribution, in [0, 1]."""
    certainty: tuple[Plots, ...] = ()
    """How sure the models are, and how right."""
    plots: tuple[Plots, ...] = ()
    """Plots of the explanations of many rows."""
    curves: tuple[Curve, ...] = ()
    feedback: tuple[Feedback, ...] = ()
    """All of it, also about rows that were used only for measuring."""
    later: tuple[Feedback, ...] = ()
    """What of it was given after the correction."""
    reproduce: tuple[str, ...] = ()
    """Commands, in order."""
    recipe: str = ""
    provenance: tuple[tuple[str, str], ...] = ()
    """(name, value): runs and their parents, feedback revision, hashes, versions."""


def render(content: ReportContent) -> str:
    """The report as the text of one HTML file that loads nothing from elsewhere; equal content gives equal text.

    All heat maps share one colour scale, which ends at the 99.5th percentile of the absolute attribution over all of
    them; attributions of several channels are summed.

    Raises:
        ValueError: a heat map that is not an image, or a confusion matrix without a name for each class.
    """
    measured = [model.measurements for model in content.models]
    compared = (measured[0], measured[1], content.changes) if len(measured) > 1 else ((), (), ())
    rows = comparison(measured, content.unit, opened=opened_gaps(compared[0], content.changes))
    heatmaps, colour_scale = _heatmaps(content.heatmaps)
    shares, longest, num_left_out = _share_rows(content)
    confusions = [
        confusion_table(model.name, model.confusion, model.class_names)
        for model in content.models
        if model.confusion is not None
    ]
    class_names = next((model.class_names for model in content.models if model.class_names), ())
    return rendered(
        "report.html.jinja",
        content=content,
        opened=list(told_of_gaps(*compared, content.unit)),
        names=[_name(content, 0, "before"), _name(content, 1, "after")],
        colours=figures.COLOURS,
        tables=[("All rows", [r for r in rows if not r.part]), ("By class or group", [r for r in rows if r.part])],
        heatmaps=heatmaps,
        colour_scale=colour_scale,
        shares=shares,
        longest=longest,
        num_left_out=num_left_out,
        certainty=_drawn(content.certainty),
        plots=_drawn(content.plots),
        legend=[(curve.name, figures.line_sample(style)) for curve, style in _styled(content)],
        charts=_charts(content),
        collapsed=[(table.model, used) for table in confusions[:2] if (used := classes_used(table)) is not None],
        confusions=confusions,
        errors=[(model.name, model.errors) for model in content.models if model.errors is not None],
        feedback_counts=feedback_counts(content.feedback, class_names, content.later),
        feedback_masks=feedback_masks(content.feedback),
        feedback_features=feedback_features(content.feedback),
        feedback_notes=feedback_notes(content.feedback),
    )


class _HeatmapView(NamedTuple):
    row: HeatmapRow
    image: Markup
    maps: list[tuple[Markup, str, str]]
    """(picture, predicted class with its probability, the part of the map in the marked region), before and after."""


def _heatmaps(rows: Sequence[HeatmapRow]) -> tuple[list[_HeatmapView], Markup]:
    """The rows' pictures and the legend of the scale that they share."""
    if not rows:
        return [], Markup("")
    limit = pictures.shared_limit([attribution for row in rows for _, attribution in _attributions(row)])
    brightness = pictures.brightness_of([row.x for row in rows])
    return [_heatmap(row, limit, brightness) for row in rows], pictures.colour_scale(limit)


def _heatmap(row: HeatmapRow, limit: float, brightness: tuple[float, float]) -> _HeatmapView:
    image = pictures.input_picture(
        row.x, row.irrelevant, brightness=brightness, alt=f"input of row {row.row}, label {row.label}"
    )
    maps = []
    for place, (when, (predicted, attribution)) in enumerate(
        zip(("before", "after"), _attributions(row), strict=False)
    ):
        alt = f"heat map of row {row.row} {when} correction"
        sure = row.certainties[place] if place < len(row.certainties) else ""
        said = f"{predicted} ({sure})" if sure else predicted
        picture = pictures.attribution_picture(attribution, row.irrelevant, limit=limit, alt=alt)
        maps.append((picture, said, _in_outline(attribution, row.irrelevant)))
    return _HeatmapView(row, image, maps)


def _in_outline(attribution: Tensor, irrelevant: Tensor | None) -> str:
    """The share of the map in the outline, beside the share of the area, which chance would give."""
    share = pictures.share_in(attribution, irrelevant)
    if share is None or irrelevant is None:
        return ""
    area = float(irrelevant.double().mean())
    return f"{100 * share:.1f}\u00a0% in outline: {share / area:.1f} times its area"


def _attributions(row: HeatmapRow) -> list[tuple[str, Tensor]]:
    before = (row.predicted_before, row.attribution_before)
    return [before] if row.attribution_after is None else [before, (row.predicted_after or "", row.attribution_after)]


class _ShareRow(NamedTuple):
    feature: str
    marks: Sequence[str]
    before: float | None
    after: float | None
    bars: Markup


def _share_rows(content: ReportContent) -> tuple[list[_ShareRow], float, int]:
    """The strongest features and all marked ones, the value of a full bar, and how many features are left out."""
    measured = [(name, _finite(before), _finite(after)) for name, before, after in content.feature_shares]
    ranked = sorted(measured, key=lambda share: -max(share[1] or 0.0, share[2] or 0.0))
    marks = {name: sorted({f.polarity for f in content.feedback if name in features_of(f)}) for name, _, _ in ranked}
    shown = [share for place, share in enumerate(ranked) if place < MOST_FEATURES or marks[share[0]]]
    longest = max((value for share in shown for value in share[1:] if value), default=1.0)
    rows = [
        _ShareRow(name, marks[name], before, after, figures.bar_pair(before, after, longest=longest))
        for name, before, after in shown
    ]
    return rows, longest, len(ranked) - len(shown)


def _styled(content: ReportContent) -> list[tuple[Curve, int]]:
    """Each curve with its style: that of the model of the same name, otherwise an unused one."""
    names = [model.name for model in content.models]
    free = iter(range(len(names), len(names) + len(content.curves)))
    return [(curve, names.index(curve.name) if curve.name in names else next(free)) for curve in content.curves]


def _charts(content: ReportContent) -> list[Markup]:
    """One chart per quantity: the label loss, each penalty, each validation value."""
    panels: dict[str, list[figures.Line]] = {}
    for curve, style in _styled(content):
        points: dict[str, list[tuple[int, float]]] = {}
        for epoch in curve.epochs:
            quantities = {"Label loss": epoch.loss}
            quantities |= {f"Penalty: {titled(name, _unit_of(name))}": value for name, value in epoch.penalties.items()}
            quantities |= {f"Validation: {spoken(name)}": value for name, value in epoch.validation.items()}
            for quantity, value in quantities.items():
                points.setdefault(quantity, []).append((epoch.number, value))
        for quantity, found in points.items():
            panels.setdefault(quantity, []).append(figures.Line(curve.name, found, style))
    order = ("Label", "Penalty", "Validation")
    quantities_in_order = sorted(panels, key=lambda quantity: order.index(quantity.split(" ")[0].rstrip(":")))
    return [figures.line_chart(quantity, panels[quantity]) for quantity in quantities_in_order]


def _unit_of(penalty: str) -> str:
    return declaration_of(PENALTIES[penalty]).unit if penalty in PENALTIES else ""


def _drawn(groups: Sequence[Plots]) -> list[tuple[Plots, list[tuple[Markup, int]]]]:
    """Each group of figures with its pictures and the pixels that they need."""
    return [(plots, [(as_image(figure), _least_width(figure)) for figure in plots.figures]) for plots in groups]


def _least_width(figure: Figure) -> int:
    """The pixels that a figure needs for its texts to be read."""
    return round(READABLE * 96 * figure.get_figwidth())


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _name(content: ReportContent, place: int, otherwise: str) -> str:
    return content.models[place].name if place < len(content.models) else otherwise
