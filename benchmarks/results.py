"""Where the benchmarks write what they measured."""

import json
import platform
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from corrigible import __version__

FOLDER = Path(__file__).resolve().parent / "results"


def write(name: str, found: dict[str, Any], *, first_seed: int = 0) -> None:
    """One JSON file per benchmark, printed too; other seeds than the first ones get a file of their own."""
    versions = {"corrigible": __version__, "torch": torch.__version__, "python": platform.python_version()}
    command = f"python benchmarks/{name}.py" + (f" --first-seed {first_seed}" if first_seed else "")
    text = json.dumps({"command": command, "versions": versions, **found}, indent=1)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}{f'_from_{first_seed}' if first_seed else ''}.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def read(name: str) -> dict[str, Any]:
    """What the benchmark wrote last; nothing where it has not run."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def mean_sd(values: Sequence[float]) -> dict[str, float]:
    """Mean and standard deviation over seeds."""
    return {
        "mean": statistics.mean(values),
        "sd": statistics.stdev(values) if len(values) > 1 else 0.0,
        "least": min(values),
        "most": max(values),
    }


def progress(seed: int, name: str, numbers: dict[str, float]) -> None:
    """One line as a model is measured, so that a long run can be watched."""
    print(f"seed {seed}  {name}:  " + "  ".join(f"{key} {value:.3f}" for key, value in numbers.items()), flush=True)


def means_over(
    seeds: Iterable[int], one_seed: Callable[[int], Mapping[str, dict[str, float]]], *, name: str = "model"
) -> Iterator[list[dict[str, Any]]]:
    """After each seed, what all seeds so far have given: a row for each model, with the means of its numbers."""
    found: dict[str, list[dict[str, float]]] = {}
    for seed in seeds:
        for model, numbers in one_seed(seed).items():
            found.setdefault(model, []).append(numbers)
            progress(seed, model, numbers)
        yield [
            {name: model, **{key: mean_sd([each[key] for each in of_seeds]) for key in of_seeds[0]}}
            for model, of_seeds in found.items()
        ]


def over_seeds(name: str, one_seed: Callable[[int], dict[str, dict[str, float]]], seeds: int, **settings: Any) -> None:
    """Run a reproduction that gives each model's numbers for a seed, and write the means after each."""
    command = f"python benchmarks/reproduce/{name}.py"
    for num_seeds, rows in enumerate(means_over(range(seeds), one_seed), start=1):
        write(f"reproduce_{name}", {"command": command, "seeds": num_seeds, "settings": settings, "rows": rows})
