import numpy as np
import pytest
import torch

from corrigible.errors import DataError
from corrigible.explanations.summaries import mean_attribution
from corrigible.plots import mean_bars
from corrigible.types import Columns
from drawn import row_names, texts

TABLE = Columns(("age", "site=a", "site=b"), ("age", "site", "site"), (False, True, True))
ATTRIBUTION = torch.tensor([[1.0, -1.0, 2.0], [-3.0, 0.0, 0.0]])


def widths(figure) -> list[list[float]]:
    return [[bar.get_width() for bar in bars] for bars in figure.axes[0].containers]


def test_a_bar_is_the_mean_absolute_attribution_with_students_interval() -> None:
    figure = mean_bars(ATTRIBUTION, TABLE)
    assert row_names(figure.axes[0]) == ["age", "site"]
    assert widths(figure) == [[2.0, 1.5]]
    (whiskers,) = figure.axes[0].collections
    # Student's t with one degree of freedom: 12.706 standard errors; an interval is not drawn below 0.
    ends = [segment[:, 0].tolist() for segment in whiskers.get_segments()]
    assert np.allclose(ends, [[0.0, 2 + 12.706], [0.0, 1.5 + 12.706 * 1.5]], atol=1e-3)


def test_models_have_the_colours_of_the_report_and_share_the_order_of_features() -> None:
    figure = mean_bars({"before": ATTRIBUTION, "after": ATTRIBUTION[:1]}, TABLE)
    assert row_names(figure.axes[0]) == ["site", "age"]
    assert widths(figure) == [[1.5, 2.0], [3.0, 1.0]]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["before", "after"]


def test_means_by_class_are_drawn_as_they_are() -> None:
    found = mean_attribution(ATTRIBUTION, by={"label": torch.tensor([0, 1])}, columns=TABLE)
    figure = mean_bars(found)
    assert widths(figure) == [[2.0, 1.5], [1.0, 3.0], [3.0, 0.0]]
    assert {"all rows", "label 0", "label 1"} <= {text.get_text() for text in texts(figure)}
    assert not figure.axes[0].collections


def test_what_is_left_out_is_said() -> None:
    figure = mean_bars(ATTRIBUTION, TABLE, max_features=1)
    assert figure.axes[0].get_xlabel().endswith("(1 smaller features not shown)")


def test_bad_input_is_answered_in_one_line() -> None:
    with pytest.raises(DataError, match="6 bars per feature; expected 1 to 5"):
        mean_bars({str(k): ATTRIBUTION for k in range(6)}, TABLE)
    with pytest.raises(DataError, match="0 bars per feature"):
        mean_bars({}, TABLE)
    with pytest.raises(DataError, match=r"the attribution b has shape \(0, 3\)"):
        mean_bars({"b": ATTRIBUTION[:0]}, TABLE)
    with pytest.raises(DataError, match="1 name for 3 columns"):
        mean_bars(ATTRIBUTION, ["a"])
