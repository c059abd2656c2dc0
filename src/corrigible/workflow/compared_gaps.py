"""The frontier of a comparison: the quality of each method against every gap between groups, where there are groups."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from corrigible.comparison import LOWER_IS_BETTER, spoken
from corrigible.metrics import gaps_of
from corrigible.plots.frontier import frontier
from corrigible.study import Run
from corrigible.types import Measurement, Task

QUALITIES = ("accuracy", "mean_poisson_deviance", "mean_gamma_deviance", "r2", "quadratic_kappa")
"""The first that was measured stands on the upright axis."""


def frontier_of(runs: Mapping[str, Run], task: Task) -> Figure | None:
    """The plot of these runs by the name of their method; None without groups, or without a measure of quality."""
    measured = {spoken(name): [Measurement(**m) for m in run.read("measurements.json")] for name, run in runs.items()}
    names = {m.metric for found in measured.values() for m in found if m.value is not None and not m.part}
    gaps = [gap for gap in gaps_of(task) if gap in names]
    quality = next((name for name in QUALITIES if name in names), None)
    return (
        frontier(measured, quality=quality, gaps=gaps, lower_is_better=quality in LOWER_IS_BETTER)
        if gaps and quality
        else None
    )
