"""Can somebody who sees the model for the first time correct it on the page, and is it as good as the planted masks?

    python benchmarks/review_path.py [--seeds 3]

The digits of `corrigible demo digits` after training, without any feedback, served by `corrigible review`. A script in
place of a person begins where the page says so and looks at items in the order in which they are offered. On each it
chooses the proposals that lie in a corner of the picture, says that these must not matter for every image, and goes on
until three items show no corner that was not marked; then it presses Correct now and Keep. It never sees the planted
masks. Beside it, a copy of the same study is corrected with the masks of 20 rows that the demo plants. Accuracy is that
of the test rows, whose corners tell nothing. Machine time is that of the correction, its baselines and its measurement,
without the person's. Needs a Chromium and the extra ``bench``. Writes benchmarks/results/review_path.json.
"""

import base64
import io
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from runner import Row, measure, options, rows_of, units_of

from corrigible import workflow
from corrigible.demos import digits
from corrigible.demos.story import opened
from corrigible.study import open_study
from corrigible.trusted_code import own

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from served import READY_MS, Served, chromium, entered, next_item, ready, saved

PATIENCE, CORNER, MOST_AREA = 3, 8, 0.1
"""Items in a row that show nothing new before the person corrects; pixels from a corner that count as corner; largest
share of the picture that a person takes for a square."""
LONG_MS = 900_000


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    settings = {"patience": PATIENCE, "corner_pixels": CORNER, "most_area": MOST_AREA}
    measure(units_of({"digits": both}, asked), asked, settings=settings)


def both(seed: int) -> Iterator[Row]:
    """The person's correction on the page, and that with the planted masks."""
    with tempfile.TemporaryDirectory() as place:
        folder, copied = Path(place) / "page", Path(place) / "planted"
        opened(folder, digits.RECIPE.format(seed=seed))
        list(workflow.train(folder))
        shutil.copytree(folder, copied)
        own(copied)
        with Served(folder) as served, chromium() as browser:
            worked = by_page(browser, served)
        digits.reviewed(open_study(copied), seed)
        list(workflow.correct(copied))
        list(workflow.evaluate(copied))
        models = {"fooled": accuracy(folder, "trained"), "corrected on the page": accuracy(folder, "corrected")}
        models["corrected with planted masks"] = accuracy(copied, "corrected")
        for name, found in models.items():
            yield from rows_of({name: {"accuracy": found, **(worked if name == "corrected on the page" else {})}})


def by_page(browser: Any, served: Served) -> dict[str, float]:
    """What it took: clicks, items looked at, and seconds of the machine."""
    tab = entered(browser, served)
    tab.set_default_timeout(2 * READY_MS)
    clicks = 0
    tab.get_by_role("link", name="Begin with the first").click()
    clicks += 1
    marked, items, nothing_new = np.zeros((28, 28), bool), 0, 0
    while nothing_new < PATIENCE:
        tab.wait_for_selector(".proposals button", timeout=READY_MS)
        items += 1
        masks = proposed(tab)
        chosen = [place for place, mask in enumerate(masks) if in_a_corner(mask) and not marked[mask].all()]
        nothing_new = 0 if chosen else nothing_new + 1
        for place in chosen:
            marked |= masks[place]
            tab.locator(".proposals button").nth(place).click()
        if chosen:
            tab.get_by_role("radio", name="every image").click()
        clicks += len(chosen) + 1 + bool(chosen)
        next_item(tab, (tab.locator(".save") if chosen else tab.get_by_role("button", name="Skip")).click)
    saved(tab)
    tab.get_by_role("link", name="Correct", exact=True).click()
    ready(tab)
    started = time.perf_counter()
    tab.get_by_role("button", name="Correct now").click()
    tab.get_by_role("button", name="Keep", exact=True).wait_for(timeout=LONG_MS)
    seconds = time.perf_counter() - started
    tab.wait_for_selector("h2:text-is('Measured')", timeout=LONG_MS)
    seconds = max(seconds, time.perf_counter() - started)
    tab.get_by_role("button", name="Keep", exact=True).click()
    tab.wait_for_selector("text=This correction was kept", timeout=READY_MS)
    return {"clicks": clicks + 3.0, "items": float(items), "machine_seconds": seconds}


def proposed(tab: Any) -> list[np.ndarray]:
    """The masks of the proposals on the screen, as a person sees them."""
    place = tab.evaluate("location.pathname").removeprefix("/item/")
    found = tab.evaluate("(place) => fetch('/api/item/' + place).then((reply) => reply.json())", place)["proposals"]
    return [mask_in(each["region"]["png"]) for each in found]


def mask_in(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("L")) > 0


def in_a_corner(mask: np.ndarray) -> bool:
    """Whether a region lies in one corner of the picture and is small."""
    rows, columns = np.nonzero(mask)
    size = mask.shape[0]
    vertical = rows.max() < CORNER or rows.min() >= size - CORNER
    horizontal = columns.max() < CORNER or columns.min() >= size - CORNER
    return bool(vertical and horizontal and mask.mean() <= MOST_AREA)


def accuracy(folder: Path, label: str) -> float:
    """Of this model in the latest evaluation."""
    models = open_study(folder).latest("evaluate").read("evaluation.json")["models"]
    (model,) = [model for model in models if model["name"] == label]
    (found,) = [each for each in model["measurements"] if each["metric"] == "accuracy" and not each["part"]]
    return float(found["value"])


if __name__ == "__main__":
    main()
