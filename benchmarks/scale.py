"""Does one weight mean the same at other batch sizes and with other marked areas?

    python benchmarks/scale.py [--seeds 5]

Row scope, 100 reviewed rows, weight 10 throughout: batches of 32 to 512 with equal numbers of steps, and squares in 1,
2 and 4 corners. Accuracy under random squares.
Writes benchmarks/results/scale.json.
"""

import argparse
from dataclasses import replace

import torch
from digits import CORRECT, TRAIN, Digits, corrected, fresh, measured, trained
from results import mean_sd, progress, write

WEIGHT = 10.0
BATCH_SIZES = (32, 64, 128, 256, 512)
CORNERS = {1: (3,), 2: (0, 3), 4: (0, 1, 2, 3)}
ROWS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    torch.set_num_threads(1)
    seeds = range(parser.parse_args().seeds)
    found: dict[str, list[dict[str, float]]] = {}
    for seed in seeds:
        digits = Digits(seed)
        fooled = trained(fresh(seed), digits.train_rows, TRAIN, seed)
        for batch_size in BATCH_SIZES:
            schedule = replace(CORRECT, batch_size=batch_size, epochs=CORRECT.epochs * batch_size // (2 * 64))
            model, _ = corrected(fooled, digits, digits.reviewed(ROWS), weight=WEIGHT, schedule=schedule)
            keep(found, seed, f"batch {batch_size}", measured(model, digits, metrics=("accuracy",)))
        for number, corners in CORNERS.items():
            keep(found, seed, f"squares {number}", with_squares(seed, corners))
    rows = [
        {"case": name, **{key: mean_sd([n[key] for n in numbers]) for key in numbers[0]}}
        for name, numbers in found.items()
    ]
    write("scale", {"seeds": len(seeds), "weight": WEIGHT, "reviewed_rows": ROWS, "rows": rows})


def with_squares(seed: int, corners: tuple[int, ...]) -> dict[str, float]:
    digits = Digits(seed, corners=corners)
    fooled = trained(fresh(seed), digits.train_rows, TRAIN, seed)
    model, _ = corrected(fooled, digits, digits.reviewed(ROWS), weight=WEIGHT)
    return measured(model, digits, metrics=("accuracy",))


def keep(found: dict[str, list[dict[str, float]]], seed: int, name: str, numbers: dict[str, float]) -> None:
    found.setdefault(name, []).append(numbers)
    progress(seed, name, numbers)


if __name__ == "__main__":
    main()
