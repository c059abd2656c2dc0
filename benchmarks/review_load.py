"""How quick is the review page with 100,000 items and 20,000 statements, and does its memory grow?

    python benchmarks/review_load.py [--seeds 1]

A study of 100,000 images of 8 × 8 pixels, once without feedback and once with 20,000 statements and as many answers,
each served by `corrigible review` in a process of its own. Times are of whole requests over the loopback, in
milliseconds, medians and 95th percentiles over 200 of each kind; an item is one that was looked at before, its pictures
included. Memory is that of the server's process, without the model's, before and after 2,000 page views.
Writes benchmarks/results/review_load.json.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from runner import Row, measure, options, units_of

from corrigible import workflow
from corrigible.feedback.store import FeedbackStore
from corrigible.said import Answer, Feedback, Pixels
from corrigible.trusted_code import own

NUM_ITEMS, NUM_SAID, NUM_VIEWS, NUM_TIMED = 100_000, 20_000, 2_000, 200
RECIPE = """
format = 1
title = "Many items"
[data]
kind = "image"
[model]
name = "mlp"
hidden = [8]
[train]
epochs = 1
batch_size = 512
"""
CORNER = np.zeros((8, 8), bool)
CORNER[:2, :2] = True


def main() -> None:
    asked = options(__doc__, seeds=1).parse_args()
    settings = {"items": NUM_ITEMS, "statements": NUM_SAID, "page_views": NUM_VIEWS}
    measure(units_of({"review": both}, asked), asked, settings=settings)


def both(seed: int) -> Iterator[Row]:
    """The study without feedback, then with it."""
    with tempfile.TemporaryDirectory() as place:
        folder = made(Path(place) / "study", seed)
        before = timed(folder)
        yield Row({"study": "without feedback"}, before)
        say(folder, seed)
        after = timed(folder)
        ratio = after["item_ms"] / before["item_ms"]
        yield Row({"study": f"with {NUM_SAID:,} statements"}, {**after, "item_ratio": ratio})


def made(folder: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    (folder / "data").mkdir(parents=True)
    for split, count in (("train", NUM_ITEMS), ("test", 500)):
        y = np.arange(count) % 3
        x = rng.random((count, 8, 8), dtype=np.float32)
        x[:, :2, :2] = y[:, None, None] / 2
        np.savez(folder / "data" / f"{split}.npz", x=x, y=y)
    (folder / "recipe.toml").write_text(RECIPE)
    own(folder)
    for _ in workflow.train(folder, seed=seed):
        pass
    return folder


def say(folder: Path, seed: int) -> None:
    rows = np.random.default_rng(seed).choice(NUM_ITEMS, NUM_SAID, replace=False).tolist()
    with FeedbackStore(folder / "feedback.sqlite") as store:
        store.add_all(Feedback(Pixels(CORNER), row=row, author=f"reviewer {row % 3}") for row in rows)
        with store._writing():  # All in one transaction: a disk needs a moment for each.
            from corrigible.feedback.answers import checked_answer, insert_answer
            from corrigible.feedback.writing import insert_event

            for row in rows:
                answer = checked_answer(Answer(row, "marked", author=f"reviewer {row % 3}"))
                number = insert_event(store._connection, answer.at, answer.author, "")
                insert_answer(store._connection, number, answer, [])


@contextmanager
def served(folder: Path) -> Iterator[tuple[httpx.Client, int]]:
    """A browser with the page open, and the number of the server's process."""
    command = [sys.executable, "-m", "corrigible", "review", str(folder), "--no-browser", "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        found = re.search(r"(http://127\.0\.0\.1:\d+)/\?token=[\w-]+", server.stdout.readline())
        assert found is not None
        with httpx.Client(base_url=found[1], timeout=300, follow_redirects=True) as client:
            for _ in range(100):
                try:
                    client.get(found[0])
                    break
                except httpx.ConnectError:
                    time.sleep(0.1)
            client.get("/api/item/train/0")
            wait_for_predictions(client)
            yield client, server.pid
    finally:
        server.terminate()
        server.wait()


def wait_for_predictions(client: httpx.Client) -> None:
    while client.get("/api/items?split=test").json()["items"][-1]["prediction"] is None:
        time.sleep(0.5)


def timed(folder: Path) -> dict[str, float]:
    with served(folder) as (client, process):
        rows = [int(row) for row in np.linspace(0, NUM_ITEMS - 1000, NUM_TIMED)]
        for row in rows:
            look(client, row)
        found = {
            **times("item", lambda row: look(client, row), rows),
            **times("items", lambda row: got(client, f"/api/items?page={1 + row % 2000}"), rows),
            **times("filter", lambda row: got(client, f"/api/items?show=unreviewed&class={row % 3}"), rows),
            **times("next", lambda row: got(client, f"/api/next?after=train/{row}"), rows),
            **times("history", lambda row: got(client, f"/api/feedback?page={1 + row % 300}"), rows),
            **times("start", lambda row: got(client, "/api/study"), rows),
            **times("save", lambda row: saved(client, row), rows),
        }
        before = memory_of(process)
        for view in range(NUM_VIEWS):
            look(client, rows[view % NUM_TIMED] + view // NUM_TIMED)
        found |= {"memory_before_mib": before, "memory_after_mib": memory_of(process)}
        return found


def look(client: httpx.Client, row: int) -> None:
    """What a browser asks for to show one item."""
    got(client, f"/item/train/{row}")
    item = got(client, f"/api/item/train/{row}").json()
    got(client, item["image"]["picture"])
    got(client, item["image"]["map"])


def got(client: httpx.Client, path: str) -> httpx.Response:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer


def saved(client: httpx.Client, row: int) -> None:
    body = {"key": str(uuid.uuid4()), "split": "train", "row": row, "version": 0, "author": "Ada", "seconds": 1.0}
    body |= {"answer": "nothing wrong", "note": "", "says": [], "shown": [], "force": True}
    answer = client.post("/api/answer", json=body, headers={"origin": str(client.base_url).rstrip("/")})
    assert answer.status_code == 200, answer.text


def times(name: str, work: Callable[[int], object], rows: list[int]) -> dict[str, float]:
    """Median and 95th percentile, in milliseconds."""
    found = []
    for row in rows:
        started = time.perf_counter()
        work(row)
        found.append(1000 * (time.perf_counter() - started))
    print(f"  {name}: {statistics.median(found):.1f} ms", flush=True)
    return {f"{name}_ms": statistics.median(found), f"{name}_95_ms": statistics.quantiles(found, n=20)[-1]}


def memory_of(process: int) -> float:
    """The memory that the process holds, in MiB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
