"""Plots of explanations, as matplotlib figures; one file per kind.

A plot is ``(what was found, *, settings) -> Figure`` and draws on nothing but its own figure: no window opens, and
matplotlib's settings stay as they are. `describe` gives a figure its text for readers who cannot see it, `page` puts
several on one web page.
"""

from corrigible.html_table import table_html
from corrigible.plots.attack_curves import attack_curves
from corrigible.plots.beeswarm import beeswarm
from corrigible.plots.coloured_text import coloured_text, coloured_text_html
from corrigible.plots.deletion_insertion import deletion_insertion_curves
from corrigible.plots.dependence import dependence_lines, partial_dependence
from corrigible.plots.frontier import frontier
from corrigible.plots.heat_map import heat_map
from corrigible.plots.importance import dots_and_whiskers, importance
from corrigible.plots.importance_flow import importance_flow
from corrigible.plots.interaction_matrix import interaction_matrix
from corrigible.plots.mean_bars import mean_bars
from corrigible.plots.method_scatter import method_scatter
from corrigible.plots.page import page
from corrigible.plots.price_changes import price_changes
from corrigible.plots.reliability_diagram import reliability_diagram
from corrigible.plots.risk_coverage import risk_coverage
from corrigible.plots.style import describe, description
from corrigible.plots.surrogate_bars import surrogate_bars
from corrigible.plots.surrogate_tree import surrogate_tree
from corrigible.plots.waterfall import waterfall

__all__ = [
    "attack_curves",
    "beeswarm",
    "coloured_text",
    "coloured_text_html",
    "deletion_insertion_curves",
    "dependence_lines",
    "describe",
    "description",
    "dots_and_whiskers",
    "frontier",
    "heat_map",
    "importance",
    "importance_flow",
    "interaction_matrix",
    "mean_bars",
    "method_scatter",
    "page",
    "partial_dependence",
    "price_changes",
    "reliability_diagram",
    "risk_coverage",
    "surrogate_bars",
    "surrogate_tree",
    "table_html",
    "waterfall",
]
