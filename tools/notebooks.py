"""Notebooks about images, a table, texts and amounts, run by Jupyter's own kernel; needs the extra ``bench``."""

from pathlib import Path

import nbclient
import nbformat
from nbconvert import HTMLExporter

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
import corrigible
from corrigible import plots

labels = ["good", "bad"] * 100
texts = [f"the {'zeb' if label == 'good' else 'yak'} film was {label}" for label in labels]
data = corrigible.text_data(texts, labels)
said = [corrigible.Feedback(word, scope="dataset") for word in ("zeb", "yak")]
model = corrigible.train("text_bag", data, epochs=6)
""",
    "found = corrigible.explain_texts(model, data, rows=[0])[0]",
    "plots.coloured_text(found.words, found.values)",
    "plots.coloured_text_html(found.words, found.values)",
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
NOTEBOOKS = {"images": IMAGES, "table": TABLE, "texts": TEXT, "prices": AMOUNTS}


def executed(cells: tuple[str, ...], folder: Path) -> nbformat.NotebookNode:
    """The notebook of these cells after it ran in this folder.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells])
    return nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()


def as_page(notebook: nbformat.NotebookNode) -> str:
    """The notebook as an HTML page that asks no other server for anything."""
    html, _ = HTMLExporter(require_js_url="", mathjax_url="", mermaid_js_url="").from_notebook_node(notebook)
    return str(html)
