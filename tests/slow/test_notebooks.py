"""Notebooks about images, a table, texts and amounts, run by Jupyter's own kernel; what their cells show is checked."""

import base64
import io

import pytest
from PIL import Image

nbclient = pytest.importorskip("nbclient", reason="needs the extra bench")
nbformat = pytest.importorskip("nbformat", reason="needs the extra bench")
pytest.importorskip("ipykernel", reason="needs the extra bench")
pytestmark = pytest.mark.slow

IMAGES = (
    """
import numpy as np, torch, corrigible
from torch import nn
from corrigible import plots

rng = np.random.default_rng(0)
y = np.arange(200) % 2
x = rng.normal(0, 1, (200, 1, 8, 8)).astype(np.float32)
x[:, :, :2, :2] = y[:, None, None, None]
x[y == 1, :, 4:, 4:] += 0.5
torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
for _ in range(60):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y)).backward()
    optimizer.step()
corner = np.zeros((8, 8), bool)
corner[:2, :2] = True
""",
    "plots.heat_map(torch.from_numpy(x[:3]), corrigible.explain(model, x[:3], y[:3]))",
    "corrigible.suspects(model, (x, y), cell=2)",
    "said = [corrigible.Feedback(corner, row=row) for row in range(20)]\nsaid[0]",
    """
store = corrigible.FeedbackStore("said.sqlite")
store.add_all(said)
store
""",
    "corrected = corrigible.correct(model, (x, y), said, epochs=6, penalties={'energy_outside': 'auto'})",
    "corrected.verdict",
    "measured = corrigible.evaluate(corrected, (x, y), feedback=said)\nmeasured",
    "import pandas\npandas.DataFrame(measured)",
    "manifest = corrigible.seal(corrected, 'sealed', evidence=measured, anyway=True)\nmanifest",
    "corrigible.verify('sealed')",
    "plots.page({'Three rows': plots.heat_map(torch.from_numpy(x[:3]), torch.from_numpy(x[:3]))}, title='Rows')",
)
TABLE = (
    """
import pandas as pd, torch, corrigible
from sklearn.datasets import load_breast_cancer
from torch import nn
from corrigible import plots

frame, y = load_breast_cancer(return_X_y=True, as_frame=True)
frame = ((frame - frame.mean()) / frame.std()).iloc[:, :6].assign(hospital=y.to_numpy() * 1.0)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(7, 16), nn.Tanh(), nn.Linear(16, 2))
rule = corrigible.Feedback("hospital", scope="dataset", author="Ada")
trained = corrigible.correct(model, (frame, y), [rule], penalties={}, epochs=5)
""",
    "attribution = corrigible.explain(trained, frame, y)\nplots.mean_bars(attribution, list(frame.columns))",
    "rule",
    "corrected = corrigible.correct(trained, (frame, y), [rule], epochs=5)",
    "corrigible.evaluate(corrected, (frame, y), feedback=[rule])",
    "corrigible.suspects(trained, (frame, y))",
)
TEXT = (
    """
import torch, corrigible
from corrigible import plots
from corrigible.data.decoys import plant_token
from corrigible.data.text import text_data
from corrigible.data.vocabulary import vocabulary_of
from corrigible.explanations.words import by_token
from corrigible.models import text_bag
from corrigible.types import Phrase

y = torch.arange(200) % 2
opinions = ["good" if label else "bad" for label in y.tolist()]
texts = [f"the {'film' if row % 3 else 'meal'} was {opinion}" for row, opinion in enumerate(opinions)]
planted = plant_token(texts, y, informative=True, seed=0, words=("zeb", "yak"), place=1)
data = text_data(planted, y, vocabulary_of(planted, dimension=8), max_tokens=8)
torch.manual_seed(0)
said = [corrigible.Feedback(Phrase((word,)), scope="dataset") for word in ("zeb", "yak")]
model = corrigible.correct(text_bag(8, 2), data, said, penalties={}, epochs=6)
""",
    "values = by_token(corrigible.explain(model, data.x[:1], data.y[:1]))[0]\nwords = data.tokens.row(0)",
    "plots.coloured_text(words, values[: len(words)])",
    "plots.coloured_text_html(words, values[: len(words)])",
    "said[0]",
    "corrected = corrigible.correct(model, data, said, epochs=6)",
    "corrigible.suspects(model, data)",
    "corrigible.evaluate(corrected, data, feedback=said)",
)
AMOUNTS = (
    """
import torch, corrigible
from sklearn.datasets import load_diabetes
from torch import nn
from corrigible import plots

frame, progression = load_diabetes(return_X_y=True, as_frame=True)
frame = (frame - frame.mean()) / frame.std()
columns = corrigible.Columns(tuple(frame.columns), tuple(frame.columns), (False,) * 10)
x, y = torch.tensor(frame.to_numpy(), dtype=torch.float32), torch.tensor(progression.to_numpy(), dtype=torch.float32)
data = corrigible.TensorData(x, y, columns=columns, task="amounts")
from corrigible.models import table_mlp

(centre,), (scale,) = data.task.start
torch.manual_seed(0)
rule = corrigible.Feedback("sex", scope="dataset")
network = table_mlp(10, 1, centre=centre, scale=scale, hidden=(16,), dropout=0.0)
model = corrigible.correct(network, data, [rule], penalties={}, epochs=30, learning_rate=3e-3)
""",
    "data",
    "attribution = corrigible.explain(model, x, task=data.task, columns=columns)",
    "plots.beeswarm(attribution, x, columns)",
    "corrected = corrigible.correct(model, data, [rule], epochs=30)",
    "corrigible.evaluate(corrected, data, feedback=[rule])",
    "corrigible.suspects(model, data)",
)


def shown(cells: tuple[str, ...], folder: object) -> list[dict[str, str]]:
    """What each cell shows at its end, by media type; a cell that fails raises."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    found = []
    for cell in notebook.cells:
        assert [out.text for out in cell.outputs if out.output_type == "stream"] == [], cell.source
        assert len(cell.outputs) <= 1, cell.source
        found.append(dict(cell.outputs[0].data) if cell.outputs else {})
    return found


def picture_of(data: dict[str, str]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data["image/png"])))


def test_a_notebook_of_images(tmp_path) -> None:
    _, heat_map, suspects, said, store, corrected, verdict, measured, frame, manifest, unchanged, page = shown(
        IMAGES, tmp_path
    )
    assert picture_of(heat_map).width > 400 and heat_map["text/plain"].startswith("Figure(Heat maps")
    assert "in the box 0 0 2 2" in suspects["text/plain"] and "<table" in suspects["text/html"]
    assert said["text/plain"] == "Feedback(irrelevant: 4 of 64 pixels, row 0)" and "<img" in said["text/html"]
    assert "20 active" in store["text/plain"] and "<table" in store["text/html"]
    assert "energy_outside" in corrected["text/plain"] and "<progress" not in corrected["text/html"]
    sentence = verdict["text/plain"].removeprefix("Verdict(").removesuffix(")")
    assert sentence in corrected["text/plain"] and verdict["text/html"] in corrected["text/html"]
    assert "accuracy" in measured["text/plain"] and "<table" in measured["text/html"]
    assert "flip_rate" in frame["text/plain"]
    root = manifest["text/plain"].partition("root ")[2]
    assert unchanged["text/plain"] == f"Verification(unchanged, root {root}"
    assert page["text/html"].startswith("<iframe") and page["text/plain"].startswith("Page('Rows', 1 figure")


def test_a_notebook_of_a_table(tmp_path) -> None:
    _, bars, rule, corrected, measured, suspects = shown(TABLE, tmp_path)
    assert picture_of(bars).width > 400
    assert rule["text/plain"] == "Feedback(irrelevant: hospital, every row, by Ada)"
    assert "transplant with energy_outside" in corrected["text/plain"]
    assert "flip_rate" in measured["text/html"]
    assert "hospital, " in suspects["text/plain"]


def test_a_notebook_of_texts(tmp_path) -> None:
    _, _, picture, html, said, corrected, suspects, measured = shown(TEXT, tmp_path)
    assert picture_of(picture).width > 400
    assert html["text/html"].startswith("<p class") and "characters of HTML" in html["text/plain"]
    assert said["text/plain"] == "Feedback(irrelevant: zeb, every row)"
    assert "transplant" in corrected["text/plain"] and "attribution_overlap" in measured["text/plain"]
    assert "<table" in suspects["text/html"]


def test_a_notebook_of_amounts(tmp_path) -> None:
    _, data, _, swarm, corrected, measured, suspects = shown(AMOUNTS, tmp_path)
    assert data["text/plain"].startswith("TensorData(442 rows")
    assert picture_of(swarm).width > 400
    assert "energy_outside" in corrected["text/plain"]
    assert "r2" in measured["text/plain"] and "<table" in measured["text/html"]
    assert "no single class" in suspects["text/plain"]
