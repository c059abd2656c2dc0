"""Grey squares in four corners that tell the digit: how much of what they cost a correction brings back.

    python benchmarks/corner_decoys.py [--seeds 5]

LeNet, row scope: only the masks of 20 or 100 reviewed training rows reach training. Accuracy is that under squares of
random grey; the clean reference learned without squares, for as many epochs in all, and the gap is to its accuracy
without them. Settings are those of `corrigible.correct`; the weight is chosen by swap score. Writes
benchmarks/results/corner_decoys.json.
"""

from decoys import Compared, compared, over_seeds, references
from digits import Digits, corrected, fresh, masked

from corrigible.data.decoys import corner_mask


def four_corners(seed: int) -> Compared:
    digits = Digits(seed)
    models = references(digits, fresh)
    models["masked inputs"] = masked(digits.train_rows, corner_mask((1, 28, 28)), fresh(seed), seed)
    weights = {}
    for num_rows in (20, 100):
        name = f"corrected, {num_rows} rows"
        models[name], weights[name] = corrected(models["fooled"], digits, digits.reviewed(num_rows))
    return compared(digits, models, weights)


if __name__ == "__main__":
    over_seeds("four corners", four_corners, __doc__)
