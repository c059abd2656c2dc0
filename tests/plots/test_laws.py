"""What holds for every plot."""

import re
import warnings

import matplotlib
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from corrigible.explanations.summaries import mean_attribution
from corrigible.explanations.summaries.partial_dependence import partial_dependence as dependence_of
from corrigible.explanations.summaries.permutation_importance import permutation_importance
from corrigible.explanations.surrogates import linear_surrogate, tree_surrogate
from corrigible.plots import (
    beeswarm,
    coloured_text,
    deletion_insertion_curves,
    dependence_lines,
    description,
    dots_and_whiskers,
    heat_map,
    importance,
    interaction_matrix,
    mean_bars,
    page,
    partial_dependence,
    surrogate_bars,
    surrogate_tree,
    waterfall,
)
from corrigible.plots.page import svg_of
from corrigible.types import Columns
from drawn import HOSTILE, outside, texts

NAMES = ("_age", HOSTILE + "1", HOSTILE + "2", HOSTILE + "3")
TABLE = Columns(NAMES, ("_age", "site" + HOSTILE, "site" + HOSTILE, HOSTILE), (False, True, True, False))


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def rows(count: int = 40) -> torch.Tensor:
    x = noise(count, 4)
    x[:, 1] = (x[:, 1] > 0).float()
    x[:, 2] = 1 - x[:, 1]
    return x


def network() -> nn.Module:
    model = nn.Linear(4, 2)
    with torch.no_grad():
        model.weight.copy_(noise(2, 4))
        model.bias.zero_()
    return model


def symmetric(size: int) -> torch.Tensor:
    return noise(size, size) + noise(size, size).T


PLOTS = {
    "heat_map": lambda: heat_map(noise(7, 3, 8, 8), noise(7, 3, 8, 8), titles=[HOSTILE] * 7, title=HOSTILE),
    "heat_maps": lambda: heat_map(
        noise(2, 8, 8), {HOSTILE: noise(2, 8, 8), "b": noise(2, 8, 8)}, titles=[HOSTILE] * 2, title=HOSTILE,
        irrelevant=noise(2, 8, 8) > 0, relevant=noise(2, 8, 8) < -1, over_input=True,
    ),
    "beeswarm": lambda: beeswarm(noise(40, 4), rows(), TABLE, title=HOSTILE, label=HOSTILE),
    "beeswarms": lambda: beeswarm({HOSTILE: noise(40, 4), "_b": noise(40, 4)}, rows(), TABLE),
    "mean_bars": lambda: mean_bars({HOSTILE: noise(40, 4), "_b": noise(9, 4)}, TABLE, title=HOSTILE, label=HOSTILE),
    "mean_bars_of_means": lambda: mean_bars(
        mean_attribution(noise(40, 4), by={"label": torch.arange(40) % 2}, columns=TABLE), title=HOSTILE
    ),
    "waterfall": lambda: waterfall(
        noise(4), TABLE, baseline=0.1, score=-3.0, x=rows()[0], title=HOSTILE, label=HOSTILE
    ),
    "coloured_text": lambda: coloured_text([HOSTILE, "_b", "$c", "d$"] * 9, noise(36), title=HOSTILE),
    "interaction_matrix": lambda: interaction_matrix(symmetric(4), TABLE, title=HOSTILE),
    "interaction_matrix_of_many": lambda: interaction_matrix(
        symmetric(30), [f"{k}{HOSTILE}{k}" for k in range(30)], diagonal=False
    ),
    "curves": lambda: deletion_insertion_curves(
        {HOSTILE: noise(5, 9), "_b": noise(1, 9)}, {"_b": noise(5, 9)}, title=HOSTILE, label=HOSTILE
    ),
    "importance": lambda: importance(
        permutation_importance(network(), rows(), torch.arange(40) % 2, columns=TABLE, repeats=2, num_resamples=9),
        title=HOSTILE,
    ),
    "dots_and_whiskers": lambda: dots_and_whiskers(NAMES, [1.0, 2.0, 3.0, 4.0], [0.0] * 4, [5.0] * 4, label=HOSTILE),
    "partial_dependence": lambda: partial_dependence(
        [dependence_of(network(), rows(), name, columns=TABLE) for name in TABLE.features], title=HOSTILE
    ),
    "dependence_lines": lambda: dependence_lines(
        torch.arange(3.0), noise(40, 3), feature=HOSTILE, categories=[HOSTILE] * 3, label=HOSTILE
    ),
    "surrogate_tree": lambda: surrogate_tree(
        tree_surrogate(network(), rows(64), columns=TABLE, samples=200, class_names=[HOSTILE, "b"]), title=HOSTILE
    ),
    "surrogate_tree_of_scores": lambda: surrogate_tree(
        tree_surrogate(network(), rows(64), target=1, columns=TABLE, samples=200, max_leaves=6)
    ),
    "surrogate_bars": lambda: surrogate_bars(
        linear_surrogate(network(), rows(64), columns=TABLE, samples=200, class_names=["a", HOSTILE]), title=HOSTILE
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLOTS)
def test_no_name_is_a_formula_or_leaves_the_canvas(name: str) -> None:
    figure = PLOTS[name]()
    assert outside(figure) == []
    assert not any(text.get_parse_math() for text in texts(figure) if "$" in text.get_text())


@pytest.mark.parametrize("name", PLOTS)
def test_the_same_input_gives_the_same_bytes_and_a_description(name: str) -> None:
    before = dict(matplotlib.rcParams)
    figure = PLOTS[name]()
    written = svg_of(figure)
    assert written == svg_of(figure) == svg_of(PLOTS[name]())
    assert not re.search(rb"<dc:date|<!-- Created", written)
    assert len(description(figure)) > 20
    assert dict(matplotlib.rcParams) == before


def test_other_settings_of_matplotlib_change_no_colours() -> None:
    plain = svg_of(PLOTS["mean_bars"]())
    with matplotlib.rc_context({"axes.facecolor": "black", "text.color": "red", "axes.grid": True, "figure.dpi": 37}):
        assert svg_of(PLOTS["mean_bars"]()) == plain


def test_a_page_holds_every_figure_and_loads_nothing(tmp_path) -> None:
    from corrigible.plots import coloured_text_html

    said = coloured_text_html(["<b>", "fine"], torch.tensor([1.0, -1.0]))
    figures = {HOSTILE: PLOTS["waterfall"](), "text": said}
    html = page(figures, title=HOSTILE, path=tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == html
    assert "<script" not in html and "<b>" not in html
    assert not re.search(r"https?:|<link|url\(", html)
    assert re.findall(r'src="([^,]*),', html) == ["data:image/svg+xml;base64"]
    assert re.search(r'<img [^>]*alt="[^"]{20,}"', html)
    assert page(figures, title=HOSTILE) == html


def test_characters_that_the_font_lacks_are_left_to_the_browser() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Layout measures them before the page is written.
        figure = mean_bars(noise(5, 1), ["年齢"])
    assert "年齢".encode() in svg_of(figure)


def test_figures_know_nothing_of_pyplot() -> None:
    import sys

    figure = PLOTS["beeswarm"]()
    assert isinstance(figure, Figure)
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []
