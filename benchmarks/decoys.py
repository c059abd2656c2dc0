"""What the decoy benchmarks share: the models without feedback, and one table of all models."""

import copy
from collections.abc import Callable, Iterator

from digits import CLEAN, CORRECT, TRAIN, Digits, measured, trained
from runner import Numbers, Row, measure, options, rows_of, units_of
from torch import nn

Compared = dict[str, Numbers]


def over_seeds(name: str, compare: Callable[[int], Compared], about: str) -> None:
    """Compare for each seed and write means over seeds."""

    def rows(seed: int) -> Iterator[Row]:
        return rows_of(compare(seed))

    asked = options(about, seeds=5).parse_args()
    measure(units_of({name: rows}, asked), asked, settings={"epochs": [TRAIN.epochs, CORRECT.epochs]})


def references(digits: Digits, network: Callable[[int], nn.Module]) -> dict[str, nn.Module]:
    """Without feedback: fooled, trained on, and never fooled."""
    fooled = trained(network(digits.seed), digits.train_rows, TRAIN, digits.seed)
    return {
        "fooled": fooled,
        "fine-tuned without feedback": trained(copy.deepcopy(fooled), digits.train_rows, CORRECT, digits.seed),
        "clean reference": trained(network(digits.seed), digits.clean_train, CLEAN, digits.seed),
    }


def compared(digits: Digits, models: dict[str, nn.Module], weights: dict[str, float]) -> Compared:
    numbers = {name: measured(model, digits) for name, model in models.items()}
    has_convolutions = any(isinstance(module, nn.Conv2d) for module in models["fooled"].modules())
    for name, model in models.items() if has_convolutions else ():
        overlap = measured(model, digits, method="grad_cam", metrics=("attribution_overlap",))["attribution_overlap"]
        numbers[name]["grad_cam_overlap"] = overlap
    clean = measured(models["clean reference"], replace_squares(digits), metrics=("accuracy", "worst_class_accuracy"))
    numbers["clean reference"]["clean_accuracy"] = clean["accuracy"]
    numbers["clean reference"]["clean_worst_class_accuracy"] = clean["worst_class_accuracy"]
    fooled = numbers["fooled"]["accuracy"]
    if fooled > clean["accuracy"] - 0.1:
        raise SystemExit(f"the squares fool nobody: {fooled:.3f} against {clean['accuracy']:.3f}")
    for name, found in numbers.items():
        found["share_of_gap"] = (found["accuracy"] - fooled) / (clean["accuracy"] - fooled)
        found["overlap_ratio"] = found["attribution_overlap"] / numbers["fooled"]["attribution_overlap"]
        found["worst_class_minus_clean"] = found["worst_class_accuracy"] - clean["worst_class_accuracy"]
        if has_convolutions:
            found["grad_cam_minus_clean"] = found["grad_cam_overlap"] - numbers["clean reference"]["grad_cam_overlap"]
        if name in weights:
            found["weight"] = weights[name]
    return numbers


def replace_squares(digits: Digits) -> Digits:
    """The same test digits without squares."""
    bare = Digits(digits.seed, one_per_row=digits.one_per_row)
    bare.__dict__["test"] = digits.test._replace(x=digits.clean_test.x)
    return bare
