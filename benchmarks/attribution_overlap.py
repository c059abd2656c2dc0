"""How much attribution lies on grey squares that told the digit in training, before and after corrections.

    python benchmarks/attribution_overlap.py [--seeds 3] [--cases "four corners" "one corner"] [--resume]

LeNet, 3,500 training digits. For each of 300 test digits under squares of random grey: the sum of absolute attribution
of its label on the squares over that on all pixels; the mean over digits with any attribution. ``saliency`` is the
gradient of the label's logit; DeepLIFT, Grad-CAM and occlusion (patches of 4 × 4) have their defaults. The squares are
8.2 % of the pixels in "four corners", and 2.0 % in "one corner", where each digit has one square in a corner drawn for
it. All corrections see the masks of 20 training rows and take 24 epochs, but the default takes its own; the clean
network never saw squares until it is measured. Nothing was chosen here. Writes
benchmarks/results/attribution_overlap.json.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from digits import CLEAN, TRAIN, Digits, fresh, trained
from evidence import KL, corrected
from runner import Numbers, Row, measure, options, rows_of, units_of
from torch import nn

from corrigible import correct, explain
from corrigible.models.bayes import bayesian
from corrigible.models.modes import evaluating

METHODS = {"saliency": "input_gradient", "DeepLIFT": "deep_lift", "Grad-CAM": "grad_cam", "occlusion": "occlusion"}
REVIEWED, EXPLAINED = 20, 300
CASES = {"four corners": False, "one corner": True}


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    works = {name: partial(one_seed, name, one_per_row) for name, one_per_row in CASES.items()}
    measure(units_of(works, asked), asked, settings={"reviewed": REVIEWED, "explained": EXPLAINED})


def one_seed(case: str, one_per_row: bool, seed: int) -> Iterator[Row]:
    digits = Digits(seed, one_per_row=one_per_row)
    rows, said = digits.train_rows, digits.reviewed(REVIEWED)
    fooled = trained(fresh(seed), rows, TRAIN, seed)
    models: dict[str, nn.Module] = {
        "clean": trained(fresh(seed), replace(rows, x=digits.clean_train.x), CLEAN, seed),
        "fooled": fooled,
        "corrected (default)": correct(fooled, rows, said, validation=digits.validation_rows, seed=seed),
        "right_reasons": corrected(fooled, rows, said, {"right_reasons": 1.0}, seed),
        "Bayesian, evidence": corrected(bayesian(fooled), rows, said, {**KL, "no_change_evidence": 1.0}, seed),
    }
    yield from rows_of({name: overlaps(model, digits) for name, model in models.items()}, case=case)


def overlaps(model: nn.Module, digits: Digits) -> Numbers:
    """The share of each method's attribution on the squares, and accuracy, under squares of random grey."""
    x, y, marked = digits.test.x, digits.clean_test.y, digits.test.irrelevant
    with evaluating(model), torch.no_grad():
        found = {"accuracy": float((model(x).argmax(dim=1) == y).float().mean())}
    some = slice(EXPLAINED)
    for name, method in METHODS.items():
        size = explain(model, x[some], y[some], method=method).abs().flatten(1).double()
        shares = (size * marked[some].flatten(1)).sum(dim=1) / size.sum(dim=1)
        found[name] = float(shares.nanmean())
    return found


if __name__ == "__main__":
    main()
