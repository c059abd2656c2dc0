"""Which score and which norm should right_reasons take?

    python benchmarks/right_reasons_scores.py [--seeds 3]

3,500 digits with a grey square in one random corner that tells the digit in training, Ross's network, the masks of 100
reviewed rows; each weight is chosen by swap score. The test rows have squares of random grey. Where every
weight is refused, the numbers are those of the fooled network. "Chosen classes": only
what speaks for or against the first five digits is penalised. Writes
benchmarks/results/right_reasons_scores.json after every seed.
"""

from collections.abc import Iterator
from typing import Any

from digits import CORRECT, TRAIN, Digits, finished, fresh_mlp, measured, trained
from runner import Row, measure, options, rows_of, units_of

from corrigible.errors import CorrectionRefusedError
from corrigible.explanations.scores import SCORE_NAMES
from corrigible.protocols.corrections.correction import correction

NUM_ROWS = 100
VARIANTS: dict[str, dict[str, Any]] = {
    **{f"{score}, l2": {"score": score} for score in SCORE_NAMES if score not in ("target_prob", "target_output")},
    "random_projection, l1": {"norm": "l1"},
    "random_projection, cosine": {"norm": "cosine"},
    "random_projection, l2, chosen classes": {"classes": [0, 1, 2, 3, 4]},
}


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    measure(units_of({"one corner": one_seed}, asked), asked, settings={"reviewed": NUM_ROWS})


def one_seed(seed: int) -> Iterator[Row]:
    digits = Digits(seed, one_per_row=True)
    fooled = trained(fresh_mlp(seed), digits.train_rows, TRAIN, seed)
    yield from rows_of({"fooled": measured(fooled, digits)})
    for name, settings in VARIANTS.items():
        steps = correction(
            fooled,
            digits.train_rows,
            digits.reviewed(NUM_ROWS),
            penalties={"right_reasons": {"weight": "auto", **settings}},
            schedule=CORRECT,
            seed=seed,
        )
        try:
            model, weights = finished(steps)
        except CorrectionRefusedError as refusal:
            print(f"  {name}: {refusal}", flush=True)
            yield Row({"model": name}, {**measured(fooled, digits), "refused": 1.0})
            continue
        yield Row({"model": name}, {**measured(model, digits), "refused": 0.0, "weight": weights["right_reasons"]})


if __name__ == "__main__":
    main()
