"""Decoy MNIST with grey squares in all four corners (Bekkemoen, Bayesian feedback): few reviewed rows, LeNet.

    python benchmarks/reproduce/four_corners.py [--seeds 3] [--rows 20,100,162] [--methods right_reasons]

All of MNIST. Only the masks of 20, 100 or 162 reviewed training rows of the 50,000 reach training. The test rows have
squares of random grey. Published: 68.8 % fooled, 96.1 % corrected with 162 rows; 72.5 % and 97.0 % with 189; 98.7 %
without squares. Writes benchmarks/results/reproduce_four_corners.json.
"""

import mnist_files
from squares import squares

from cases import Case, Plan, options, over_seeds
from corrigible.models import lenet
from corrigible.protocols.schedule import Schedule

PLAN = Plan(fool=Schedule(epochs=2, batch_size=256), correct=Schedule(epochs=5, batch_size=256))
REVIEWED = (20, 100, 162)


def four_corners(seed: int, quick: bool, reviewed: tuple[int, ...]) -> Case:
    """So many reviewed rows, drawn from the seed."""
    found = squares(mnist_files, seed, one_per_row=False, quick=quick)
    return found.case({f"{num_rows} rows": found.reviewed(num_rows) for num_rows in reviewed}, lenet)


if __name__ == "__main__":
    parser = options(__doc__, PLAN)
    parser.add_argument("--rows", default=",".join(map(str, REVIEWED)), help="numbers of reviewed rows")
    asked = parser.parse_args()
    numbers = tuple(map(int, asked.rows.split(",")))
    over_seeds("four_corners", lambda seed, quick: four_corners(seed, quick, numbers), PLAN, asked)
