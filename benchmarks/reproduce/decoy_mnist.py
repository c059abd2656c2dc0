"""Decoy MNIST (Ross, Hughes and Doshi-Velez 2017): a grey square in one random corner that tells the digit in training.

    python benchmarks/reproduce/decoy_mnist.py [--seeds 3] [--network ross|wide|lenet] [--methods right_reasons]

All of MNIST. Every training row says where its own square is. The test rows have a square of random grey in a random
corner. Published: 51.6 % fooled, 96.07 % corrected, 96.11 % without squares, for a network of hidden sizes 50 and 30
(``ross``). Ghitu, Piratla and Wicker (2025) give their R4 a mean of 97.0 % and a worst class of 94.8 %, and right for
the right reasons 92.3 % and 85.4 %; ``wide`` has hidden layers of 256 and 128. Writes
benchmarks/results/reproduce_decoy_mnist[_wide|_lenet].json.
"""

from functools import partial

import mnist_files
from squares import squares

from cases import Case, Plan, options, over_seeds
from corrigible.models import lenet, mlp
from corrigible.protocols.schedule import Schedule

PLAN = Plan(fool=Schedule(epochs=4, batch_size=256), correct=Schedule(epochs=24, batch_size=256))
"""Half as many epochs of correction have a worse swap score."""
NETWORKS = {
    "ross": lambda: mlp(28 * 28, 10),
    "wide": lambda: mlp(28 * 28, 10, hidden=(256, 128)),
    "lenet": lenet,
}


def decoy_mnist(seed: int, quick: bool, network: str) -> Case:
    """Masks on all rows."""
    found = squares(mnist_files, seed, one_per_row=True, quick=quick)
    return found.case({"every row": found.reviewed(len(found.rows["train"]))}, NETWORKS[network])


if __name__ == "__main__":
    parser = options(__doc__, PLAN)
    parser.add_argument("--network", choices=list(NETWORKS), default="ross")
    asked = parser.parse_args()
    suffix = "" if asked.network == "ross" else asked.network
    over_seeds("decoy_mnist", partial(decoy_mnist, network=asked.network), PLAN, asked, suffix=suffix)
