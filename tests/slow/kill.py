"""Kill every verb at random moments and look at what is left.

::

    python tests/slow/kill.py       # CORRIGIBLE_KILL_SEED=… repeats a run, CORRIGIBLE_KILLS=… sets the kills per verb

PyTorch is loaded once; each attempt is a fork, which dies by SIGKILL after a random part of the verb's duration. Half
of the kills aim at its last fifth, in which files get their names. A fresh fork then looks at what is left; after every
fourth kill the verb must run through and leave nothing half-written.
"""

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # Which the first step of an optimizer loads: once here, and not in every fork.

sys.path.insert(0, str(Path(__file__).parents[1]))
torch.set_num_threads(1)  # Before anything is computed: threads do not survive a fork.

from corrigible import sealing, workflow  # noqa: E402
from corrigible.explanations.shards.files import FORMATS, read_shard  # noqa: E402
from corrigible.feedback.exchange import from_json  # noqa: E402
from corrigible.study import open_study  # noqa: E402
from corrigible.workflow.shard_runs import UNFINISHED  # noqa: E402
from studies import finish, image_study  # noqa: E402

Facts = list[dict[str, Any]]
Say = Callable[[dict[str, Any]], None]
BOX = (0, 0, 2, 2)
START = b"!"


@dataclass
class Verb:
    """A writing verb, and what became of the attempts to kill it."""

    name: str
    run: Callable[[Path, str], Iterator[Any]]
    """(study, a word that marks the attempt) -> the verb's records."""
    seconds: float = 0.0
    num_killed: int = 0
    num_too_late: int = 0
    acknowledged: Facts = field(default_factory=list)


def main() -> dict[str, int]:
    """Kill each verb; the number of kills that hit it while it ran."""
    seed = int(os.environ.get("CORRIGIBLE_KILL_SEED", time.time_ns() % 100_000))
    num_kills = int(os.environ.get("CORRIGIBLE_KILLS", 20))
    say(f"CORRIGIBLE_KILL_SEED={seed}")
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder, "template")
        in_fork(lambda _: prepare(template))
        verbs = [Verb(name, run) for name, run in VERBS.items()]
        for verb in verbs:
            study = Path(shutil.copytree(template, Path(folder, verb.name.replace(" ", "-"), "study")))
            kill(verb, study, num_kills, rng)
            say(
                f"{verb.name:17} {verb.num_killed:3} killed, {verb.num_too_late:3} too late, {verb.seconds:.3f} s whole"
            )
    return {verb.name: verb.num_killed for verb in verbs}


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def prepare(study: Path, num_feedback: int = 100) -> None:
    """A finished study with so much feedback, enough to retract some in every attempt."""
    finish(image_study(study))
    for place in range(num_feedback):
        for _ in workflow.add_feedback(study, box=BOX, row=place % 60, note=f"kept {place}"):
            pass


def kill(verb: Verb, study: Path, num_kills: int, rng: random.Random) -> None:
    """Kill the verb that often while it runs; after each kill everything acknowledged is there and it runs through."""
    attempt(verb, study, "warm")
    verb.seconds = min(timed(verb, study, f"whole{place}") for place in range(2))
    while verb.num_killed < num_kills:
        word = f"attempt{verb.num_killed + verb.num_too_late}"
        delay = verb.seconds * (rng.uniform(0, 1.02) if rng.random() < 0.5 else rng.uniform(0.8, 1.05))
        facts, was_killed = attempt(verb, study, word, delay)
        verb.num_killed += was_killed
        verb.num_too_late += not was_killed
        verb.acknowledged += facts
        in_fork(lambda _: look(study, verb.acknowledged))
        if (was_killed and verb.num_killed % 4 == 0) or verb.num_killed == num_kills:
            verb.acknowledged += attempt(verb, study, f"again{verb.num_killed}")[0]
            in_fork(lambda _: look(study, verb.acknowledged, is_tidy=True))


def timed(verb: Verb, study: Path, word: str) -> float:
    started = time.perf_counter()
    verb.acknowledged += attempt(verb, study, word)[0]
    return time.perf_counter() - started


def attempt(verb: Verb, study: Path, word: str, delay_seconds: float | None = None) -> tuple[Facts, bool]:
    """Run the verb in a fork, which says what it acknowledges the moment it does."""

    def work(say: Say) -> None:
        with closing(verb.run(study, word)) as records:  # type: ignore[type-var]
            for record in records:
                if type(record).__name__ == "Noted":
                    say({"verb": record.verb, "numbers": record.numbers, "word": word})
                elif type(record).__name__ == "ShardWritten":
                    say({"name": record.name, "num_shards": record.number, "num_runs": len(open_study(study).runs())})
                elif type(record).__name__ in ("Finished", "Sealed"):
                    say({"path": record.path})

    return in_fork(work, delay_seconds)


def in_fork(work: Callable[[Say], None], delay_seconds: float | None = None) -> tuple[Facts, bool]:
    """Do the work in a fork: what it said, and whether it was killed after the delay. Its errors are raised here."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.write(writing, START)
        _work_and_exit(work, lambda fact: _write(writing, fact))
    os.close(writing)
    with open(reading, "rb") as stream:
        assert stream.read(len(START)) == START
        if delay_seconds is not None:
            time.sleep(delay_seconds)
            os.kill(child, signal.SIGKILL)
        lines = stream.read().splitlines(keepends=True)
    _, status = os.waitpid(child, 0)
    facts = [json.loads(line) for line in lines if line.endswith(b"\n")]
    for fact in facts:
        assert "failed" not in fact, fact["failed"]
    return facts, os.WIFSIGNALED(status)


def _work_and_exit(work: Callable[[Say], None], say: Say) -> None:
    try:
        work(say)
    except BaseException:  # noqa: BLE001
        say({"failed": traceback.format_exc()})
    finally:
        os._exit(0)


def _write(pipe: int, fact: dict[str, Any]) -> None:
    os.write(pipe, json.dumps(fact).encode() + b"\n")


def look(folder: Path, acknowledged: Facts, *, is_tidy: bool = False) -> None:
    """What a new process finds: all that was acknowledged, and nothing half-written that could be taken for whole."""
    if (folder / "recipe.toml").exists():
        study = open_study(folder)
        assert [problem for run in study.runs() for problem in run.problems()] == []
        numbers = [run.record["number"] for run in study.runs()]
        assert numbers == [int(run.name.split("-")[0]) for run in study.runs()] == sorted(set(numbers))
        named = {path.name for path in (folder / "runs").iterdir() if not path.name.startswith(".")}
        assert named == {run.name for run in study.runs()}
        _look_at_feedback(study, [fact for fact in acknowledged if "numbers" in fact])
        _look_at_shards(study, [fact for fact in acknowledged if "num_shards" in fact])
    for fact in acknowledged:
        # A new study may since have taken the place of one that was made.
        assert "path" not in fact or Path(fact["path"]).exists() or Path(fact["path"]) == folder, fact
    if (folder / "report.html").exists():
        assert (folder / "report.html").read_text().rstrip().endswith("</html>")
    if (folder / "export.json").exists():
        assert len(from_json((folder / "export.json").read_text())) >= 100
    for sealed in folder.glob("sealed/[!.]*"):
        assert sealing.verify(sealed).ok
    if is_tidy:
        assert list(folder.rglob(".writing-*")) == []


def _look_at_feedback(study: Any, acknowledged: Facts) -> None:
    with study.feedback() as store:
        records = {record.id: record for record in store.records()}
    notes = [record.feedback.note for record in records.values()]
    assert all(notes.count(word) == 3 for word in set(notes) if word.startswith("imported"))
    for fact in acknowledged:
        for number in fact["numbers"]:
            record = records[number]
            if fact["verb"] == "feedback retract":
                assert record.retraction is not None
                assert record.retraction.note == fact["word"]
            else:
                assert record.feedback.note in (fact["word"], f"imported {fact['word']}")
                assert int(record.feedback.region.mask.sum()) == (4 if fact["verb"] == "feedback add" else 2)


def _look_at_shards(study: Any, acknowledged: Facts) -> None:
    """Every shard told of is whole, where it was written or in a run that was made of it."""
    runs = [run for run in study.runs() if run.verb == "explain"]
    for fact in acknowledged:
        unfinished = study.folder / "runs" / UNFINISHED.format("explain") / fact["name"]
        later = [run.folder for run in runs if run.record["number"] > fact["num_runs"]]
        shards = [path for folder in (unfinished, *later) for path in folder.glob(f"{fact['name']}-0*")]
        assert len(shards) >= fact["num_shards"], fact
        for path in shards:
            read_shard(path, FORMATS["safetensors"])


def _init(study: Path, word: str) -> Iterator[Any]:
    if (study / "recipe.toml").exists():
        shutil.rmtree(study)
    return workflow.init(study)  # type: ignore[no-any-return]


def _import(study: Path, word: str) -> Iterator[Any]:
    region = {"pixels": {"shape": [8, 8], "runs": [0, 2, 62]}}
    entry = {"region": region, "polarity": "irrelevant", "scope": "dataset", "note": f"imported {word}"}
    entries = [{**entry, "author": author} for author in ("Ada", "Bob", "Eve")]
    source = study.parent / "said.json"
    source.write_text(json.dumps({"format": "corrigible-feedback", "version": 1, "feedback": entries}))
    return workflow.import_feedback(study, source)  # type: ignore[no-any-return]


def _retract(study: Path, word: str) -> Iterator[Any]:
    with open_study(study).feedback() as store:
        number = store.active()[-1][0]
    return workflow.retract_feedback(study, number, note=word)  # type: ignore[no-any-return]


VERBS: dict[str, Callable[[Path, str], Iterator[Any]]] = {
    "init": _init,
    "train": lambda study, _: workflow.train(study),
    "explain": lambda study, _: workflow.explain(study),
    "explain all": lambda study, _: workflow.explain_all(study, rows_per_shard=5),
    "feedback add": lambda study, word: workflow.add_feedback(study, box=BOX, row=7, note=word),
    "feedback import": _import,
    "feedback retract": _retract,
    "feedback export": lambda study, _: workflow.export_feedback(study, study / "export.json"),
    "correct": lambda study, _: workflow.correct(study),
    "evaluate": lambda study, _: workflow.evaluate(study),
    "suspect": lambda study, _: workflow.suspect(study),
    "compare": lambda study, _: workflow.compare(study),
    "report": lambda study, _: workflow.report(study),
    "seal": lambda study, word: workflow.seal(study, name=word),
}

if __name__ == "__main__":
    found = main()
    say(f"{sum(found.values())} kills while a verb ran; nothing acknowledged was lost, nothing half-written was found")
