"""Grey squares that tell the digit: how much of what they cost a correction brings back.

    python benchmarks/corner_decoys.py [--seeds 5]

Row scope: squares in all four corners, only the masks of 20 or 100 reviewed training rows reach training.
Data set scope: one random corner and Ross's fully connected network, one mask of all corners (a square in one random
corner hardly fools LeNet). Accuracy is that under squares of random grey; the
clean reference learned without squares, for as many epochs in all, and is tested without them. Settings are those of
`corrigible.correct`; the weight is chosen by swap score. Writes benchmarks/results/corner_decoys.json.
"""

import argparse
import copy
from collections.abc import Callable

import torch
from digits import CLEAN, CORRECT, TRAIN, Digits, corrected, fresh, fresh_mlp, masked, measured, trained
from results import mean_sd, progress, write
from torch import nn

from corrigible.data.decoys import corner_mask
from corrigible.types import Feedback


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    torch.set_num_threads(1)
    seeds = range(parser.parse_args().seeds)
    found: dict[str, list[dict[str, float]]] = {}
    for seed in seeds:
        for case, compare in (("four corners", four_corners), ("one random corner", one_corner)):
            for name, numbers in compare(seed).items():
                found.setdefault(f"{case}: {name}", []).append(numbers)
                progress(seed, f"{case}: {name}", numbers)
    rows = [
        {"model": name, **{key: mean_sd([n[key] for n in numbers]) for key in numbers[0]}}
        for name, numbers in found.items()
    ]
    write("corner_decoys", {"seeds": len(seeds), "epochs": [TRAIN.epochs, CORRECT.epochs], "rows": rows})


def four_corners(seed: int) -> dict[str, dict[str, float]]:
    digits = Digits(seed)
    models = references(digits, fresh)
    models["masked inputs"] = masked(digits.train_rows, corner_mask((1, 28, 28)), fresh(seed), seed)
    weights = {}
    for num_rows in (20, 100):
        name = f"corrected, {num_rows} rows"
        models[name], weights[name] = corrected(models["fooled"], digits, digits.reviewed(num_rows))
    return compared(digits, models, weights)


def one_corner(seed: int) -> dict[str, dict[str, float]]:
    digits = Digits(seed, one_per_row=True)
    models = references(digits, fresh_mlp)
    every_corner = corner_mask((1, 28, 28))
    models["masked inputs"] = masked(digits.train_rows, every_corner, fresh_mlp(seed), seed)
    rule = [Feedback(every_corner.numpy(), scope="dataset")]
    models["corrected, one rule"], weight = corrected(models["fooled"], digits, rule)
    return compared(digits, models, {"corrected, one rule": weight})


def references(digits: Digits, network: Callable[[int], nn.Module]) -> dict[str, nn.Module]:
    """Without feedback: fooled, trained on, and never fooled."""
    fooled = trained(network(digits.seed), digits.train_rows, TRAIN, digits.seed)
    return {
        "fooled": fooled,
        "fine-tuned without feedback": trained(copy.deepcopy(fooled), digits.train_rows, CORRECT, digits.seed),
        "clean reference": trained(network(digits.seed), digits.clean_train, CLEAN, digits.seed),
    }


def compared(digits: Digits, models: dict[str, nn.Module], weights: dict[str, float]) -> dict[str, dict[str, float]]:
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


if __name__ == "__main__":
    main()
