"""The item view in a notebook: the example runs by itself, and in JupyterLab what is clicked is in the list."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import watched

nbformat = pytest.importorskip("nbformat", reason="needs the extra bench")
nbclient = pytest.importorskip("nbclient", reason="needs the extra bench")
pytest.importorskip("anywidget", reason="needs the extra notebook")

EXAMPLE = Path(__file__).parents[3] / "examples" / "review.ipynb"
LONG_MS = 120_000


def test_the_example_runs_from_top_to_bottom(tmp_path: Path) -> None:
    notebook = nbformat.read(EXAMPLE, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    assert "application/vnd.jupyter.widget-view+json" in outputs[1][0].data
    assert outputs[2][0].data["text/plain"] == "10"
    assert "Verdict(" in outputs[3][-1].data["text/plain"]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """The address of a JupyterLab in which the example is open."""
    pytest.importorskip("jupyterlab", reason="needs the extra bench")
    (tmp_path / "review.ipynb").write_bytes(EXAMPLE.read_bytes())
    # Else a cell that is not on the screen is not drawn.
    settings = (
        tmp_path / "JUPYTER_CONFIG_DIR/lab/user-settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    )
    settings.parent.mkdir(parents=True)
    settings.write_text('{"windowingMode": "none"}')
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    options = [
        f"--port={port}",
        "--no-browser",
        "--allow-root",
        "--IdentityProvider.token=of-the-test",
        f"--notebook-dir={tmp_path}",
    ]
    places = {name: str(tmp_path / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR")}
    command = [sys.executable, "-m", "jupyterlab", *options]
    process = subprocess.Popen(command, env=os.environ | places, stderr=subprocess.DEVNULL, cwd=tmp_path)
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api?token=of-the-test", timeout=2)
            break
        except OSError:
            time.sleep(0.5)
    yield f"{address}/lab/tree/review.ipynb?token=of-the-test"
    process.terminate()
    process.wait(timeout=20)


def test_what_is_clicked_in_jupyterlab_is_in_the_list(browser: Any, lab: str) -> None:
    tab = watched(browser.new_context(viewport={"width": 1400, "height": 1000}).new_page())
    tab.goto(lab)
    tab.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=LONG_MS)
    tab.get_by_text("(ipykernel) | Idle").wait_for(timeout=LONG_MS)
    tab.get_by_role("menuitem", name="Run", exact=True).click()
    tab.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    view = tab.locator(".corrigible-review").first
    view.locator(".stage").first.wait_for(state="attached", timeout=LONG_MS)
    view.scroll_into_view_if_needed()
    name = view.locator("h1").inner_text()
    view.locator(".proposals button").first.click()
    view.locator(".save").click()
    view.locator(".told", has_text=name).wait_for(timeout=LONG_MS)
    view.locator(".stage").first.focus()
    tab.keyboard.press("n")  # Which in JupyterLab itself would mean something else.
    tab.wait_for_function(
        "(name) => ![...document.querySelectorAll('.told')].some((told) => told.textContent.includes(name))", arg=name
    )
    tab.locator(".jp-Cell", has_text="len(said)").locator(".cm-content").click()
    tab.keyboard.press("Shift+Enter")
    outputs = tab.locator(".jp-OutputArea-output pre")
    outputs.filter(has_text=re.compile(r"^\s*1\s*$")).first.wait_for(timeout=LONG_MS)
    tab.context.close()
