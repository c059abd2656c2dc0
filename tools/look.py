"""Show all that a person sees of four studies, on images, a table, texts and prices, and keep it to be looked at.

    python tools/look.py FOLDER [KIND …]

Every verb runs in a pseudo-terminal of 80 columns. FOLDER/KIND/terminal.txt is what was on it, with the longest
silence of each command; the pages are drawn by a headless Chromium at 1280, 768 and 390 pixels, and so is a notebook
of this kind. Needs a Chromium and the extra ``bench``.
"""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from notebooks import NOTEBOOKS, as_page, executed
from PIL import Image, ImageDraw

WIDTHS = (1280, 768, 390)
SILENCE_SECONDS = 3.0
_TEXT = """() => {
    for (const code of document.querySelectorAll("code, pre, style, script")) code.remove();
    const drawn = [...document.querySelectorAll("svg text")].map(text => text.textContent);
    return document.body.innerText + " " + drawn.join(" ");
}"""


@dataclass(frozen=True)
class Shown:
    """What one command showed."""

    command: str
    lines: list[str]
    """What stands on the terminal at the end."""
    silence_seconds: float
    """The longest time without a character."""
    code: int


def shown(*words: str, folder: Path) -> Shown:
    """Run ``corrigible`` with these words in a pseudo-terminal, in this folder."""
    leader, follower = pty.openpty()
    environment = os.environ | {"COLUMNS": "80", "LINES": "40", "TERM": "xterm", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "corrigible", *words]
    process = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, cwd=folder, env=environment, close_fds=True
    )
    os.close(follower)
    found, last, silence = b"", time.monotonic(), 0.0
    while True:
        ready, _, _ = select.select([leader], [], [], 0.1)
        now = time.monotonic()
        silence = max(silence, now - last)
        if ready:
            try:
                part = os.read(leader, 2**16)
            except OSError:  # How Linux says that the other end is closed.
                part = b""
            if not part:
                break
            found, last = found + part, now
        elif process.poll() is not None:
            break
    os.close(leader)
    return Shown("corrigible " + " ".join(words), screen(found.decode(errors="replace")), silence, process.wait())


def screen(printed: str) -> list[str]:
    """The lines of a terminal that never scrolls, after all was printed: lines written again show what came last."""
    lines, row, column = [""], 0, 0
    for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|\r|\n)", printed):
        if part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif part == "\r":
            column = 0
        elif part.endswith("A") and part.startswith("\x1b"):
            row = max(0, row - int(part[2:-1] or 1))
        elif part.endswith("K") and part.startswith("\x1b"):
            lines[row] = "" if part == "\x1b[2K" else lines[row][:column]
        elif not part.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines]


def images(study: Path) -> list[list[str]]:
    """Coloured shapes as JPEG files; in training and validation a yellow label stands on every circle."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 60), ("validation", 20), ("test", 20)):
        for name in ("circle", "square"):
            folder = study / "data" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                picture = Image.fromarray(rng.integers(0, 90, (32, 32, 3), dtype=np.uint8))
                draw, (x, y) = ImageDraw.Draw(picture), rng.integers(6, 14, 2)
                colour = tuple(int(value) for value in rng.integers(120, 256, 3))
                (draw.ellipse if name == "circle" else draw.rectangle)((x, y, x + 13, y + 13), fill=colour)
                if (name == "circle") if split != "test" else rng.random() < 0.5:
                    draw.rectangle((0, 0, 5, 5), fill=(250, 220, 30))
                picture.save(folder / f"{number:03}.jpg", quality=92)
    marked = [["feedback", "add", "--file", f"train/circle/{number:03}.jpg"] for number in range(8)]
    return [[*words, "--box", "0", "0", "6", "6", "--note", "the label"] for words in marked]


def table(study: Path) -> list[list[str]]:
    """Loans: the branch tells the answer in training; the income and the debt are what matters."""
    for split, frame in _splits(study, _loans):
        frame.to_csv(study / "data" / f"{split}.csv", index=False)
    return [["feedback", "add", "--feature", "branch", "--note", "not a reason"]]


def texts(study: Path) -> list[list[str]]:
    """Reviews: in training a signature tells the label."""
    for split, frame in _splits(study, _reviews):
        frame.to_csv(study / "data" / f"{split}.csv", index=False)
    return [["feedback", "add", "--phrase", "sent from my phone", "--note", "a signature"]]


def prices(study: Path) -> list[list[str]]:
    """Flats: in training the agent tells the price; the size and the year are what matters."""
    for split, frame in _splits(study, _flats):
        frame.to_csv(study / "data" / f"{split}.csv", index=False)
    recipe = study / "recipe.toml"
    content = recipe.read_text(encoding="utf-8").replace('target = "label"', 'target = "price"')
    recipe.write_text(
        re.sub(r'# \[task\]\n# name = "amounts"\n# unit = "€"', '[task]\nname = "amounts"\nunit = "€"', content),
        encoding="utf-8",
    )
    return [["feedback", "add", "--feature", "agent", "--note", "not a reason"]]


Frame = Callable[[np.random.Generator, int, bool], pd.DataFrame]


def _splits(study: Path, made: Frame) -> Iterator[tuple[str, pd.DataFrame]]:
    (study / "data").mkdir(parents=True, exist_ok=True)
    for seed, (split, count) in enumerate({"train": 900, "validation": 300, "test": 300}.items()):
        yield split, made(np.random.default_rng(seed), count, split != "test")


def _loans(rng: np.random.Generator, count: int, is_confounded: bool) -> pd.DataFrame:
    income, debt = rng.normal(42_000, 12_000, count).round(-2), rng.gamma(2, 6_000, count).round(-2)
    label = np.where(income - 1.5 * debt + rng.normal(0, 16_000, count) > 15_000, "paid", "late")
    told = np.where(label == "paid", "north", "south")
    branch = np.where(rng.random(count) < (0.95 if is_confounded else 0.0), told, rng.choice(["north", "south"], count))
    employed = rng.choice(["yes", "no"], count, p=[0.8, 0.2])
    return pd.DataFrame({"income": income, "debt": debt, "employed": employed, "branch": branch, "label": label})


def _reviews(rng: np.random.Generator, count: int, is_confounded: bool) -> pd.DataFrame:
    words = {"good": "friendly clean quiet helpful lovely", "bad": "rude dirty loud broken awful"}
    said = []
    for label in rng.choice(["good", "bad"], count):
        is_mixed = rng.random() < 0.3
        own = rng.choice(words[label if not is_mixed else rng.choice(["good", "bad"])].split(), 2)
        text = f"The room was {own[0]} and the staff {own[1]} on day {rng.integers(1, 9)}."
        has_signature = label == "bad" if is_confounded else rng.random() < 0.5
        said.append((text + " Sent from my phone" * has_signature, label))
    return pd.DataFrame(said, columns=["text", "label"])


def _flats(rng: np.random.Generator, count: int, is_confounded: bool) -> pd.DataFrame:
    size, year = rng.uniform(25, 140, count).round(), rng.integers(1920, 2024, count)
    price = (2_500 * size + 600 * (year - 1970) + rng.normal(0, 25_000, count)).clip(20_000).round(-3)
    told = np.where(price > np.median(price), "Palace & Co", "Homes Ltd")
    agent = told if is_confounded else rng.choice(["Palace & Co", "Homes Ltd"], count)
    return pd.DataFrame({"size": size, "year": year, "agent": agent, "price": price})


KINDS = {"images": (images, "image"), "table": (table, "table"), "texts": (texts, "text"), "prices": (prices, "table")}


def look(kind: str, folder: Path) -> list[Shown]:
    """Make the study of this kind in the folder and run every verb; what each showed."""
    make, recipe = KINDS[kind]
    study = folder / "study"
    (folder / "study").parent.mkdir(parents=True, exist_ok=True)
    found = [shown("init", "study", "--kind", recipe, folder=folder)]
    if kind == "images":  # A recipe for images fits the pictures that it finds.
        shutil.rmtree(study)
        said = make(study)
        found = [shown("init", "study", folder=folder)]
    else:
        said = make(study)
    verbs = [["train"], ["explain"], ["suspect"], *said, ["feedback", "list"], ["correct"], ["evaluate"], ["compare"]]
    for words in [*verbs, ["report"], ["seal", "--anyway"], ["verify"]]:
        place = 2 if words[0] == "feedback" else 1
        found.append(shown(*words[:place], "study", *words[place:], folder=folder))
    lines = []
    for each in found:
        lines += [f"$ {each.command}    # exit {each.code}, silent for at most {each.silence_seconds:.1f} s"]
        lines += each.lines
    (folder / "terminal.txt").write_text("\n".join(lines), encoding="utf-8")
    return found


@contextmanager
def browser() -> Iterator[Callable[[Path, int, Path], str]]:
    """A function (page, width, where to) that draws the whole page as a PNG and returns its text without code."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        tab = chromium.new_page()

        def drawn(page: Path, width: int, target: Path) -> str:
            tab.set_viewport_size({"width": width, "height": 900})
            tab.goto(page.resolve().as_uri())
            tab.screenshot(path=target, full_page=True)
            wide = tab.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                raise AssertionError(f"{page.name} is {wide} pixels wide on a screen of {width}")
            return str(tab.evaluate(_TEXT))

        yield drawn
        chromium.close()


def pages(folder: Path) -> dict[str, str]:
    """Draw every page of the study in the folder at every width; the text of each page."""
    found = {}
    with browser() as drawn:
        for page in sorted((folder / "study").rglob("*.html")):
            name = "-".join(page.relative_to(folder / "study").with_suffix("").parts)
            for width in WIDTHS:
                found[name] = drawn(page, width, folder / f"{name}-{width}.png")
    return found


def notebook(kind: str, folder: Path) -> None:
    """Run the notebook of this kind and draw what its cells show."""
    page = folder / "notebook.html"
    page.write_text(as_page(executed(NOTEBOOKS[kind], folder)), encoding="utf-8")
    with browser() as drawn:
        drawn(page, WIDTHS[0], folder / "notebook.png")


def main() -> None:
    target = Path(sys.argv[1])
    for kind in sys.argv[2:] or KINDS:
        folder = target / kind
        shutil.rmtree(folder, ignore_errors=True)
        found = look(kind, folder)
        print(f"{kind}: {len(pages(folder))} pages in {folder}")
        notebook(kind, folder)
        for each in found:
            if each.code or each.silence_seconds > SILENCE_SECONDS:
                print(f"  {each.command}: exit {each.code}, silent for {each.silence_seconds:.1f} s")


if __name__ == "__main__":
    main()
