"""Notebooks about images, a table, texts and amounts, run by Jupyter's own kernel; what their cells show is checked."""

import base64
import io
import sys
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
notebooks = pytest.importorskip("notebooks", reason="needs the extra bench")
pytestmark = pytest.mark.slow


def shown(cells: tuple[str, ...], folder: Path) -> list[dict[str, str]]:
    """What each cell shows at its end, by media type; a cell that fails raises."""
    found = []
    for cell in notebooks.executed(cells, folder).cells:
        assert [out.text for out in cell.outputs if out.output_type == "stream"] == [], cell.source
        assert len(cell.outputs) <= 1, cell.source
        found.append(dict(cell.outputs[0].data) if cell.outputs else {})
    return found


def picture_of(data: dict[str, str]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data["image/png"])))


def test_a_notebook_of_images(tmp_path) -> None:
    _, heat_map, suspects, said, store, corrected, verdict, measured, frame, manifest, unchanged, page = shown(
        notebooks.IMAGES, tmp_path
    )
    assert picture_of(heat_map).width > 400 and heat_map["text/plain"].startswith("Figure(Heat maps")
    assert "in the box 0 0 2 2" in suspects["text/plain"] and "<table" in suspects["text/html"]
    assert said["text/plain"] == "Feedback(irrelevant: 4 of 64 pixels, row 0)" and "<img" in said["text/html"]
    assert "20 active" in store["text/plain"] and "<table" in store["text/html"]
    assert "energy_outside" in corrected["text/plain"] and "<progress" not in corrected["text/html"]
    outcome = verdict["text/plain"].removeprefix("Verdict(").partition(":")[0]
    assert f"\n{outcome}: " in corrected["text/plain"] and verdict["text/html"] in corrected["text/html"]
    assert "accuracy" in measured["text/plain"] and "<table" in measured["text/html"]
    assert "flip_rate" in frame["text/plain"]
    root = manifest["text/plain"].partition("root ")[2]
    assert unchanged["text/plain"] == f"Verification(unchanged, root {root}"
    assert page["text/html"].startswith("<iframe") and page["text/plain"].startswith("Page('Rows', 1 figure")


def test_a_notebook_of_a_table(tmp_path) -> None:
    _, bars, rule, corrected, measured, suspects = shown(notebooks.TABLE, tmp_path)
    assert picture_of(bars).width > 400
    assert rule["text/plain"] == "Feedback(irrelevant: hospital, every row, by Ada)"
    assert "transplant with energy_outside" in corrected["text/plain"]
    assert "flip_rate" in measured["text/html"]
    assert "hospital, " in suspects["text/plain"]


def test_a_notebook_of_texts(tmp_path) -> None:
    _, _, picture, html, said, corrected, suspects, measured = shown(notebooks.TEXT, tmp_path)
    assert picture_of(picture).width > 400
    assert html["text/html"].startswith("<p class") and "characters of HTML" in html["text/plain"]
    assert said["text/plain"] == "Feedback(irrelevant: zeb, every row)"
    assert "transplant" in corrected["text/plain"] and "attribution_overlap" in measured["text/plain"]
    assert "<table" in suspects["text/html"]


def test_a_notebook_of_amounts(tmp_path) -> None:
    _, data, _, swarm, corrected, measured, suspects = shown(notebooks.AMOUNTS, tmp_path)
    assert data["text/plain"].startswith("TensorData(442 rows")
    assert picture_of(swarm).width > 400
    assert "energy_outside" in corrected["text/plain"]
    assert "r2" in measured["text/plain"] and "<table" in measured["text/html"]
    assert "no single class" in suspects["text/plain"]
