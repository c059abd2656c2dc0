"""No correction ends worse than the uncorrected model without saying so: 324 corrections of fooled networks.

    python benchmarks/never_ruins.py [--first-seed 40] [--workers 2] [--cases table text]

Kinds of data × classes that hold the cue × reviewed rows × misplaced masks × methods, with the defaults of
`corrigible.correct` (24 epochs) and validation rows that hold the cue as the training rows do. Accuracy is that on test
rows with a cue drawn at random. The reference learned from rows with such cues, for as many epochs in all: the gap lies
between the uncorrected network and it. Time is processor time over that of training on without feedback. Writes
benchmarks/results/never_ruins.json.
"""

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

from cue_cases import KINDS, SPREADS, Case, accuracy, case, schedules
from digits import trained
from runner import Figures, Row, Unit, figure, measure, options
from torch import nn

from corrigible.errors import CorrigibleError
from corrigible.protocols.corrections.correction import correction
from corrigible.protocols.corrections.verdict import Verdict
from corrigible.protocols.schedule import Schedule

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


def of_network(kind: str, spread: str, seed: int, method: str, reviewed: tuple[int, ...]) -> Iterator[Row]:
    """What becomes of one fooled network by one method with every feedback."""
    data, fool, correct = case(kind, spread, seed), schedules(kind)[0], Schedule()
    fooled = trained(data.network(), data.train, fool, seed)
    started = time.process_time()
    tuned = trained(copy.deepcopy(fooled), data.train, correct, seed)
    seconds = time.process_time() - started
    about = {"kind": kind, "spread": spread, "seed": seed, "method": method}
    facts = {"uncorrected": accuracy(fooled, data.test), "fine_tuned": accuracy(tuned, data.test)}
    if method == "default":
        whole = replace(correct, epochs=fool.epochs + correct.epochs)
        facts["reference"] = accuracy(trained(data.network(), data.random_train, whole, seed), data.test)
    for num_reviewed, wrong in product(reviewed, WRONG):
        given = {"num_reviewed": num_reviewed, "wrong_share": wrong}
        ended, numbers = corrected(fooled, data, num_reviewed, wrong, method, seed, seconds)
        yield Row({**about, **given, **ended}, {**facts, **numbers})


def corrected(
    fooled: nn.Module, data: Case, num_reviewed: int, wrong: float, method: str, seed: int, seconds: float
) -> Row:
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
        return Row({"outcome": "refused", "why": str(error)[:200]}, {"accuracy": accuracy(fooled, data.test)})
    assert verdict is not None
    cost = (time.process_time() - started) / seconds
    ended = {"outcome": verdict.outcome, "why": verdict.sentence}
    return Row(ended, {"accuracy": accuracy(model, data.test), "cost": cost})


def summary(found: Sequence[Row]) -> list[Figures]:
    """One row per method: what the figures ask for."""
    runs = [{**row.labels, **row.numbers} for row in found]
    rows = []
    for method in METHODS:
        of_method = [run for run in runs if run["method"] == method]
        good = [run for run in of_method if run["wrong_share"] == 0 and run["num_reviewed"] >= 20]
        shares = [share for run in good if (share := share_of_gap(run, runs)) is not None]
        costs = [run["cost"] for run in of_method if "cost" in run]
        counts = {
            "runs": len(of_method),
            "ruined": sum(is_worse(run) for run in of_method),
            "ruined_without_a_word": sum(is_worse(run) and run["outcome"] != "failed" for run in of_method),
            "failed": sum(run["outcome"] == "failed" for run in of_method),
            "refused": sum(run["outcome"] == "refused" for run in of_method),
            "right_masks": len(good),
            "failed_with_right_masks": sum(run["outcome"] in ("failed", "refused") for run in good),
            "nine_tenths_of_the_gap": sum(share >= 0.9 for share in shares),
        }
        figures = {"share_of_gap": shares, "cost": costs}
        rows.append({"method": method, **counts, **{name: figure(v) for name, v in figures.items() if v}})
    return rows


def is_worse(run: Mapping[str, Any]) -> bool:
    return bool(run["accuracy"] < run["uncorrected"] - WORSE)


def share_of_gap(run: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> float | None:
    """What was given back of what the cue took; None where it took less than 5 points."""
    network = ("kind", "spread", "seed")
    references = [r["reference"] for r in runs if "reference" in r and all(r[key] == run[key] for key in network)]
    if not references or references[0] - run["uncorrected"] < 0.05:
        return None
    return float((run["accuracy"] - run["uncorrected"]) / (references[0] - run["uncorrected"]))


def units(first_seed: int) -> Iterator[Unit]:
    """The default first, then the others with 20 reviewed rows, then with few and with many."""
    stages = [("default", REVIEWED), *((m, (n,)) for n in (20, 3, 100) for m in METHODS if m != "default")]
    for method, reviewed in stages:
        for kind, spread, seed in networks(first_seed):
            rows = ", ".join(map(str, reviewed))
            work = partial(of_network, kind, spread, seed, method, reviewed)
            yield Unit(f"{kind}, {spread}: {method}, {rows} rows", work, seed)


def main() -> None:
    parser = options(__doc__, first_seed=40)
    parser.add_argument("--first-seed", type=int, help="of the first network; each has its own")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    measure(list(units(asked.first_seed)), asked, settings={}, rows=summary)


if __name__ == "__main__":
    main()
