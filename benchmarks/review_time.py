"""How long does a review take on the page: an item, a stroke, a picture of 4,096 × 4,096 pixels?

    python benchmarks/review_time.py [--seeds 1]

The digits of `corrigible demo digits`, served by `corrigible review`, are driven in a headless Chromium by input at a
person's speed: 0.6 seconds to look at an item, 900 pixels of the screen in a second for the pointer, 0.25 seconds for
a key. Times are medians over items, from the item being shown to the next one being shown, in seconds. A stroke of 500
points is drawn on the digit and on the large picture; frames are those that the browser drew while it lasted. The large
picture is opened with its map and one proposal; what the page asks for is answered from memory. Writes
benchmarks/results/review_time.json.
"""

import base64
import io
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from runner import Row, measure, options, units_of

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from review_studies import trained_digits
from served import Served, chromium, entered, next_item, open_item, ready, saved

LOOK, KEY, SPEED, STEP = 0.6, 0.25, 900, 8
"""Seconds to look and for a key; the pointer's speed, and the length of its steps, in pixels."""
NUM_ACCEPTED, NUM_BRUSHED, NUM_POINTS, LARGE = 20, 8, 500, 4096
DRAWN = """() => new Promise((done) => {
  const look = () => {
    const [mark] = performance.getEntriesByName("first-view");
    mark ? done(mark.startTime) : setTimeout(look, 20);
  };
  look();
})"""
FRAMES = "() => { window.frames_ = []; const see = (at) => { frames_.push(at); requestAnimationFrame(see); }; see(0); }"


def main() -> None:
    asked = options(__doc__, seeds=1).parse_args()
    settings = {"look_seconds": LOOK, "key_seconds": KEY, "pixels_a_second": SPEED, "points": NUM_POINTS}
    measure(units_of({"review": timed}, asked), asked, settings=settings)


def timed(seed: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as place:
        study = trained_digits(Path(place) / "study")
        with chromium() as browser, Served(study) as served:
            tab = entered(browser, served)
            open_item(tab, served, "train", 0)
            yield Row({"what": "accepting a proposal"}, per_item(tab, lambda: accepted(tab), NUM_ACCEPTED))
            yield Row({"what": "brushing a mask"}, per_item(tab, lambda: brushed(tab), NUM_BRUSHED))
            saved(tab)
            yield Row({"what": "a stroke on a digit"}, stroke(tab))
            yield Row({"what": f"a picture of {LARGE:,} × {LARGE:,} pixels"}, {**opening(tab, served), **stroke(tab)})


def per_item(tab: Any, act: Callable[[], None], count: int) -> dict[str, float]:
    """The median time of an item, and that of all."""
    found = []
    for _ in range(count):
        started = time.perf_counter()
        time.sleep(LOOK)
        act()
        next_item(tab, lambda: pressed(tab, "Enter"))
        found.append(time.perf_counter() - started)
    return {"median_seconds": statistics.median(found), "all_seconds": sum(found), "items": count}


def accepted(tab: Any) -> None:
    pressed(tab, "1")


def brushed(tab: Any) -> None:
    """Paints a corner to and fro, as one does who marks a square."""
    pressed(tab, "b")
    box = tab.locator(".stage").first.bounding_box()
    scale = box["height"] / 28
    left, top = box["x"] + (box["width"] - 28 * scale) / 2, box["y"]
    places = [(left + 2 * scale, top + (1 + turn) * scale) for turn in range(4)]
    at = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    at = moved(tab, at, places[0])
    tab.mouse.down()
    for x, y in places:
        at = moved(tab, at, (x, y))
        at = moved(tab, at, (x - 1.5 * scale, y))
    tab.mouse.up()


def moved(tab: Any, start: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    """Moves the pointer at a person's speed."""
    length = math.dist(start, end)
    for step in range(1, max(1, round(length / STEP)) + 1):
        share = min(1.0, step * STEP / length) if length else 1.0
        due = time.perf_counter() + STEP / SPEED
        tab.mouse.move(start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]))
        time.sleep(max(0.0, due - time.perf_counter()))
    tab.mouse.move(*end)
    return end


def pressed(tab: Any, key: str) -> None:
    time.sleep(KEY)
    tab.keyboard.press(key)


def stroke(tab: Any) -> dict[str, float]:
    """Frames a second, and the longest time between two, while a stroke of many points is drawn."""
    tab.keyboard.press("b")
    box = tab.locator(".stage").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x - 200, y)
    tab.mouse.down()
    tab.evaluate(FRAMES)
    for point in range(NUM_POINTS):
        tab.mouse.move(x - 200 + 400 * point / NUM_POINTS, y + 120 * math.sin(point / 12))
    times = tab.evaluate("() => frames_.slice(2)")
    tab.mouse.up()
    gaps = np.diff(times)
    return {"frames_a_second": 1000 * len(gaps) / float(gaps.sum()), "longest_gap_ms": float(gaps.max())}


def opening(tab: Any, served: Served) -> dict[str, float]:
    """Seconds from asking for the page until the large picture is drawn."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (128, 128, 3), dtype=np.uint8))
    large = small.resize((LARGE, LARGE), Image.Resampling.BICUBIC)
    heat, mask = np.zeros((LARGE, LARGE, 4), np.uint8), np.zeros((LARGE, LARGE), np.uint8)
    heat[: LARGE // 3, : LARGE // 3] = (178, 24, 43, 200)
    mask[: LARGE // 4, : LARGE // 4] = 255
    answers = {
        "picture": (encoded(large, "JPEG"), "image/jpeg"),
        "map": (encoded(Image.fromarray(heat), "PNG"), "image/png"),
    }
    item = tab.evaluate("fetch('/api/item/train/0').then((answer) => answer.json())")
    url = "data:image/png;base64," + base64.b64encode(encoded(Image.fromarray(mask), "PNG")).decode()
    item["image"] |= {"width": LARGE, "height": LARGE, "pixelated": False}
    item["proposals"] = [{**item["proposals"][0], "region": {"type": "mask", "png": url}}]
    tab.route("**/api/item/train/0", lambda route: route.fulfill(json=item))
    for name, (body, kind) in answers.items():
        for place in (f"**/{name}/train/0.png", f"**/{name}/train/0/*"):
            tab.route(place, lambda route, _, body=body, kind=kind: route.fulfill(body=body, content_type=kind))
    found = []
    for _ in range(5):
        tab.goto(f"{served.address}/item/train/0")
        ready(tab)
        found.append(tab.evaluate(DRAWN) / 1000)
    return {"opening_seconds": statistics.median(found)}


def encoded(picture: Image.Image, form: str) -> bytes:
    written = io.BytesIO()
    picture.save(written, format=form)
    return written.getvalue()


if __name__ == "__main__":
    main()
