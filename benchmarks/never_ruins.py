"""No correction ends worse than the uncorrected model without saying so: 324 corrections of fooled networks.

    python benchmarks/never_ruins.py [--first-seed 40] [--workers 2] [--resume]

Kinds of data × classes that hold the cue × reviewed rows × misplaced masks × methods, with the defaults of
`corrigible.correct` (24 epochs) and validation rows that hold the cue as the training rows do. Accuracy is that on test
rows with a cue drawn at random. The reference learned from rows with such cues, for as many epochs in all: the gap lies
between the uncorrected network and it. Time is processor time over that of training on without feedback. Writes
benchmarks/results/never_ruins.json as networks are finished.
"""

import argparse
import copy
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from itertools import product
from multiprocessing import get_context
from typing import Any

import torch
from cue_cases import KINDS, SPREADS, Case, accuracy, case, schedules
from digits import trained
from results import read, write
from torch import nn

from corrigible.errors import CorrigibleError
from corrigible.protocols.correction import correction
from corrigible.protocols.schedule import Schedule
from corrigible.protocols.verdict import Verdict

METHODS: Mapping[str, Any] = {
    "default": None,
    "right_reasons": {"right_reasons": "auto"},
    "counterexamples": {"counterexamples": "auto"},
}
REVIEWED = (3, 20, 100)
WRONG = (0.0, 0.3)
WORSE = 0.02
"""By how much the accuracy must fall below the uncorrected model's to count as ruined."""


def networks(first_seed: int) -> Iterator[tuple[str, str, int]]:
    """Every kind and spread, each with a seed of its own: even and odd ones place a sticker differently."""
    for number, (kind, spread) in enumerate(product(KINDS, SPREADS)):
        yield kind, spread, first_seed + number


def of_network(kind: str, spread: str, seed: int, method: str, reviewed: tuple[int, ...]) -> list[dict[str, Any]]:
    """What becomes of one fooled network by one method with every feedback."""
    torch.set_num_threads(1)
    data, fool, correct = case(kind, spread, seed), schedules(kind)[0], Schedule()
    fooled = trained(data.network(), data.train, fool, seed)
    started = time.process_time()
    tuned = trained(copy.deepcopy(fooled), data.train, correct, seed)
    seconds = time.process_time() - started
    facts = {"kind": kind, "spread": spread, "seed": seed, "method": method}
    facts |= {"uncorrected": accuracy(fooled, data.test), "fine_tuned": accuracy(tuned, data.test)}
    if method == "default":
        whole = replace(correct, epochs=fool.epochs + correct.epochs)
        facts["reference"] = accuracy(trained(data.network(), data.random_train, whole, seed), data.test)
    found = []
    for num_reviewed, wrong in product(reviewed, WRONG):
        given = {"num_reviewed": num_reviewed, "wrong_share": wrong}
        found.append({**facts, **given, **corrected(fooled, data, num_reviewed, wrong, method, seed, seconds)})
        print({key: round(v, 3) if isinstance(v, float) else v for key, v in found[-1].items()}, flush=True)
    return found


def corrected(
    fooled: nn.Module, data: Case, num_reviewed: int, wrong: float, method: str, seed: int, seconds: float
) -> dict[str, Any]:
    """How one correction ended; a refused one leaves the model as it is and says so."""
    feedback = data.feedback(num_reviewed, wrong, seed)
    started = time.process_time()
    running = correction(
        fooled,
        data.train,
        feedback,
        penalties=METHODS[method],
        schedule=Schedule(),
        validation=data.validation,
        seed=seed,
    )
    verdict: Verdict | None = None
    try:
        while True:
            progress = next(running)
            verdict = progress if isinstance(progress, Verdict) else verdict
    except StopIteration as finished:
        model = finished.value
    except CorrigibleError as error:
        return {"accuracy": accuracy(fooled, data.test), "outcome": "refused", "why": str(error)[:200], "cost": None}
    assert verdict is not None
    cost = (time.process_time() - started) / seconds
    numbers = {"accuracy": accuracy(model, data.test), "outcome": verdict.outcome, "cost": cost}
    return {**numbers, "why": verdict.sentence}


def summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per method: what the figures ask for."""
    rows = []
    for method in METHODS:
        of_method = [run for run in runs if run["method"] == method]
        good = [run for run in of_method if run["wrong_share"] == 0 and run["num_reviewed"] >= 20]
        shares = [share for run in good if (share := share_of_gap(run, runs)) is not None]
        costs = sorted(run["cost"] for run in of_method if run["cost"] is not None)
        rows.append(
            {
                "method": method,
                "runs": len(of_method),
                "ruined": sum(is_worse(run) for run in of_method),
                "ruined_without_a_word": sum(is_worse(run) and run["outcome"] != "failed" for run in of_method),
                "failed": sum(run["outcome"] == "failed" for run in of_method),
                "refused": sum(run["outcome"] == "refused" for run in of_method),
                "right_masks": len(good),
                "failed_with_right_masks": sum(run["outcome"] in ("failed", "refused") for run in good),
                "with_a_gap": len(shares),
                "nine_tenths_of_the_gap": sum(share >= 0.9 for share in shares),
                "median_share_of_gap": sorted(shares)[len(shares) // 2] if shares else None,
                "median_cost": costs[len(costs) // 2] if costs else None,
                "most_cost": costs[-1] if costs else None,
            }
        )
    return rows


def is_worse(run: Mapping[str, Any]) -> bool:
    return bool(run["accuracy"] < run["uncorrected"] - WORSE)


def share_of_gap(run: Mapping[str, Any], runs: list[dict[str, Any]]) -> float | None:
    """What was given back of what the cue took; None where it took less than 5 points."""
    network = ("kind", "spread", "seed")
    references = [r["reference"] for r in runs if "reference" in r and all(r[key] == run[key] for key in network)]
    if not references or references[0] - run["uncorrected"] < 0.05:
        return None
    return float((run["accuracy"] - run["uncorrected"]) / (references[0] - run["uncorrected"]))


def tasks(first_seed: int, kinds: list[str]) -> list[tuple[str, str, int, str, tuple[int, ...]]]:
    """The default first, then the others with 20 reviewed rows, then with few and with many."""
    stages = [("default", REVIEWED), *((m, (n,)) for n in (20, 3, 100) for m in METHODS if m != "default")]
    return [(*network, *stage) for stage in stages for network in networks(first_seed) if network[0] in kinds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first-seed", type=int, default=40, help="of the first network; each has its own")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--resume", action="store_true", help="keep what is finished")
    asked = parser.parse_args()
    runs = read("never_ruins").get("runs", []) if asked.resume else []
    finished = {(r["kind"], r["spread"], r["seed"], r["method"], r["num_reviewed"]) for r in runs}
    todo = [t for t in tasks(asked.first_seed, asked.kinds.split(",")) if (*t[:4], t[4][0]) not in finished]
    with ProcessPoolExecutor(asked.workers, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(of_network, *task) for task in todo]):
            runs = runs + done.result()
            write("never_ruins", {"first_seed": asked.first_seed, "rows": summary(runs), "runs": runs})


if __name__ == "__main__":
    main()
