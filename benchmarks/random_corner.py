"""A grey square in one random corner that tells the digit (Ross 2017): one mask of all corners brings back how much?

    python benchmarks/random_corner.py [--seeds 5]

Ross's fully connected network (a square in one random corner hardly fools LeNet), data set scope: one rule says that no
corner matters. Otherwise as benchmarks/corner_decoys.py. Writes benchmarks/results/random_corner.json.
"""

from decoys import Compared, compared, over_seeds, references
from digits import Digits, corrected, fresh_mlp, masked

from corrigible.data.decoys import corner_mask
from corrigible.types import Feedback


def one_corner(seed: int) -> Compared:
    digits = Digits(seed, one_per_row=True)
    models = references(digits, fresh_mlp)
    every_corner = corner_mask((1, 28, 28))
    models["masked inputs"] = masked(digits.train_rows, every_corner, fresh_mlp(seed), seed)
    rule = [Feedback(every_corner.numpy(), scope="dataset")]
    models["corrected, one rule"], weight = corrected(models["fooled"], digits, rule)
    return compared(digits, models, {"corrected, one rule": weight})


if __name__ == "__main__":
    over_seeds("one corner", one_corner, __doc__)
