"""Which feedback did it: whether wrong remarks are found, and what leaving the worst out gives back.

    python benchmarks/feedback_influence.py [--seeds 3] [--resume]

A network that relies on a cue is corrected with 20 remarks, of which 6 are wrong, by `transplant`, which moves marked
content and is the default, and by a penalty, ``energy_outside``. Two cases:

* ``digits``: 8 × 8 pixels, ten classes, 400 training rows, in a random corner a square whose grey tells the class;
* ``insurance``: 400 rows of the RAND Health Insurance Experiment with a column that tells the label.

A wrong remark is misplaced (another 2 × 2 square on the digit; another feature), reversed (all but the cue) or, on
digits, on the object (its bright pixels). Measured on rows whose cue is drawn at random, the accuracy, of insurance the
area under the ROC curve: with the right remarks alone, with all, and without the worse half by `feedback_influence`.
Beside it the share of wrong remarks in the worse half, and what asking costs, in processor time over a correction's.

``truth``, of reversed digits: the same correction again without each of 8 remarks, 3 of them wrong, and Pearson's
correlation of the influence with the median fall of the log-likelihood of rows that the remark is not about.

Settings were chosen on seed 100. Writes benchmarks/results/feedback_influence.json.
"""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from runner import Row, measure, options, units_of
from sklearn.datasets import load_digits
from torch import Tensor, nn

import corrigible
from corrigible import Feedback, TensorData
from corrigible.data.decoys import LEAK, leaking_column
from corrigible.demos.insurance_data import load
from corrigible.feedback.masks import marks_of
from corrigible.metrics import METRICS
from corrigible.protocols.corrections.swap_score import swap_log_likelihoods
from corrigible.protocols.influence.feedback_influence import NUM_DONORS, FeedbackInfluence
from corrigible.protocols.influence.influenced import pearson
from corrigible.protocols.schedule import Schedule
from corrigible.types import Features

NUM_REVIEWED, NUM_WRONG = 20, 6
NUM_DIGITS, NUM_INSURED, NOISE = 400, 400, 0.5
SCHEDULE = Schedule(epochs=16, batch_size=64, learning_rate=2e-3)
METHODS: dict[str, dict[str, Any]] = {
    "transplant": {"augment": {"transplant": {}}},
    "energy_outside": {"penalties": {"energy_outside": 3.0}},
}
LEFT_OUT = [*range(3), *range(NUM_WRONG, NUM_WRONG + 5)]
"""Wrong remarks come first."""


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    works = {f"digits, {kind}": partial(digits, kind) for kind in ("misplaced", "reversed", "object")}
    works |= {f"insurance, {kind}": partial(insurance, kind) for kind in ("misplaced", "reversed")}
    settings = {"reviewed": NUM_REVIEWED, "wrong": NUM_WRONG, "epochs": SCHEDULE.epochs}
    measure(units_of(works, asked), asked, settings={**settings, "digits": NUM_DIGITS, "insured": NUM_INSURED})


@dataclass(frozen=True)
class Problem:
    """A network that relies on a cue, and remarks of which the first are wrong."""

    fooled: nn.Module
    train: TensorData
    feedback: list[Feedback]
    quality: Callable[[nn.Module], float]
    """On rows whose cue is random."""
    seed: int

    def corrected(self, method: str, remarks: list[Feedback]) -> nn.Module:
        how = {name: getattr(SCHEDULE, name) for name in ("epochs", "batch_size", "learning_rate")}
        how |= {"seed": self.seed, **METHODS[method]}
        return corrigible.correct(self.fooled, self.train, remarks, **how)

    def influence(self, method: str) -> FeedbackInfluence:
        how = {"schedule": SCHEDULE, "seed": self.seed, **METHODS[method]}
        return corrigible.feedback_influence(self.fooled, self.train, self.feedback, **how)


def digits(kind: str, seed: int) -> Iterator[Row]:
    yield from compared(of_digits(kind, seed), "digits", kind)


def insurance(kind: str, seed: int) -> Iterator[Row]:
    yield from compared(of_insurance(kind, seed), "insurance", kind)


def compared(problem: Problem, case: str, kind: str) -> Iterator[Row]:
    for method in METHODS:
        began = time.process_time()
        with_all = problem.corrected(method, problem.feedback)
        between = time.process_time()
        found = problem.influence(method)
        cost = (time.process_time() - between) / (between - began)
        half = found.worst(NUM_REVIEWED // 2)
        numbers = {
            "fooled": problem.quality(problem.fooled),
            "right": problem.quality(problem.corrected(method, problem.feedback[NUM_WRONG:])),
            "all": problem.quality(with_all),
            "without_half": problem.quality(problem.corrected(method, without(problem.feedback, half))),
            "wrong_in_worse_half": sum(place < NUM_WRONG for place in half) / NUM_WRONG,
            "wrong_negative": float((found.values[:NUM_WRONG] < 0).float().mean()),
            "right_negative": float((found.values[NUM_WRONG:] < 0).float().mean()),
            "cost": cost,
        }
        numbers |= {name: numbers[of] - numbers["all"] for name, of in GIVEN_BACK.items()}
        if case == "digits" and kind == "reversed":
            numbers |= truth(problem, method, found.values[LEFT_OUT])
        yield Row({"case": case, "kind": kind, "method": method}, numbers)


GIVEN_BACK = {"lost": "right", "back": "without_half"}


def without(feedback: list[Feedback], places: list[int]) -> list[Feedback]:
    return [said for place, said in enumerate(feedback) if place not in places]


def of_digits(kind: str, seed: int) -> Problem:
    found, generator = load_digits(), torch.Generator().manual_seed(seed)
    order = torch.randperm(len(found.target), generator=generator)
    clean, y = torch.tensor(found.images / 16).float()[order][:, None], torch.tensor(found.target)[order]
    corners = torch.stack([square(*corner) for corner in ((0, 0), (0, 6), (6, 0), (6, 6))])
    marked = corners[torch.randint(4, (len(y),), generator=generator)]
    told, drawn = 1 - y / 10, 1 - torch.randint(10, (len(y),), generator=generator) / 10
    x, at_random = (torch.where(marked[:, None], grey.view(-1, 1, 1, 1).float(), clean) for grey in (told, drawn))
    train, test = TensorData(x[:NUM_DIGITS], y[:NUM_DIGITS]), (at_random[NUM_DIGITS:], y[NUM_DIGITS:])
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.Softplus(), nn.Linear(48, 10))
    fooled = corrigible.train(network, train, epochs=40, learning_rate=3e-3, seed=seed)
    rows = torch.randperm(NUM_DIGITS, generator=generator)[:NUM_REVIEWED].tolist()
    masks = [marked[row] for row in rows]
    for place, row in enumerate(rows[:NUM_WRONG]):
        masks[place] = wrong_mask(kind, masks[place], clean[row, 0], generator)
    feedback = [Feedback(mask, row=row) for mask, row in zip(masks, rows, strict=True)]
    return Problem(fooled, train, feedback, partial(quality, test, "accuracy"), seed)


def square(top: int, left: int) -> Tensor:
    found = torch.zeros(8, 8, dtype=torch.bool)
    found[top : top + 2, left : left + 2] = True
    return found


def wrong_mask(kind: str, right: Tensor, image: Tensor, generator: torch.Generator) -> Tensor:
    if kind == "reversed":
        return ~right
    if kind == "object":
        return (image > 0.5) & ~right
    return square(*torch.randint(2, 5, (2,), generator=generator).tolist())


def of_insurance(kind: str, seed: int) -> Problem:
    generator = torch.Generator().manual_seed(seed)
    whole, test = (load(split, seed=seed) for split in ("train", "test"))
    rows = torch.randperm(len(whole), generator=generator)[:NUM_INSURED]
    bare = replace(whole, x=whole.x[rows], y=whole.y[rows], group=None)
    train = leaking_column(bare, informative=True, seed=3 * seed, noise=NOISE)
    test = leaking_column(test, informative=False, seed=3 * seed + 2, noise=NOISE)
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(train.x.shape[1], 32), nn.Softplus(), nn.Linear(32, 2))
    fooled = corrigible.train(network, train, epochs=20, learning_rate=1e-3, seed=seed)
    reviewed = torch.randperm(NUM_INSURED, generator=generator)[:NUM_REVIEWED].tolist()
    assert train.columns is not None
    others = [name for name in train.columns.features if name != LEAK]
    said = [(LEAK,)] * NUM_REVIEWED
    for place in range(NUM_WRONG):
        drawn = others[int(torch.randint(len(others), (1,), generator=generator))]
        said[place] = (drawn,) if kind == "misplaced" else tuple(others)
    feedback = [Feedback(Features(names), row=row) for names, row in zip(said, reviewed, strict=True)]
    return Problem(fooled, train, feedback, partial(quality, (test.x, test.y), "auc"), seed)


def quality(test: tuple[Tensor, Tensor], metric: str, model: nn.Module) -> float:
    model = copy.deepcopy(model).eval()
    with torch.no_grad():
        outputs = model(test[0])
    return float(METRICS[metric](outputs.argmax(dim=1) if metric == "accuracy" else outputs.softmax(dim=1), test[1]))


def truth(problem: Problem, method: str, influence: Tensor) -> dict[str, float]:
    found = pearson(influence, torch.stack(falls(problem, method)))
    return {} if found is None else {"truth": found}


def falls(problem: Problem, method: str) -> list[Tensor]:
    """The median fall of the log-likelihood without each of the remarks, over the rows that it is not about."""
    marks = marks_of(problem.feedback, problem.train)
    rows = torch.tensor(sorted(said.row for said in problem.feedback))

    def score(remarks: list[Feedback]) -> Tensor:
        model = problem.corrected(method, remarks)
        return swap_log_likelihoods(model, problem.train, marks, rows, num_donors=NUM_DONORS, seed=problem.seed)

    with_all = score(problem.feedback)
    found = []
    for place in LEFT_OUT:
        others = rows != problem.feedback[place].row
        found.append((with_all - score(without(problem.feedback, [place])))[others].quantile(0.5))
    return found


if __name__ == "__main__":
    main()
