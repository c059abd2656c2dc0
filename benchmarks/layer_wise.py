"""Trains networks with the layer-wise schedule and the contrastive term, beside plain ones, and counts active units.

    python benchmarks/layer_wise.py [--seeds 5] [--resume]

Data are scikit-learn's digits (10 classes) and breast cancer (2 classes); 30 % of the rows, drawn by the seed, are test
rows, on which all figures are measured. ``active`` is the number of units of the last hidden layer that are active on a
row, ``overlap`` how far classes share units (`corrigible.explanations.active_units`). The first sparse network has the
schedule of the proposal (5 % of the units in the first layer, 10 % in the second, up to 50 %), the second regularises
35 % and 70 %, because two layers are few. Settings were chosen on digits with seeds 100 and 101. Writes
benchmarks/results/layer_wise.json.
"""

from collections.abc import Iterator
from functools import partial

import torch
from runner import Numbers, Row, measure, options, rows_of, units_of
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from corrigible.data.dataset import TensorData
from corrigible.explanations.active_units import active_unit_overlap, active_units
from corrigible.models import mlp
from corrigible.protocols.schedule import Schedule, run

TABLES = {"digits": load_digits, "breast cancer": load_breast_cancer}
HIDDEN = {"two layers": (64, 64), "ten layers": (64,) * 10}
STEPS = 400
PENALTIES = {
    "plain": {},
    "5 % a layer, up to 50 %": {"layer_sparsity": 1.0, "contrastive": 1.0},
    "35 % a layer, up to 70 %": {
        "layer_sparsity": {"weight": 1.0, "share_per_layer": 0.35, "most": 0.7},
        "contrastive": 1.0,
    },
    "contrastive alone": {"contrastive": 1.0},
}


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    works = {f"{table}, {depth}": partial(one_seed, table, depth) for table in TABLES for depth in HIDDEN}
    measure(units_of(works, asked), asked, settings={"hidden": {k: list(v) for k, v in HIDDEN.items()}, "steps": STEPS})


def one_seed(table: str, depth: str, seed: int) -> Iterator[Row]:
    training, x, y = split(table, seed)
    numbers: dict[str, Numbers] = {}
    for name, penalties in PENALTIES.items():
        torch.manual_seed(seed)
        model = mlp(x.shape[1], int(y.max()) + 1, hidden=HIDDEN[depth])
        schedule = Schedule(epochs=-(-STEPS * 64 // len(training)), batch_size=64, learning_rate=2e-3, step="careful")
        for _ in run(model, training, schedule, penalties=penalties, seed=seed):
            pass
        active = active_units(model, x, layer=str(2 * len(HIDDEN[depth])))
        right = model(x).argmax(dim=1) == y
        numbers[name] = {
            "active": float(active.double().sum(dim=1).mean()),
            "overlap": float(active_unit_overlap(active, y)),
            "accuracy": float(right.double().mean()),
        }
    plain = numbers["plain"]
    for found in numbers.values():
        found["active_of_plain"] = found["active"] / plain["active"]
        if plain["overlap"]:
            found["overlap_of_plain"] = found["overlap"] / plain["overlap"]
        found["accuracy_minus_plain"] = found["accuracy"] - plain["accuracy"]
    yield from rows_of(numbers, table=table, network=depth)


def split(table: str, seed: int) -> tuple[TensorData, Tensor, Tensor]:
    """Rows to learn from, and inputs and labels of test rows, standardised by the former."""
    values, labels = TABLES[table](return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        values, labels, test_size=0.3, random_state=seed, stratify=labels
    )
    scale = StandardScaler().fit(train_x)
    x, test = (torch.tensor(scale.transform(rows), dtype=torch.float32) for rows in (train_x, test_x))
    return TensorData(x, torch.tensor(train_y)), test, torch.tensor(test_y)


if __name__ == "__main__":
    main()
