"""Which score and which norm should right_reasons take?

    python benchmarks/right_reasons_scores.py [--seeds 3]

3,500 digits with a grey square in one random corner that tells the digit in training, Ross's network, the masks of 100
reviewed rows; each weight is chosen by swap score. The test rows have squares of random grey. "Chosen classes": only
what speaks for or against the first five digits is penalised. Writes
benchmarks/results/right_reasons_scores.json after every seed.
"""

import argparse
from typing import Any

import torch
from digits import CORRECT, TRAIN, Digits, finished, fresh_mlp, measured, trained
from results import means_over, write

from corrigible.explanations.scores import SCORE_NAMES
from corrigible.protocols.correction import correction

NUM_ROWS = 100
VARIANTS: dict[str, dict[str, Any]] = {
    **{f"{score}, l2": {"score": score} for score in SCORE_NAMES if score != "target_prob"},
    "random_projection, l1": {"norm": "l1"},
    "random_projection, cosine": {"norm": "cosine"},
    "random_projection, l2, chosen classes": {"classes": [0, 1, 2, 3, 4]},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    torch.set_num_threads(1)
    seeds = range(parser.parse_args().seeds)
    for num_seeds, rows in enumerate(means_over(seeds, one_seed), start=1):
        write("right_reasons_scores", {"seeds": num_seeds, "reviewed": NUM_ROWS, "rows": rows})


def one_seed(seed: int) -> dict[str, dict[str, float]]:
    digits = Digits(seed, one_per_row=True)
    fooled = trained(fresh_mlp(seed), digits.train_rows, TRAIN, seed)
    numbers = {"fooled": measured(fooled, digits)}
    for name, settings in VARIANTS.items():
        steps = correction(
            fooled,
            digits.train_rows,
            digits.reviewed(NUM_ROWS),
            penalties={"right_reasons": {"weight": "auto", **settings}},
            schedule=CORRECT,
            seed=seed,
        )
        model, weights = finished(steps)
        numbers[name] = {**measured(model, digits), "weight": weights["right_reasons"]}
    return numbers


if __name__ == "__main__":
    main()
