"""A review page that is served as a person starts it, and a Chromium to look at it; for tests, times and pictures."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
READY_MS = 60_000


class Served:
    """``corrigible review`` of a study, on one port, usable in ``with``; it can be killed and started again."""

    def __init__(self, study: Path, *, author: str = "Ada") -> None:
        self.study, self.author, self.port = study, author, _free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait for the address with its token, in ``entry``."""
        words = ["review", str(self.study), "--port", str(self.port), "--no-browser", "--author", self.author]
        command = [sys.executable, "-m", "corrigible", *words]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "300"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"http://\S+token=\S+", line):
                self.entry = found.group()
                return
        raise RuntimeError(f"corrigible review ended with {self.process.wait()} and printed no address")

    def kill(self) -> None:
        """End the server at once, as a crash would."""
        self.process.kill()
        self._gone()

    def stop(self) -> None:
        """End the server as Ctrl-C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self._gone()

    def _gone(self) -> None:
        self.process.wait(timeout=30)
        if self.process.stdout is not None:
            self.process.stdout.close()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser of Playwright's, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


def entered(browser: Any, served: Served, **settings: Any) -> Any:
    """A tab of a browser of its own that has been let in; what goes wrong in it is kept in ``tab.problems``."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
    tab = watched(context.new_page())
    tab.goto(served.entry)
    ready(tab)
    return tab


def watched(tab: Any) -> Any:
    """The tab, with what its console says of errors in ``tab.problems``."""
    tab.problems = []
    tab.on("console", lambda message: tab.problems.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: tab.problems.append(str(error)))
    return tab


def ready(tab: Any) -> None:
    """Wait until the page shows what it is for."""
    tab.wait_for_selector("main[data-ready]", timeout=READY_MS)


def open_item(tab: Any, served: Served, split: str, row: int, query: str = "") -> None:
    """Open an item and wait until it can be marked."""
    tab.goto(f"{served.address}/item/{split}/{row}{query}")
    ready(tab)
    tab.wait_for_selector(".see > :not(.muted)", timeout=READY_MS)


def next_item(tab: Any, act: Any) -> str:
    """Do what moves on, wait for the next item, and return its name."""
    before = tab.locator("h1").text_content()
    act()
    tab.wait_for_function("(name) => document.querySelector('h1')?.textContent !== name", arg=before)
    tab.wait_for_selector(".see > :not(.muted)", timeout=READY_MS)
    return str(tab.locator("h1").text_content())


def saved(tab: Any) -> None:
    """Wait until the server has written everything down."""
    tab.wait_for_selector(".saving[data-state=saved]", state="attached", timeout=READY_MS)
