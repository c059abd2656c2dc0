"""Kill every verb at random moments, and flip bits in every file of a study: what is lost, and what goes unnoticed?

A kill counts when it hit the verb while it ran; afterwards a new process must find all that was acknowledged, and every
fourth time the verb must run through. Anything else ends the benchmark. A flipped bit is *found* if ``verify STUDY``
names it; *without effect* if it lies in the feedback store and everything that people said is read back as it was, as
in bytes of a page that SQLite does not use; otherwise it is *unnoticed*.
"""

import random
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from runner import Row, measure, options, units_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "slow"))

import kill

from corrigible import workflow
from corrigible.errors import CorrigibleError
from corrigible.feedback.store import FeedbackStore
from corrigible.workflow.study_problems import problems_of

STORE = "feedback.sqlite"


def main() -> None:
    parser = options(__doc__, seeds=1)
    parser.add_argument("--kills", type=int, default=36, help="for each verb")
    parser.add_argument("--flips", type=int, default=3000, help="over all files")
    asked = parser.parse_args()
    kills = {f"kill {name}": partial(killed, name, asked.kills) for name in kill.VERBS}
    works = {**kills, "flip bits": partial(flipped, asked.flips)}
    measure(units_of(works, asked), asked, settings={"kills": asked.kills, "flips": asked.flips})


def killed(name: str, num_kills: int, seed: int) -> Iterator[Row]:
    """How often the verb was killed; an error if anything was lost."""
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder, "study")
        kill.in_fork(lambda _: kill.prepare(study, 10 * num_kills))
        verb = kill.Verb(name, kill.VERBS[name])
        kill.kill(verb, study, num_kills, random.Random(f"{name} {seed}"))
    yield Row({"what": f"killed: {name}"}, {"count": float(verb.num_killed), "lost": 0.0})


def flipped(num_flips: int, seed: int) -> Iterator[Row]:
    """What became of flipped bits, for each kind of file; every file gets as many."""
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder, "study")
        finished(study)
        said = records(study)
        assert said is not None
        files = sorted(path for path in study.rglob("*") if path.is_file() and path.stat().st_size)
        rng, outcomes = random.Random(seed), {"found": 0, "without effect": 0, "unnoticed": 0}
        for place in range(num_flips):
            outcome = flip(study, files[place % len(files)], rng, said)
            outcomes[outcome] += 1
    for outcome, count in outcomes.items():
        yield Row({"what": f"flipped bits: {outcome}"}, {"count": float(count)})
    yield Row({"what": "files with flipped bits"}, {"count": float(len(files))})


def finished(study: Path) -> None:
    """A study with every kind of file."""
    kill.prepare(study)
    for verb in (workflow.explain, workflow.suspect, workflow.compare, workflow.report):
        list(verb(study))
    list(workflow.seal(study, anyway=True))
    assert problems_of(study) == []


def flip(study: Path, file: Path, rng: random.Random, said: list[object]) -> str:
    whole = file.read_bytes()
    changed, place = bytearray(whole), rng.randrange(8 * len(whole))
    changed[place // 8] ^= 1 << place % 8
    file.write_bytes(changed)
    try:
        if is_found(study):
            return "found"
        return "without effect" if file.name == STORE and records(study) == said else "unnoticed"
    finally:
        file.write_bytes(whole)


def is_found(study: Path) -> bool:
    try:
        return bool(problems_of(study))
    except CorrigibleError:
        return True


def records(study: Path) -> list[object] | None:
    """All that people said; None if it cannot be read."""
    try:
        with FeedbackStore(study / STORE) as store:
            return list(store.records())
    except CorrigibleError:
        return None


if __name__ == "__main__":
    main()
