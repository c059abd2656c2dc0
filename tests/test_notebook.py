"""What a notebook and an interpreter show of what the library returns."""

import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

import corrigible
from corrigible import plots
from corrigible.errors import ChangedError
from corrigible.sealing import compared
from corrigible.types import Measurement, Measurements

corner = np.zeros((8, 8), dtype=bool)
corner[:2, :2] = True


def rows(count: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    y = torch.arange(count) % 2
    x = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    x[:, :, :2, :2] = y[:, None, None, None]
    return x, y


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 2))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"region": corner, "row": 0}, "irrelevant: 4 of 64 pixels, row 0"),
        ({"region": corner, "row": 3, "split": "test"}, "irrelevant: 4 of 64 pixels, row 3 of test"),
        ({"region": corner[0], "scope": "class", "label": 1}, "irrelevant: 2 of 8 positions, class 1"),
        ({"region": "race", "scope": "dataset", "author": "Ada"}, "irrelevant: race, every row, by Ada"),
        (
            {"region": ("age", "bmi"), "scope": "dataset", "polarity": "relevant", "note": "known"},
            "relevant: age, bmi, every row, 'known'",
        ),
    ],
)
def test_feedback_says_what_was_said(said: dict, words: str) -> None:
    assert repr(corrigible.Feedback(**said)) == f"Feedback({words})"


def test_measurements_are_a_table_and_a_data_frame() -> None:
    measured = corrigible.evaluate(network(), rows(), metrics=["accuracy", "worst_group_accuracy"], num_resamples=50)
    accuracy, lacking = repr(measured).splitlines()
    assert accuracy.startswith(f"accuracy: {measured[0].value:.3f} (") and accuracy.endswith("40 rows)")
    assert lacking == "worst_group_accuracy: not measured: needs group"
    html = measured._repr_html_()
    assert html.count("<tr>") == 3 and "not measured" in html and "<th>part</th>" not in html
    frame = pd.DataFrame(measured)
    assert frame["value"].dtype == float and frame["value"].isna().tolist() == [False, True]
    assert frame["metric"].tolist() == ["accuracy", "worst_group_accuracy"]
    of_class = Measurements([Measurement("recall", 0.5, count=1, part="class <b>")])
    assert repr(of_class) == "recall of class <b>: 0.500 (1 row)"
    assert "class &lt;b&gt;" in of_class._repr_html_()


def test_suspects_say_where_and_why() -> None:
    torch.manual_seed(0)
    model = network()
    with torch.no_grad():
        model[1].weight[1, [0, 1, 8, 9]] += 3.0
        model[1].bias[1] = -6.0
    found = corrigible.suspects(model, rows(60), cell=2)
    first = repr(found).splitlines()[0]
    assert first.startswith("1. 4 of 64 pixels in the box 0 0 2 2, ") and "times that elsewhere" in first
    assert found._repr_html_().count("<img") == len(found)
    assert first == f"1. {found[0]}; suspicion 100 %" and repr(found[0]) == f"Suspect({found[0]})"
    assert "ordered by suspicion" in repr(found).splitlines()[-1]


def test_a_store_lists_what_stands(tmp_path: Path) -> None:
    with corrigible.FeedbackStore(tmp_path / "said.sqlite") as store:
        assert repr(store).endswith("0 active, revision 0)")
        store.add_all([corrigible.Feedback(corner, row=row) for row in range(52)])
        store.retract(1)
        assert repr(store).endswith("said.sqlite', 51 active, 1 retracted, revision 53)")
        html = store._repr_html_()
    assert html.count("4 of 64 pixels") == 50 and "and 1 earlier" in html
    assert "closed" in repr(store) and "closed" in store._repr_html_()


def test_a_verdict_a_seal_and_its_verification(tmp_path: Path) -> None:
    corrected = corrigible.correct(network(), rows(), [corrigible.Feedback(corner, row=0)], epochs=1)
    verdict = corrected.verdict
    assert str(verdict).splitlines()[: len(verdict.lines)] == list(verdict.lines)
    assert bool(verdict.to_try) == (verdict.outcome != "corrected") == ("To try next: " in str(verdict))
    assert repr(verdict) == f"Verdict({verdict.sentence})"
    assert f">{verdict.outcome.capitalize()}</b>" in verdict._repr_html_()
    manifest = corrigible.seal(corrected, tmp_path / "sealed", anyway=True)
    assert f"root {manifest.root}" in repr(manifest) and manifest._repr_html_().count("<tr>") == 4
    assert repr(corrigible.verify(tmp_path / "sealed")) == f"Verification(unchanged, root {manifest.root})"
    (tmp_path / "sealed" / "<b>").write_text("!")
    with pytest.raises(ChangedError):
        corrigible.verify(tmp_path / "sealed")
    found = compared(tmp_path / "sealed")
    assert repr(found).startswith("Verification(1 difference, root ") and "\n  added <b>: 1 byte" in repr(found)
    assert "&lt;b&gt;" in found._repr_html_()


def test_a_figure_is_a_picture_with_its_text_and_stays_as_it_was() -> None:
    x, _ = rows()
    figure, other = (plots.heat_map(x[:2], x[:2]) for _ in range(2))
    png, about = figure._repr_png_()
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.size == pytest.approx((2 * about["width"], 2 * about["height"]), abs=2)
    assert about["alt"] == plots.description(figure) != ""
    assert repr(figure) == f"Figure({plots.description(figure)})"
    assert plots.page({"a": figure}, title="t") == plots.page({"a": other}, title="t")


def test_a_page_is_shown_in_a_frame_and_told_in_a_line() -> None:
    x, _ = rows()
    page = plots.page({"a": plots.heat_map(x[:2], x[:2])}, title="T <i>")
    assert repr(page).startswith("Page('T <i>', 1 figure, ")
    html = page._repr_html_()
    assert html.startswith('<iframe sandbox="" title="T &lt;i&gt;"') and html.count("<") == 2
    words = plots.coloured_text_html(["a", "b"], torch.tensor([1.0, -1.0]))
    assert words._repr_html_() == words and len(repr(words)) < 40


class Cell(io.StringIO):
    """A stream as a notebook's; ``displayed`` holds what its output shows in turn."""


Cell.__module__ = "ipykernel.iostream"


def test_a_correction_in_a_notebook_shows_a_bar_then_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    displayed: list[tuple[dict[str, str], str]] = []

    def record(data: dict[str, str], *, raw: bool, display_id: str) -> None:
        displayed.append((data, display_id))

    module = type(sys)("IPython.display")
    module.display = module.update_display = record  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", type(sys)("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(sys, "stderr", Cell())
    said = [corrigible.Feedback(corner, row=row) for row in range(10)]
    corrected = corrigible.correct(network(), rows(), said, epochs=2, penalties={"right_reasons": "auto"})
    assert len({place for _, place in displayed}) == 1
    assert any("<progress" in data["text/html"] for data, _ in displayed)
    last = displayed[-1][0]
    assert "<progress" not in last["text/html"] and corrected.verdict._repr_html_() in last["text/html"]
    assert "right_reasons" in last["text/plain"] and str(corrected.verdict) in last["text/plain"]
    displayed.clear()
    corrigible.correct(network(), rows(), said, epochs=1, progress=False)
    assert displayed == []
