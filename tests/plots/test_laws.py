"""What holds for every plot."""

import re
import warnings

import matplotlib
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from corrigible.data.table import encode, encoder_of
from corrigible.explanations.summaries import mean_attribution, node_importance
from corrigible.explanations.summaries.node_importance import NodeImportance
from corrigible.explanations.summaries.partial_dependence import partial_dependence as dependence_of
from corrigible.explanations.summaries.permutation_importance import permutation_importance
from corrigible.explanations.surrogates import linear_surrogate, tree_surrogate
from corrigible.plots import (
    attack_curves,
    beeswarm,
    coloured_text,
    deletion_insertion_curves,
    dependence_lines,
    description,
    dots_and_whiskers,
    frontier,
    heat_map,
    importance,
    importance_flow,
    interaction_matrix,
    mean_bars,
    method_scatter,
    page,
    partial_dependence,
    price_changes,
    reliability_diagram,
    risk_coverage,
    surrogate_bars,
    surrogate_tree,
    waterfall,
)
from corrigible.plots.method_scatter import MethodResult
from corrigible.plots.page import svg_of
from corrigible.prices.price_changes import price_changes as prices_of
from corrigible.types import Columns, Measurement
from drawn import HOSTILE, outside, row_names, texts, unnamed_axes

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


def nodes(columns: Columns) -> NodeImportance:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2))
    return node_importance(model, rows(), 1, columns=columns, most=3)


def sure() -> tuple[torch.Tensor, torch.Tensor]:
    return noise(40, 3).softmax(dim=1), torch.arange(40) % 3


def symmetric(size: int) -> torch.Tensor:
    return noise(size, size) + noise(size, size).T


PLOTS = {
    "frontier": lambda: frontier(
        {name: [Measurement("accuracy", 0.8, 0.7, 0.9), Measurement("group_prob_gap", 0.1)] for name in (HOSTILE, "b")},
        quality="accuracy",
        gaps=["group_prob_gap"],
        title=HOSTILE,
    ),
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
    "importance_flow": lambda: importance_flow(nodes(TABLE), max_features=2, output=HOSTILE, title=HOSTILE),
    "dots_and_whiskers": lambda: dots_and_whiskers(NAMES, [1.0, 2.0, 3.0, 4.0], [0.0] * 4, [5.0] * 4, label=HOSTILE),
    "partial_dependence": lambda: partial_dependence(
        [dependence_of(network(), rows(), name, columns=TABLE) for name in TABLE.features], title=HOSTILE
    ),
    "dependence_lines": lambda: dependence_lines(
        torch.arange(3.0), noise(40, 3), feature=HOSTILE, categories=[HOSTILE] * 3, label=HOSTILE
    ),
    "price_changes": lambda: price_changes(
        prices_of(torch.rand(60), torch.rand(60), [HOSTILE, "_b", "$c"] * 20, num_resamples=9), title=HOSTILE
    ),
    "reliability_diagram": lambda: reliability_diagram({HOSTILE: sure(), "_b": sure()}, title=HOSTILE),
    "risk_coverage": lambda: risk_coverage({HOSTILE: sure(), "_b": sure()}, title=HOSTILE),
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
@pytest.mark.every(3)
def test_no_name_is_a_formula_or_leaves_the_canvas(name: str) -> None:
    figure = PLOTS[name]()
    assert outside(figure) == []
    assert not any(text.get_parse_math() for text in texts(figure) if "$" in text.get_text())


IDENTIFIER = re.compile(r"[a-z]+_[a-z_]+|\bnan\b|\d[eE][+-]\d|(?<![\w.-])-\d")
"""What a reader of results must not meet: names from the code, and numbers as computers write them."""
PLAIN = Columns(("age", "site=a", "site=b", "dose"), ("age", "site", "site", "dose"), (False, True, True, False))


def plain_plots() -> dict[str, Figure]:
    """One figure of each kind, with names that people gave and methods as the code names them."""
    y, model, names = torch.arange(40) % 2, network(), ["no", "yes"]
    curves = {"input_gradient": noise(5, 9), "expected_gradients": noise(5, 9)}
    shown = {"columns": PLAIN, "samples": 200, "class_names": names, "fidelity": 1.0}
    return {
        "heat_map": heat_map(noise(2, 8, 8), {name: noise(2, 8, 8) for name in curves}, titles=["a", "b"]),
        "heat_map_alone": heat_map(noise(2, 8, 8), noise(2, 8, 8)),
        "beeswarm": beeswarm(noise(40, 4), rows(), PLAIN),
        "mean_bars": mean_bars({"before": noise(40, 4)}, PLAIN),
        "waterfall": waterfall(noise(4), PLAIN, baseline=0.1, score=-3.0, x=rows()[0]),
        "coloured_text": coloured_text(["not", "bad"], noise(2)),
        "interaction_matrix": interaction_matrix(noise(9, 4, 1) * noise(9, 4, 1).mT, PLAIN),
        "deletion_insertion": deletion_insertion_curves(curves, curves, random_order={"deletion": curves}),
        "importance": importance(permutation_importance(model, rows(), y, columns=PLAIN, num_resamples=9)),
        "importance_flow": importance_flow(nodes(PLAIN)),
        "partial_dependence": partial_dependence([dependence_of(model, rows(), "age", columns=PLAIN)]),
        "attack_curves": attack_curves([0.0, 0.1], {"right_reasons": torch.rand(2, 2)}),
        "method_scatter": method_scatter([MethodResult("right_reasons", 0.9, 0.8, 0.95, 0.2, 1.4)]),
        "price_changes": price_changes(prices_of(torch.rand(60), torch.rand(60), ["f", "m"] * 30, num_resamples=9)),
        "reliability_diagram": reliability_diagram({"right_reasons": sure(), "before": sure()}),
        "risk_coverage": risk_coverage({"right_reasons": sure(), "before": sure()}),
        "surrogate_tree": surrogate_tree(tree_surrogate(model, rows(64), **shown)),
        "surrogate_tree_of_scores": surrogate_tree(tree_surrogate(model, rows(64), target=1, **shown)),
        "surrogate_bars": surrogate_bars(linear_surrogate(model, rows(64), **shown)),
    }


@pytest.mark.slow
def test_readers_meet_no_name_of_the_code_and_every_axis_with_numbers_says_what_they_are() -> None:
    drawn = plain_plots()
    assert {name: outside(figure) for name, figure in drawn.items() if outside(figure)} == {}
    said = {name: [text.get_text() for text in texts(figure)] for name, figure in drawn.items()}
    assert {name: bad for name, found in said.items() if (bad := [t for t in found if IDENTIFIER.search(t)])} == {}
    assert {name: axes for name, figure in drawn.items() if (axes := unnamed_axes(figure))} == {}
    assert not any(IDENTIFIER.search(description(figure)) for figure in drawn.values())


def test_what_colours_bands_and_whiskers_mean_stands_in_the_figure() -> None:
    said = {name: " ".join(text.get_text() for text in texts(figure)) for name, figure in plain_plots().items()}
    signed = ("heat_map", "heat_map_alone", "importance_flow", "waterfall", "coloured_text", "surrogate_bars")
    uncertain = ("mean_bars", "importance", "attack_curves", "deletion_insertion", "method_scatter", "price_changes")
    uncertain += ("reliability_diagram", "risk_coverage")
    assert [name for name in signed if "red" not in said[name]] == []
    assert [name for name in uncertain if "95 % interval" not in " ".join(said[name].split())] == []


def test_an_axis_without_a_name_is_found() -> None:
    figure = plain_plots()["attack_curves"]
    figure.axes[0].set_xlabel("")
    assert unnamed_axes(figure) == ["x"]


def test_surrogates_that_do_not_follow_their_model_say_so_in_the_title() -> None:
    wanted = {"columns": PLAIN, "samples": 200}
    bad = tree_surrogate(
        lambda x: torch.stack([x[:, 0] * x[:, 3], x[:, 0] - x[:, 0]], dim=1),
        rows(64),
        **wanted,
        max_leaves=2,
        fidelity=1.0,
    )
    assert "does not follow the model" in surrogate_tree(bad).get_suptitle().replace("\n", " ")
    assert (
        "does not follow"
        not in surrogate_bars(linear_surrogate(network(), rows(64), target=1, **wanted)).get_suptitle()
    )


def test_arrays_lists_and_frames_are_drawn_as_tensors_are() -> None:
    found, x = noise(40, 4), rows()
    frame = pd.DataFrame(x.numpy(), columns=["age", "a", "b", "dose"])
    expected = svg_of(beeswarm(found, x, ["age", "a", "b", "dose"]))
    assert svg_of(beeswarm(found.numpy(), frame)) == svg_of(beeswarm(found.tolist(), frame)) == expected
    assert svg_of(mean_bars(found.tolist(), list("abcd"))) == svg_of(mean_bars(found, list("abcd")))
    images = noise(2, 8, 8)
    assert svg_of(heat_map(images.numpy(), images.tolist())) == svg_of(heat_map(images, images))
    assert svg_of(coloured_text(["not", "bad"], [0.5, -1.0])) == svg_of(
        coloured_text(["not", "bad"], torch.tensor([0.5, -1.0]))
    )


def test_values_are_in_original_units_with_the_words_of_their_categories() -> None:
    rows_of_people = {"age": [30.0, 50.0, 71.5], "site": ["a", "b", "a"], "smoker": [1, 0, 1], "y": [0, 1, 0]}
    frame = pd.DataFrame(rows_of_people)
    encoder = encoder_of(frame, target="y")
    x = encode(frame, encoder).x
    names = row_names(waterfall(noise(x.shape[1]), encoder, baseline=0.0, score=1.0, x=x[0]).axes[0])
    assert {"age = 30", "site = a", "smoker = 1"} <= set(names)
    figure = partial_dependence(dependence_of(lambda rows: rows[:, 0], x, "smoker", columns=encoder.columns))
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["0", "1"]


@pytest.mark.slow
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
