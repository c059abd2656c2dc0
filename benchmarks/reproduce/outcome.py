"""The means of a case over seeds, as a file and as a table."""

import json
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from results import FOLDER, mean_sd

from corrigible import __version__

SHOWN = ("accuracy", "macro_group_accuracy", "worst_group_accuracy", "f1", "overlap", "flip_rate")
SHOWN_TOO = ("clean_macro_group_accuracy", "weight", "share_of_gap_in_accuracy", "seconds_ratio")

Numbers = dict[str, float]
Compared = dict[str, Numbers]

VERSIONS = {"corrigible": __version__, "torch": torch.__version__, "python": platform.python_version()}


def write(name: str, settings: dict[str, Any], per_seed: Mapping[int, Compared], *, first_seed: int) -> Path:
    """benchmarks/results/reproduce_<name>.json, with the means over seeds and each seed's own numbers."""
    found = {
        "command": _command(),
        "versions": VERSIONS,
        "settings": settings,
        "seeds": list(per_seed),
        "rows": [{"model": model, **numbers} for model, numbers in over(per_seed).items()],
        "per_seed": per_seed,
    }
    file = _file(name, first_seed)
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return unfinished.replace(file)


def measured_before(name: str, settings: dict[str, Any], *, first_seed: int) -> dict[int, Compared]:
    """Each seed that the file has, if the same command with the same settings and versions wrote it."""
    file = _file(name, first_seed)
    if not file.exists():
        return {}
    found = json.loads(file.read_text(encoding="utf-8"))
    here = json.loads(json.dumps(settings))
    if found["versions"] != VERSIONS:
        sys.exit(f"{file.name} is of other versions ({found['versions']}; here {VERSIONS}): run without --resume")
    if (_but_seeds(found["command"]), found["settings"]) != (_but_seeds(_command()), here):
        sys.exit(f"{file.name} is of another command or other settings ({found['command']}): run without --resume")
    return {int(seed): rows for seed, rows in found["per_seed"].items()}


def _file(name: str, first_seed: int) -> Path:
    return FOLDER / f"reproduce_{name}{f'_from_{first_seed}' if first_seed else ''}.json"


def _command() -> str:
    asked = [word for word in sys.argv[1:] if word != "--resume"]
    return " ".join(["python", f"benchmarks/reproduce/{Path(sys.argv[0]).name}", *asked])


def _but_seeds(command: str) -> str:
    return re.sub(r" --seeds \S+", "", command)


def over(per_seed: Mapping[int, Compared]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean and spread over the seeds of each number of each row."""
    first = next(iter(per_seed.values()))
    return {
        model: {
            key: mean_sd([rows[model][key] for rows in per_seed.values()])
            for key in first[model]
            if all(key in rows[model] for rows in per_seed.values())
        }
        for model in first
    }


def show(per_seed: Mapping[int, Compared]) -> None:
    """The table, as mean ± standard deviation."""
    found = over(per_seed)
    width = max(map(len, found))
    print(" " * width, *(f"{name[:26]:>26}" for name in SHOWN + SHOWN_TOO), sep="  ")
    for model, numbers in found.items():
        shown = [numbers.get(name) for name in SHOWN + SHOWN_TOO]
        cells = [f"{n['mean']:.4g} ± {n['sd']:.2g}" if n else "" for n in shown]
        print(f"{model:{width}}", *(f"{cell:>26}" for cell in cells), sep="  ")
