"""Runs a benchmark unit by unit, and writes what it found.

A unit is one case with one seed: a name, a seed, and a function that gives rows as they are measured, each with labels
that say what it is about and the numbers found. A benchmark lists its units; the rest is here:

    asked = options(__doc__, seeds=5).parse_args()
    measure(units_of({"digits": digits, "insurance": insurance}, asked), asked, settings={"epochs": 12})

All share their options: ``--seeds``; ``--first-seed``, where another than the usual one writes a file of its own;
``--cases``, to measure these again and keep the others; ``--resume``, to keep every unit that the same command,
settings and versions have finished. ``benchmarks/results/<name>.json`` is written anew after each unit, so that a kill
loses none; the name of a reproduction begins with ``reproduce_``. Such a file has

* ``schema``: 1; ``command``: what makes it; ``versions``: of corrigible, PyTorch and Python;
* ``seeds``: a list, empty where nothing depends on a seed; ``settings``: what was fixed, by name;
* ``rows``: for each thing compared, its labels and its figures. A figure is an object, ``{"mean", "sd", "median",
  "least", "most", "count"}``, over the units that have it; everything else in a row says what the row is about, as a
  name, a size or an aim do, or counts units;
* ``units``: what each unit found, ``{"case", "seed", "rows": [{"labels", "numbers"}]}``, without a seed where none was
  drawn.

Files of an older form kept less: figures without a median, or without a ``count`` where that was not known, or with
their ``values`` in the order of the seeds; and no units where only means were kept, so that they cannot be resumed.
A time is a ratio within one run; seconds are kept where a ratio is made of them.
"""

import argparse
import json
import platform
import re
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch

from corrigible import __version__

SCHEMA = 1
FOLDER = Path(__file__).resolve().parent / "results"
VERSIONS = {"corrigible": __version__, "torch": torch.__version__, "python": platform.python_version()}
CHANGES_NO_UNIT = ("--seeds", "--cases", "--workers", "--resume")

Numbers = dict[str, float]
Figures = dict[str, Any]
"""A row of the file: labels, and figures by name."""


class Row(NamedTuple):
    """What one unit found about one thing."""

    labels: dict[str, Any]
    numbers: Numbers


@dataclass(frozen=True)
class Unit:
    """The least that is measured at once, kept, and not repeated."""

    case: str
    work: Callable[[], Iterable[Row]]
    seed: int | None = None

    @property
    def key(self) -> tuple[str, int | None]:
        return self.case, self.seed


Key = tuple[str, int | None]
Finished = dict[Key, list[Row]]


def options(about: str | None, *, seeds: int | None = None, first_seed: int = 0) -> argparse.ArgumentParser:
    """What every benchmark can be asked; a benchmark adds its own. Without seeds nothing depends on one."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.set_defaults(first_seed=first_seed, usual_first_seed=first_seed, workers=1, quick=False)
    if seeds is not None:
        parser.add_argument("--seeds", type=int, default=seeds)
        parser.add_argument("--first-seed", type=int, help="another than the usual one writes a file of its own")
    parser.add_argument("--cases", nargs="+", default=[], help="words: measure the cases named so, keep the others")
    parser.add_argument("--resume", action="store_true", help="keep what is finished")
    return parser


def units_of(works: Mapping[str, Callable[[int], Iterable[Row]]], asked: argparse.Namespace) -> list[Unit]:
    """Every case with every seed: all cases of one seed before the next."""
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    return [Unit(case, partial(work, seed), seed) for seed in seeds for case, work in works.items()]


def rows_of(numbers: Mapping[str, Numbers], label: str = "model", **labels: Any) -> Iterator[Row]:
    """A row for each model."""
    for name, found in numbers.items():
        yield Row({**labels, label: name}, found)


def figure(values: Sequence[float]) -> Numbers:
    """What the units have in common, and how far they lie apart."""
    return {
        "mean": statistics.mean(values),
        "sd": statistics.stdev(values) if len(values) > 1 else 0.0,
        "median": statistics.median(values),
        "least": min(values),
        "most": max(values),
        "count": len(values),
    }


def means(rows: Sequence[Row]) -> list[Figures]:
    """Rows of the same labels as one, with a figure for each number that all of them have."""
    alike: dict[str, list[Row]] = {}
    for row in rows:
        alike.setdefault(json.dumps(row.labels), []).append(row)
    return [
        group[0].labels
        | {
            name: figure([row.numbers[name] for row in group])
            for name in group[0].numbers
            if all(name in row.numbers for row in group)
        }
        for group in alike.values()
    ]


def measure(
    units: Sequence[Unit],
    asked: argparse.Namespace,
    *,
    settings: Mapping[str, Any],
    rows: Callable[[Sequence[Row]], list[Figures]] = means,
    suffix: str = "",
    after: Callable[[dict[str, Any]], object] | None = None,
) -> None:
    """Run every unit that is asked for and not finished; after each, write the file and call ``after`` with it.

    ``quick``, where a benchmark has it, reads and writes no file.
    """
    torch.set_num_threads(1)
    chosen = [unit for unit in units if not asked.cases or any(word in unit.case for word in asked.cases)]
    if not chosen:
        sys.exit(f"no case named {' or '.join(asked.cases)}; there are: {', '.join({u.case: 0 for u in units})}")
    file = _file(asked, suffix)
    found = _kept(file, settings) if (asked.resume or asked.cases) and not asked.quick else {}
    if not asked.resume:
        found = {key: kept for key, kept in found.items() if key not in {unit.key for unit in chosen}}
    command = _command(keeps_cases=bool({case for case, _ in found} - {unit.case for unit in chosen}))
    todo = [unit for unit in chosen if unit.key not in found]
    places = {unit.key: place for place, unit in enumerate(units)}
    print(f"{len(todo)} of {len(chosen)} units to measure; settings: {json.dumps(settings)}", flush=True)
    for unit, measured in _worked(todo, asked.workers):
        found[unit.key] = measured
        found = dict(sorted(found.items(), key=lambda item: places.get(item[0], len(places))))
        content = _content(command, settings, found, rows)
        if not asked.quick:
            _write(file, content)
            if after:
                after(content)
    for line in map(_shown, rows([row for kept in found.values() for row in kept])):
        print(line)


def progress(what: str, numbers: Mapping[str, float]) -> None:
    """One line as something is measured, so that a long run can be watched."""
    print(f"  {what}:  " + "  ".join(f"{key} {value:.4g}" for key, value in numbers.items()), flush=True)


def _worked(todo: Sequence[Unit], workers: int) -> Iterator[tuple[Unit, list[Row]]]:
    """Each unit with its rows when it is finished, told as it goes."""
    started = time.monotonic()

    def tell(number: int, unit: Unit) -> None:
        elapsed = timedelta(seconds=round(time.monotonic() - started))
        seed = "" if unit.seed is None else f", seed {unit.seed}"
        print(f"[{number} of {len(todo)}, {elapsed} so far] {unit.case}{seed}", flush=True)

    if workers == 1:
        for number, unit in enumerate(todo, start=1):
            tell(number, unit)
            yield unit, _rows(unit.work)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(_rows, unit.work): unit for unit in todo}
        for number, done in enumerate(as_completed(running), start=1):
            tell(number, running[done])
            yield running[done], done.result()


def _rows(work: Callable[[], Iterable[Row]]) -> list[Row]:
    torch.set_num_threads(1)
    found = []
    for row in work():
        progress(", ".join(map(str, row.labels.values())), row.numbers)
        found.append(row)
    return found


def _file(asked: argparse.Namespace, suffix: str) -> Path:
    script = Path(sys.argv[0]).resolve()
    name = ("reproduce_" if script.parent.name == "reproduce" else "") + script.stem + (f"_{suffix}" if suffix else "")
    return FOLDER / f"{name}{f'_from_{asked.first_seed}' if asked.first_seed != asked.usual_first_seed else ''}.json"


def _command(*, keeps_cases: bool) -> str:
    """As it was typed, but without what does not change the file that it ends with."""
    script = Path(sys.argv[0]).resolve()
    folder = "benchmarks/reproduce" if script.parent.name == "reproduce" else "benchmarks"
    dropped = ("--resume", "--workers", "--cases") if keeps_cases else ("--resume", "--workers")
    return shlex.join(["python", f"{folder}/{script.name}", *_without(sys.argv[1:], dropped)])


def _without(words: Iterable[str], dropped: Sequence[str]) -> list[str]:
    """A command line's words without some options and what belongs to them."""
    kept, keeps = [], True
    for word in words:
        if word.startswith("--"):
            keeps = word.split("=")[0] not in dropped
        if keeps:
            kept.append(word)
    return kept


def _kept(file: Path, settings: Mapping[str, Any]) -> Finished:
    """Each finished unit of the file, if the same command with the same settings and versions wrote it."""
    if not file.exists():
        return {}
    found = json.loads(file.read_text(encoding="utf-8"))
    instead = "run without --resume and --cases"
    if found.get("schema") != SCHEMA:
        sys.exit(f"{file.name} is of schema {found.get('schema')}, here {SCHEMA}: {instead}")
    if found["versions"] != VERSIONS:
        sys.exit(f"{file.name} is of other versions ({found['versions']}; here {VERSIONS}): {instead}")
    before, now = (
        _without(shlex.split(said), CHANGES_NO_UNIT) for said in (found["command"], _command(keeps_cases=False))
    )
    if before != now:
        sys.exit(f"{file.name} is of another command ({found['command']}): {instead}")
    if found["settings"] != json.loads(json.dumps(settings)):
        sys.exit(f"{file.name} is of other settings ({json.dumps(found['settings'])}): {instead}")
    if found["rows"] and "units" not in found:
        sys.exit(f"{file.name} kept means alone, not what each unit found: {instead}")
    return {
        (unit["case"], unit.get("seed")): [Row(row["labels"], row["numbers"]) for row in unit["rows"]]
        for unit in found.get("units", [])
    }


def _content(
    command: str, settings: Mapping[str, Any], found: Finished, rows: Callable[[Sequence[Row]], list[Figures]]
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "command": command,
        "versions": VERSIONS,
        "seeds": sorted({seed for _, seed in found if seed is not None}),
        "settings": settings,
        "rows": rows([row for kept in found.values() for row in kept]),
        "units": [
            {"case": case, **({} if seed is None else {"seed": seed}), "rows": [row._asdict() for row in kept]}
            for (case, seed), kept in found.items()
        ],
    }


def _write(file: Path, content: Mapping[str, Any]) -> None:
    """In one step, so that a kill leaves the file before or the file after; a figure to a line."""
    text = json.dumps(content, indent=1)
    text = re.sub(r"\{[^{}\[\]]*\}", lambda innermost: re.sub(r"\n *", " ", innermost[0]), text)
    file.parent.mkdir(exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.replace(file)


def _shown(row: Figures) -> str:
    about = ", ".join(str(value) for value in row.values() if not isinstance(value, dict))
    figures = {name: value for name, value in row.items() if isinstance(value, dict)}
    cells = (f"{name} {f['mean']:.4g}" + (f" ± {f['sd']:.2g}" if f["count"] > 1 else "") for name, f in figures.items())
    return f"{about}:  " + "  ".join(cells)
