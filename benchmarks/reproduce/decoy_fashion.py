"""Decoy Fashion-MNIST: a grey square in one random corner that tells the kind of clothing in training.

    python benchmarks/reproduce/decoy_fashion.py [--seeds 3] [--methods right_reasons]

The data of Debian's package dataset-fashion-mnist (see fashion_files.py), 50,000 rows to train on; every training row
says where its own square is. Published for the same decoy: about 58 % fooled, 89 % corrected, 89 % without squares.
Writes benchmarks/results/reproduce_decoy_fashion.json.
"""

import fashion_files
from squares import squares

from cases import Case, Plan, options, over_seeds
from corrigible.models import mlp
from corrigible.protocols.schedule import Schedule

PLAN = Plan(fool=Schedule(epochs=4, batch_size=256), correct=Schedule(epochs=24, batch_size=256))
"""As for the decoy digits."""


def decoy_fashion(seed: int, quick: bool) -> Case:
    """Masks on all rows; hidden layers of 256 and 128, which reach 89 % without squares."""
    found = squares(fashion_files, seed, one_per_row=True, quick=quick)
    said = {"every row": found.reviewed(len(found.rows["train"]))}
    return found.case(said, lambda: mlp(28 * 28, 10, hidden=(256, 128)))


if __name__ == "__main__":
    over_seeds("decoy_fashion", decoy_fashion, PLAN, options(__doc__, PLAN).parse_args())
