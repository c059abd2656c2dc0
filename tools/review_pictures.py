"""Picture the review page as it is: docs/images/review.png, and a short animation of one round, docs/images/review.gif.

    python tools/review_pictures.py [STUDY]

STUDY is a trained study of ``corrigible demo digits`` without feedback; without it one is trained. It is copied, so
that nothing is said in it. Needs a Chromium and the extra ``bench``.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from review_studies import trained_digits
from served import Served, chromium, entered, next_item, saved

from corrigible import workflow
from corrigible.study import open_study
from corrigible.trusted_code import own

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
SIZE, SHOWN = {"width": 1180, "height": 800}, (826, 560)
LONG_MS = 600_000
COLOURS = 255
EVERY = 8
"""Half seconds of training between two pictures."""


class Film:
    """Pictures of a tab, each with the time that it is shown."""

    def __init__(self, tab: Any) -> None:
        self.tab = tab
        self.frames: list[Image.Image] = []
        self.times: list[int] = []

    def take(self, milliseconds: int) -> None:
        shot = Image.open(io.BytesIO(self.tab.screenshot())).convert("RGB")
        self.frames.append(shot.resize(SHOWN, Image.Resampling.LANCZOS))
        self.times.append(milliseconds)

    def save(self, path: Path) -> None:
        """All frames in the same colours, so that what does not change takes no room."""
        width, height = SHOWN
        together = Image.new("RGB", (width, height * len(self.frames)))
        for place, frame in enumerate(self.frames):
            together.paste(frame, (0, place * height))
        palette = together.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        drawn = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in self.frames]
        drawn[0].save(path, save_all=True, append_images=drawn[1:], duration=self.times, loop=0, optimize=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        study = Path(place) / "study"
        if len(sys.argv) > 1:
            shutil.copytree(sys.argv[1], study)
            own(study)
        else:
            trained_digits(study)
        if not any(run.verb == "suspect" for run in open_study(study).runs()):
            list(workflow.suspect(study))
        IMAGES.mkdir(exist_ok=True)
        with chromium() as browser, Served(study) as served:
            tab = entered(browser, served, viewport=SIZE)
            film = Film(tab)
            reviewed(film, served)
            corrected(film, served)
            film.save(IMAGES / "review.gif")
    print(f"{len(film.frames)} frames, {(IMAGES / 'review.gif').stat().st_size / 1e6:.2f} MB")


def reviewed(film: Film, served: Served) -> None:
    """The start, and a few images: a suspect, a proposal, the brush."""
    tab = film.tab
    tab.wait_for_selector(".suspects li", timeout=LONG_MS)
    tab.wait_for_selector(".accuracy", timeout=LONG_MS)
    film.take(2200)
    tab.locator(".suspect").first.click()
    tab.wait_for_selector(".proposals button")
    tab.wait_for_selector(".lines .label", state="attached")
    tab.wait_for_timeout(300)
    film.take(1800)
    tab.keyboard.press("1")
    tab.wait_for_timeout(150)
    film.take(1300)
    tab.screenshot(path=IMAGES / "review.png")
    for _ in range(4):
        next_item(tab, lambda: tab.keyboard.press("Enter"))
        tab.keyboard.press("1")
        tab.wait_for_timeout(200)
        film.take(700)
    brushed(film)
    next_item(tab, lambda: tab.keyboard.press("Enter"))
    saved(tab)


def brushed(film: Film) -> None:
    tab = film.tab
    tab.keyboard.press("z")
    tab.keyboard.press("b")
    tab.keyboard.press("]")
    box = tab.locator(".stage").first.bounding_box()
    scale = min(box["width"], box["height"]) / 28
    left, top = box["x"] + (box["width"] - 28 * scale) / 2, box["y"]
    tab.mouse.move(left + 25.2 * scale, top + 0.8 * scale)
    tab.mouse.down()
    for turn, (x, y) in enumerate([(27.2, 0.8), (27.2, 1.9), (25.2, 1.9), (25.2, 3.1), (27.2, 3.1)]):
        tab.mouse.move(left + x * scale, top + y * scale, steps=6)
        tab.wait_for_timeout(60)
        film.take(180 if turn < 4 else 900)
    tab.mouse.up()


def corrected(film: Film, served: Served) -> None:
    """Correct now, its curves, the final verdict, and the same images before and after."""
    tab = film.tab
    tab.goto(f"{served.address}/correct")
    button = tab.get_by_role("button", name="Correct now")
    button.wait_for()
    film.take(1200)
    button.click()
    tab.wait_for_selector(".curve-end[cx]", timeout=LONG_MS)
    is_done, number = False, 0
    while not is_done:
        if number % EVERY == 0:
            film.take(400)
        number += 1
        tab.wait_for_timeout(500)
        is_done = tab.locator(".card .pair").count() > 0
    tab.wait_for_selector("h2:text-is('Measured')", timeout=LONG_MS)
    tab.wait_for_timeout(800)
    tab.evaluate("document.querySelector('.verdict').scrollIntoView()")
    tab.wait_for_timeout(300)
    film.take(3200)


if __name__ == "__main__":
    main()
