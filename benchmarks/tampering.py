"""Tamper with a signed seal in every way we know, and flip bits: is all found? Is verifying as fast as hashing?

    python benchmarks/tampering.py --seeds 3

Whatever was done, ``corrigible verify FOLDER --key KEY.pub --head HEAD`` must end with an exit code other than 0 and
print neither "unchanged" nor "ok"; the key and the head are pinned outside the folder. Bits are flipped in every file
alike, the manifest, the signature and the attestations included.

Speed is that of verifying a folder of 1 GB, once in one file and once in four, as a multiple of that of ``sha256sum``,
and of ``openssl dgst -sha256``, on the same files. They take turns, and the ratio is of their medians. *Call* is the
function `verify`; *command* is the command line in a process of its own, which also has to start.
"""

import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from click.testing import CliRunner
from runner import Row, measure, options, units_of
from tampering_files import FILES
from tampering_signatures import SIGNED
from tampering_world import World

from corrigible.cli import main as command_line
from corrigible.models import lenet
from corrigible.sealing import Signing, attest, make_key, seal, verify
from corrigible.types import Measurement

GB = 10**9
KINDS = {**FILES, **SIGNED}


def main() -> None:
    parser = options(__doc__, seeds=3)
    parser.add_argument("--flips", type=int, default=3400, help="for each seed")
    parser.add_argument("--times", type=int, default=3, help="how often each kind is tried, for each seed")
    parser.add_argument("--repeats", type=int, default=3, help="how often each is timed, for each seed")
    asked = parser.parse_args()
    works = {
        "flipped bits": partial(flipped, asked.flips),
        "tampering": partial(tampered, asked.times),
        "speed in one file": partial(speed, 1, asked.repeats),
        "speed in four files": partial(speed, 4, asked.repeats),
    }
    settings = {"flips": asked.flips, "times": asked.times, "repeats": asked.repeats, "kinds": len(KINDS)}
    measure(units_of(works, asked), asked, settings=settings)


class Sealed:
    """A signed seal with two attestations and what an attacker may have; `head` is pinned."""

    def __init__(self, folder: Path, seed: int) -> None:
        torch.manual_seed(seed)
        self.place, self.kept = folder / "now" / "sealed", folder / "kept"
        key, self.other_key = folder / "key", folder / "other"
        make_key(key)
        make_key(self.other_key)
        self.key = Path(f"{key}.pub")
        measured = [Measurement("accuracy", 0.5, 0.4, 0.6, 100), Measurement("gap", None, note="one group")]
        files = {
            "report.html": b"<html></html>\n",
            "notes/a.txt": b"a\nb\n",
            "recipe.toml": b"seed = 1\n",
            "empty": b"",
        }
        for name, parent in (("older", None), ("beside", None), ("before", "older")):
            signing = Signing(key=key, parent=parent and self.kept / parent)
            seal(lenet(), self.kept / name, evidence=measured, files=files, signing=signing)
        shutil.copytree(self.kept / "before", self.kept / "sealed")
        self.head = attest(
            self.kept / "sealed", [Measurement("accuracy", 0.55)], key=key, report=b"<html>later</html>\n"
        )
        self.restore()

    def restore(self) -> None:
        shutil.rmtree(self.place.parent, ignore_errors=True)
        shutil.copytree(self.kept / "sealed", self.place)

    def world(self, rng: random.Random) -> World:
        kept = self.kept
        return World(self.place, kept / "older", kept / "before", kept / "beside", self.other_key, rng)

    def is_found(self) -> bool:
        """Whether the command line finds that something was done; an error of the package itself ends the benchmark."""
        words = ["verify", str(self.place), "--key", str(self.key), "--head", self.head]
        answer = CliRunner().invoke(command_line, words)
        if answer.exception is not None and not isinstance(answer.exception, SystemExit):
            raise answer.exception
        said = answer.output.replace(str(self.place), "")
        return answer.exit_code != 0 and "unchanged" not in said and " ok" not in said


def flipped(num_flips: int, seed: int) -> Iterator[Row]:
    """How many flipped bits were found; every file gets as many."""
    rng, found = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as folder:
        sealed = Sealed(Path(folder), seed)
        assert not sealed.is_found()
        files = [path for path in sealed.world(rng).files() if path.stat().st_size]
        for place in range(num_flips):
            file = files[place % len(files)]
            whole = file.read_bytes()
            changed, bit = bytearray(whole), rng.randrange(8 * len(whole))
            changed[bit // 8] ^= 1 << bit % 8
            file.write_bytes(changed)
            found += sealed.is_found()
            file.write_bytes(whole)
        assert not sealed.is_found()
    yield Row({"what": "flipped bits"}, {"tried": float(num_flips), "found": float(found)})
    yield Row({"what": "files with flipped bits"}, {"count": float(len(files))})


def tampered(num_times: int, seed: int) -> Iterator[Row]:
    """How often each kind of tampering was found."""
    with tempfile.TemporaryDirectory() as folder:
        sealed = Sealed(Path(folder), seed)
        for name, kind in KINDS.items():
            found = 0
            for time_ in range(num_times):
                sealed.restore()
                shutil.rmtree(sealed.place.parent / "outside", ignore_errors=True)
                assert not sealed.is_found()
                kind(sealed.world(random.Random(f"{name} {seed} {time_}")))
                found += sealed.is_found()
            yield Row({"what": name}, {"tried": float(num_times), "found": float(found)})


def speed(num_files: int, repeats: int, seed: int) -> Iterator[Row]:
    """Speed of verifying 1 GB as a multiple of that of sha256sum."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        key, sealed = Path(folder, "key"), Path(folder, "sealed")
        make_key(key)
        files = {f"part{number}.bin": rng.bytes(GB // num_files) for number in range(num_files)}
        seal({}, sealed, files=files, signing=key)
        paths = [str(sealed / name) for name in files]
        del files
        public = f"{key}.pub"
        ways: dict[str, Callable[[], object]] = {
            "sha256sum": lambda: subprocess.run(["sha256sum", *paths], check=True, capture_output=True),
            "openssl": lambda: subprocess.run(["openssl", "dgst", "-sha256", *paths], check=True, capture_output=True),
            "call": lambda: verify(sealed, key=public),
            "command": lambda: subprocess.run(
                [sys.executable, "-m", "corrigible", "verify", str(sealed), "--key", public],
                check=True,
                capture_output=True,
            ),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, way in ways.items():
                started = time.perf_counter()
                way()
                seconds[name].append(time.perf_counter() - started)
    taken = {name: statistics.median(found) for name, found in seconds.items()}
    for name in ("call", "command"):
        numbers = {program: taken[program] / taken[name] for program in ("sha256sum", "openssl")}
        yield Row({"what": f"speed of a {name}", "files": num_files}, numbers)


if __name__ == "__main__":
    main()
