"""Kill the review's server at random moments of saving, and look at what is left.

::

    python tests/slow/kill_review.py       # CORRIGIBLE_KILL_SEED=… repeats a run, CORRIGIBLE_KILLS=… sets the number

A fork serves the page's app over a real socket, without a model; the parent saves answers, sends again what was not
acknowledged, as the browser does, and kills the server by SIGKILL while it does.
"""

import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx
import numpy as np
import uvicorn

from corrigible.said import Pixels
from corrigible.study import open_study
from corrigible.web.app import app_of
from corrigible.workflow.reviews.regions import region_as_json
from corrigible.workflow.reviews.review import Review
from reviewed import NUM_ROWS, Known, untrained

MARK = np.zeros((8, 8), bool)
MARK[:2, :2] = True


class Server:
    """The server in a fork, on a socket that outlives it."""

    def __init__(self, folder: Path, listening: socket.socket) -> None:
        reading, writing = os.pipe()
        port = listening.getsockname()[1]
        self.process = os.fork()
        if self.process == 0:
            self._serve(folder, listening, port, writing)
        os.close(writing)
        with open(reading) as stream:
            token = stream.readline().strip()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20)
        assert self.client.get(f"/?token={token}").status_code == 303

    def _serve(self, folder: Path, listening: socket.socket, port: int, writing: int) -> None:
        try:
            guard = app_of(lambda: Review(folder, look_with=Known), port=port)  # type: ignore[arg-type]
            os.write(writing, f"{guard.token}\n".encode())
            os.close(writing)
            uvicorn.Server(uvicorn.Config(guard, log_level="critical")).run(sockets=[listening])
        finally:
            os._exit(1)

    def save(self, body: dict[str, Any]) -> list[int]:
        """Save an answer; the numbers that the server acknowledged."""
        origin = {"origin": str(self.client.base_url).rstrip("/")}
        answer = self.client.post("/api/answer", json=body, headers=origin)
        assert answer.status_code == 200, answer.text
        numbers: list[int] = answer.json()["numbers"]
        return numbers

    def kill(self) -> None:
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        self.client.close()


def main() -> int:
    """Kill the server that often; the number of answers that were cut off and sent again."""
    seed = int(os.environ.get("CORRIGIBLE_KILL_SEED", time.time_ns() % 100_000))
    num_kills = int(os.environ.get("CORRIGIBLE_KILLS", 200))
    sys.stdout.write(f"CORRIGIBLE_KILL_SEED={seed}\n")
    rng, num_cut = random.Random(seed), 0
    acknowledged: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory() as place, socket.create_server(("127.0.0.1", 0)) as listening:
        folder = untrained(Path(place) / "study")
        waiting: list[dict[str, Any]] = []
        for _ in range(num_kills):
            server = Server(folder, listening)
            killer = threading.Timer(rng.uniform(0, 0.6), os.kill, (server.process, signal.SIGKILL))
            killer.start()
            try:
                while True:
                    waiting = waiting or [an_answer(rng)]
                    acknowledged[waiting[0]["key"]] = server.save(waiting[0])
                    waiting.clear()
            except httpx.HTTPError:
                num_cut += bool(waiting)
            killer.join()
            os.waitpid(server.process, 0)
            server.client.close()
            look(folder, acknowledged, waiting)
        sys.stdout.write(f"{len(acknowledged)} answers acknowledged, {num_cut} cut off\n")
    return num_cut


def an_answer(rng: random.Random) -> dict[str, Any]:
    says = [{"polarity": "irrelevant", "scope": "row", "region": region_as_json(Pixels(MARK))}] * rng.randint(0, 2)
    about = {"key": str(uuid.UUID(int=rng.getrandbits(128))), "split": "train", "row": rng.randrange(NUM_ROWS)}
    said = {"answer": "marked" if says else "nothing wrong", "says": says, "note": "", "shown": []}
    return {**about, **said, "version": 0, "force": True, "author": "Ada", "seconds": 1}


def look(folder: Path, acknowledged: dict[str, list[int]], waiting: list[dict[str, Any]]) -> None:
    """All that was acknowledged is there, once; what was cut off is there as a whole or not at all."""
    with open_study(folder).feedback() as store:
        stored = {answer.key: answer for _, answer in store.answers()}
        said = [record.id for record in store.records()]
        assert len(stored) == len(store.answers())
    assert {key: list(stored[key].feedback) for key in acknowledged} == acknowledged
    assert set(stored) - set(acknowledged) <= {body["key"] for body in waiting}
    assert said == sorted(number for answer in stored.values() for number in answer.feedback)


if __name__ == "__main__":
    found = main()
    sys.stdout.write(f"{found} answers were cut off; nothing acknowledged was lost, nothing was stored twice\n")
