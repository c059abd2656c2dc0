"""Slack, Hilgard, Jia, Singh and Lakkaraju 2020, Fooling LIME and SHAP: does an explanation find a hidden bias?

    python benchmarks/scaffolding.py [--seeds 5]

On the RAND insurance table a classifier decides by race alone. The attacked one does so too, but only on rows that a
random forest takes for real; on others it decides by sex. The forest knows the very points that explainers ask about
when they fill in absent features in the way that the attacker expects: as in the paper, where that leaves the data, or
prepared for conditional filling in too. Counted are the test rows whose most important feature is race. Beside the
explainers: a linear model of the answers to the real rows near the explained one, which asks about nothing else. Writes
benchmarks/results/scaffolding.json.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from runner import Row, measure, options, units_of
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge
from torch import Tensor

from corrigible import explain
from corrigible.demos.insurance_data import RACE, load
from corrigible.explanations.features import feature_index
from corrigible.explanations.groups import by_group
from corrigible.explanations.passes import values_index

HARMLESS = "female"
METHODS = ("lime", "kernel_shap")
SAMPLES, NUM_EXPLAINED, NUM_REAL = 128, 100, 4000
BACKGROUND = {"marginal": 20, "independent": 20, "conditional": 400}
"""Rows; of 400, conditional filling in takes the 20 nearest."""
CASES = (("marginal", "marginal"), ("independent", "independent"), ("conditional", "marginal"), ("conditional",) * 2)
"""How absent features are filled in, and what the attacker expects."""
NEAR = 500

Classifier = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Table:
    """Rows of one seed, and where the two columns are."""

    real: Tensor
    test: Tensor
    columns: Any
    race: int
    harmless: int

    def biased(self, x: Tensor) -> Tensor:
        return (x[:, self.race] > 0).double()

    def innocuous(self, x: Tensor) -> Tensor:
        return (x[:, self.harmless] > 0).double()

    def attacked(self, forest: RandomForestClassifier, x: Tensor) -> Tensor:
        is_real = torch.from_numpy(forest.predict(x.numpy())).bool()
        return torch.where(is_real, self.biased(x), self.innocuous(x))


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    measure(units_of({"insurance": one_seed}, asked), asked, settings={"explained": NUM_EXPLAINED, "samples": SAMPLES})


def one_seed(seed: int) -> Iterator[Row]:
    table = insurance(seed)
    settings = {
        absent: {"background": table.real[-size:], "absent": absent, "samples": SAMPLES, "seed": seed}
        for absent, size in BACKGROUND.items()
    }
    forests = {expected: detector(table, settings[expected], seed) for expected in BACKGROUND}
    for absent, expected in CASES:
        for method in METHODS:
            explainer = partial(explained, table=table, method=method, **settings[absent])
            yield Row(labels(method, absent, expected), tops(table, explainer, forests[expected]))
    for expected, forest in forests.items():
        about = labels("linear model of real rows", "none", expected)
        yield Row(about, tops(table, partial(near, table), forest))


def labels(explainer: str, absent: str, expected: str) -> dict[str, str]:
    return {"explainer": explainer, "absent": absent, "expected": expected}


def insurance(seed: int) -> Table:
    train, test = load("train", seed=seed), load("test", seed=seed)
    generator = torch.Generator().manual_seed(seed)
    real = train.x[torch.randperm(len(train), generator=generator)]
    some = test.x[torch.randperm(len(test), generator=generator)[:NUM_EXPLAINED]]
    names = train.columns.names
    return Table(real, some, train.columns, names.index(RACE), names.index(HARMLESS))


def detector(table: Table, settings: dict[str, Any], seed: int) -> RandomForestClassifier:
    """Tells real rows from the points that the explainers ask about."""
    real, asked = table.real[:NUM_REAL], []

    def listening(x: Tensor) -> Tensor:
        asked.append(x.clone())
        return torch.zeros(len(x))

    for method in METHODS:
        explained(listening, table.real[NUM_REAL : NUM_REAL + 60], table=table, method=method, **settings)
    points = torch.cat(asked)
    points = points[~torch.isin(values_index(points), values_index(table.real))]
    chosen = torch.randperm(len(points), generator=torch.Generator().manual_seed(seed))[:NUM_REAL]
    x, is_real = torch.cat([real, points[chosen]]), [1] * len(real) + [0] * len(chosen)
    return RandomForestClassifier(50, random_state=seed).fit(x.numpy(), is_real)


def explained(classifier: Classifier, x: Tensor, *, table: Table, method: str, **settings: Any) -> Tensor:
    """The attribution of each feature."""
    found = explain(classifier, x, 1, method=method, task="classes", columns=table.columns, **settings)
    return by_group(found, feature_index(table.columns))


def near(table: Table, classifier: Classifier, x: Tensor) -> Tensor:
    """Ridge regression of the answers to the nearest real rows; a feature counts as its part varies."""
    answers, features = classifier(table.real).numpy(), []
    for row in x:
        nearest = (table.real - row).square().sum(1).topk(NEAR, largest=False).indices
        some = table.real[nearest]
        weights = torch.from_numpy(Ridge(alpha=1.0).fit(some.numpy(), answers[nearest]).coef_).to(some)
        parts = by_group(weights * some, feature_index(table.columns))
        features.append(parts.std(0))
    return torch.stack(features)


def tops(
    table: Table, explainer: Callable[[Classifier, Tensor], Tensor], forest: RandomForestClassifier
) -> dict[str, float]:
    """The shares of rows with race, or the harmless feature, before all others."""
    names, attacked = table.columns.features, partial(table.attacked, forest)
    found = {"acts biased": share(attacked(table.test) == table.biased(table.test))}
    for name, classifier in (("biased", table.biased), ("attacked", attacked)):
        strength = explainer(classifier, table.test).abs()
        first = strength.argmax(1).masked_fill(strength.amax(1) == 0, -1)
        found[f"{name}: race first"] = share(first == names.index(RACE))
        found[f"{name}: sex first"] = share(first == names.index(HARMLESS))
    return found


def share(is_so: Tensor) -> float:
    return is_so.double().mean().item()


if __name__ == "__main__":
    main()
