"""Feedback as evidence on a Bayesian LeNet: what it brings back of what grey squares cost, without a weight.

    python benchmarks/evidence.py [--seeds 5] [--rows 3500] [--reviewed 20 100]

Squares of four corners tell the digit in training; accuracy is that under squares of random grey. Row scope: only the
masks of the reviewed rows reach training. All start from the fooled network and take 24 epochs of careful steps. Every
model beside the two references is Bayesian, with prior N(0, 0.1²) and temperature 0.1; "penalty" is right_reasons at
weight 1 on the ordinary network. Rows "× 0.1" and "× 10" search around weight 1. "60 epochs" goes on for so long, with
the fewest rows. Writes benchmarks/results/evidence.json.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from digits import CORRECT, TRAIN, Digits, fresh, measured, trained
from runner import Numbers, Row, measure, options, rows_of, units_of
from torch import Tensor, nn

from corrigible.data.dataset import TensorData
from corrigible.feedback.masks import marks_of
from corrigible.models.bayes import bayesian
from corrigible.models.modes import evaluating
from corrigible.models.networks import copied
from corrigible.models.predictive import predictive
from corrigible.objective import terms_of
from corrigible.protocols.careful import careful_step
from corrigible.protocols.schedule import Schedule, run
from corrigible.protocols.training_facts import Known, provided
from corrigible.types import Feedback

KL = {"kl_divergence": {"weight": 1.0, "temperature": 0.1}}
PENALTIES: dict[str, dict[str, Any]] = {
    "evidence": {"no_change_evidence": 1.0},
    "literal evidence": {"zero_activation_evidence": 1.0},
    "evidence × 0.1": {"no_change_evidence": 0.1},
    "evidence × 10": {"no_change_evidence": 10.0},
}
LONG = 60
"""Epochs after which no seed may be lost."""


def main() -> None:
    parser = options(__doc__, seeds=5)
    parser.add_argument("--rows", type=int, default=3500)
    parser.add_argument("--reviewed", type=int, nargs="+", default=[20, 100])
    asked = parser.parse_args()
    settings = {"epochs": [TRAIN.epochs, CORRECT.epochs], "rows": asked.rows, "reviewed": asked.reviewed}
    works = {"four corners": partial(one_seed, asked), "60 epochs": partial(for_long, asked)}
    measure(units_of(works, asked), asked, settings=settings)


def kept_rows(asked: Any, digits: Digits) -> tuple[Tensor, TensorData]:
    """The positions of the rows that are trained on, and these rows with their squares."""
    kept = torch.randperm(len(digits.train.x), generator=torch.Generator().manual_seed(digits.seed))[: asked.rows]
    return kept, TensorData(digits.train.x[kept], digits.clean_train.y[kept])


def for_long(asked: Any, seed: int) -> Iterator[Row]:
    digits = Digits(seed)
    kept, rows = kept_rows(asked, digits)
    fooled = trained(fresh(seed), rows, TRAIN, seed)
    said, penalties = marked(digits, kept, asked.reviewed[0]), {**KL, **PENALTIES["evidence"]}
    model = corrected(bayesian(fooled), rows, said, penalties, seed, replace(CORRECT, epochs=LONG))
    yield from rows_of({f"evidence, {LONG} epochs": found(model, digits, 8)}, reviewed=asked.reviewed[0])


def marked(digits: Digits, kept: Tensor, num_reviewed: int) -> list[Feedback]:
    return [Feedback(digits.train.irrelevant[kept[row]].numpy(), row=row) for row in range(num_reviewed)]


def one_seed(asked: Any, seed: int) -> Iterator[Row]:
    digits = Digits(seed)
    kept, rows = kept_rows(asked, digits)
    fooled = trained(fresh(seed), rows, TRAIN, seed)
    whole = Schedule(epochs=TRAIN.epochs + CORRECT.epochs)
    clean = trained(fresh(seed), replace(rows, x=digits.clean_train.x[kept]), whole, seed)
    yield from rows_of({"fooled": found(fooled, digits, 0), "clean reference": found(clean, digits, 0)}, reviewed=0)
    for num_reviewed in asked.reviewed:
        said = marked(digits, kept, num_reviewed)
        models = {"penalty": corrected(fooled, rows, said, {"right_reasons": 1.0}, seed)}
        models["no feedback"] = corrected(bayesian(fooled), rows, said, KL, seed)
        for name, penalties in PENALTIES.items():
            models[name] = corrected(bayesian(fooled), rows, said, {**KL, **penalties}, seed)
        numbers = {name: found(model, digits, 0 if name == "penalty" else 8) for name, model in models.items()}
        yield from rows_of(numbers, reviewed=num_reviewed)


def corrected(
    model: nn.Module,
    rows: TensorData,
    said: list[Feedback],
    penalties: dict[str, Any],
    seed: int,
    how: Schedule = CORRECT,
) -> nn.Module:
    network, marks = copied(model), marks_of(said, rows)
    terms = provided(terms_of(penalties), Known(network, rows, marks, seed))
    for _ in run(network, rows, how, marks=marks, penalties=terms, step=careful_step, seed=seed):
        pass
    return network


def found(model: nn.Module, digits: Digits, samples: int) -> Numbers:
    """Accuracy and the like, and the log-loss of the mean over samples, on test rows with random squares."""
    numbers = measured(model, digits)
    with evaluating(model), torch.no_grad():
        probs = predictive(model, digits.test.x, samples=samples or None).values
    y = digits.clean_test.y
    sure, right = probs.max(dim=1).values, probs.argmax(dim=1) == y
    places = (sure * 15).long().clamp_max(14)
    gaps = [
        (right[places == n].float().mean() - sure[places == n].mean()).abs() * (places == n).sum() for n in range(15)
    ]
    numbers["log_loss"] = float(-probs[torch.arange(len(y)), y].clamp_min(1e-12).log().mean())
    numbers["calibration_error"] = float(torch.stack(gaps).nan_to_num(0.0).sum() / len(y))
    return numbers


if __name__ == "__main__":
    main()
