"""Forgetting a class, 60 rows with wrong labels, and 60 rows drawn at random, beside training again without them.

    python benchmarks/unlearning.py [--seeds 3] [--resume]

4,000 digits of 14×14 pixels, of which 60 have wrong labels; small_cnn with 8 and 16 filters, 15 epochs. For each
seed 5 networks are trained from different weights; each method makes each of them forget, and is judged against 5
networks that were trained, from other weights, without the rows. KLoM is the mean over rows, as in `judge_unlearning`:
of the forgotten rows, of up to 1,000 kept ones, and of 1,000 test rows, whose mean is "klom". "time" is processor time
over that of training again, each the mean over networks. "untouched" does nothing; "retrained" are 5 more networks
trained without the rows, for the random ones: that is how near one comes with so few networks. Settings were fixed on
seed 100, with 16 and 32 filters. Writes benchmarks/results/unlearning.json.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import Any

import torch
from runner import Numbers, Row, measure, options, rows_of, units_of
from torch import Tensor, nn

import corrigible
from corrigible.data.dataset import TensorData
from corrigible.data.dataset import rows_of as rows_at
from corrigible.demos.digits_data import load
from corrigible.models import small_cnn
from corrigible.protocols.schedule import Schedule, run
from corrigible.protocols.unlearning.judging import UnlearningJudged

TRAIN = Schedule(epochs=15, learning_rate=2e-3)
FILTERS, NUM_MODELS, NUM_ROWS, MOST_KEPT = (8, 16), 5, 60, 1000
METHODS: Mapping[str, dict[str, Any]] = {
    "hybrid": {},
    "gradient_ascent": {},
    "teacher_and_student": {},
    "newton_step": {},
    "small_gradients": {},
    "fine_tuned": {},
}
AGAIN = 500
"""Added to the seeds of networks that are trained without the rows; twice for those that they are compared with."""


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    settings = {
        "epochs": TRAIN.epochs,
        "learning_rate": TRAIN.learning_rate,
        "filters": FILTERS,
        "models": NUM_MODELS,
        "rows": NUM_ROWS,
        "methods": METHODS,
    }
    cases = {case: partial(forgetting, case) for case in ("mislabelled", "random", "class")}
    measure(units_of(cases, asked), asked, settings=settings)


@dataclass(frozen=True)
class Digits:
    """One seed's digits, networks trained on them, and what is to be forgotten."""

    seed: int

    @cached_property
    def wrong(self) -> Tensor:
        """The rows with wrong labels."""
        return self._order[:NUM_ROWS]

    @cached_property
    def train(self) -> TensorData:
        """Training and validation digits of the demo, all of which are trained on here."""
        parts = [load(split, seed=self.seed) for split in ("clean_train", "clean_validation")]
        x, y = halved(torch.cat([part.x for part in parts])), torch.cat([part.y for part in parts])
        other = torch.randint(1, 10, (NUM_ROWS,), generator=torch.Generator().manual_seed(self.seed))
        y[self.wrong] = (y[self.wrong] + other) % 10
        return TensorData(x, y)

    @cached_property
    def test(self) -> TensorData:
        found = load("clean_test", seed=self.seed)
        return replace(found, x=halved(found.x))

    @cached_property
    def _order(self) -> Tensor:
        return torch.randperm(4000, generator=torch.Generator().manual_seed(self.seed))

    def forget(self, case: str) -> Tensor:
        """The rows to forget; of a class, all with its label."""
        if case == "mislabelled":
            return self.wrong
        return self._order[NUM_ROWS : 2 * NUM_ROWS] if case == "random" else self._of_class()

    def _of_class(self) -> Tensor:
        return (self.train.y == self.seed % 10).nonzero()[:, 0]

    @cached_property
    def models(self) -> list[nn.Module]:
        """Networks trained on all rows."""
        return [trained(self.train, None, self.seed * 10_000 + number) for number in range(NUM_MODELS)]


def halved(x: Tensor) -> Tensor:
    """Images of half as many pixels to a side."""
    return torch.nn.functional.avg_pool2d(x, 2)


@lru_cache(maxsize=1)
def digits(seed: int) -> Digits:
    """All cases of a seed share networks."""
    return Digits(seed)


def trained(rows: TensorData, index: Tensor | None, seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = small_cnn(1, 10, filters=FILTERS)
    for _ in run(model, rows, TRAIN, rows=index, seed=seed):
        pass
    return model


def forgetting(case: str, seed: int) -> Iterator[Row]:
    given, start = digits(seed), seed * 10_000
    forget = given.forget(case)
    is_kept = torch.ones(len(given.train), dtype=torch.bool).index_fill(0, forget, False)
    kept = is_kept.nonzero()[:, 0]
    trained(given.train, kept[:64], 0)  # What the first training loads is not counted.
    again, seconds = timed(lambda number: trained(given.train, kept, start + AGAIN + number))
    drawn = kept[torch.randperm(len(kept), generator=torch.Generator().manual_seed(seed))[:MOST_KEPT]]
    rows = {"forgotten": rows_at(given.train, forget), "kept": rows_at(given.train, drawn), "test": given.test}
    judge = partial(corrigible.judge_unlearning, retrained=again, rows=rows)
    yield from rows_of({"untouched": numbers(judge(given.models))}, "method", case=case)
    if case == "random":
        more = [trained(given.train, kept, start + 2 * AGAIN + number) for number in range(NUM_MODELS)]
        yield from rows_of({"retrained": numbers(judge(more))}, "method", case=case)
    for method, how in METHODS.items():
        about: dict[str, Any] = {"method": method, "most_lost": 1.0, "progress": False, **how}
        found = [
            corrigible.unlearn(model, given.train, forget, seed=start + number, **about)
            for number, model in enumerate(given.models)
        ]
        taken = sum(model.unlearned.seconds for model in found) / NUM_MODELS  # type: ignore[union-attr, misc]
        yield from rows_of({method: numbers(judge(found)) | {"time": taken / seconds}}, "method", case=case)


def timed(make: Callable[[int], nn.Module]) -> tuple[list[nn.Module], float]:
    """The networks, and the mean processor time of one."""
    started = time.process_time()
    found = [make(number) for number in range(NUM_MODELS)]
    return found, (time.process_time() - started) / NUM_MODELS


def numbers(judged: UnlearningJudged) -> Numbers:
    parts = {part.rows: part for part in judged.parts}
    found = {f"klom {name}": part.klom for name, part in parts.items()}
    found["klom"] = sum(found.values()) / len(found)
    found |= {f"accuracy {name}": part.quality for name, part in parts.items()}
    found["minus retrained"] = parts["test"].quality - parts["test"].quality_retrained
    found["total variation"] = parts["forgotten"].total_variation
    found["attack"] = float(parts["forgotten"].attack or 0.0)
    return found


if __name__ == "__main__":
    main()
