"""Iris-Cancer (Ross, Hughes and Doshi-Velez 2017): flowers that tell the diagnosis in training.

    python benchmarks/reproduce/iris_cancer.py [--seeds 10]

Training rows: 50 tumours of each class, with the four measures of an iris of one species for the benign and of another
for the malignant. Test rows: the other 469 tumours, with irises of the other species (``swapped``) or none
(``absent``: the columns' training mean). The rule says that the iris columns must not matter. Groups are classes. Both
data sets come with scikit-learn. Published: feedback recovers the accuracy that a network without the iris columns has.
Writes benchmarks/results/reproduce_iris_cancer.json.
"""

import copy
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from digits import finished
from runner import Row, measure, options, rows_of, units_of
from sklearn.datasets import load_breast_cancer, load_iris
from torch import Tensor, nn

from corrigible.data.dataset import TensorData
from corrigible.models import mlp
from corrigible.models.modes import evaluating
from corrigible.protocols.baselines.recipe_baseline import MaskedInputs
from corrigible.protocols.corrections.correction import correction
from corrigible.protocols.schedule import Schedule, run
from corrigible.types import Columns, Features, Feedback

PER_CLASS = 50
METHODS = ("right_reasons", "energy_outside")
FOOL, CORRECT = Schedule(epochs=40, batch_size=20), Schedule(epochs=40, batch_size=20)
WHOLE = replace(CORRECT, epochs=FOOL.epochs + CORRECT.epochs)


@dataclass(frozen=True)
class Composite:
    """One seed's rows; the irises stand last."""

    train: TensorData
    tests: dict[str, TensorData]
    rule: list[Feedback]


def main() -> None:
    asked = options(__doc__, seeds=10).parse_args()
    settings = {"fool": asdict(FOOL), "correct": asdict(CORRECT), "whole": asdict(WHOLE), "rows_per_class": PER_CLASS}
    measure(units_of({"iris_cancer": one_seed}, asked), asked, settings=settings)


def one_seed(seed: int) -> Iterator[Row]:
    data = composite(seed)
    fooled = trained(network(34, seed), data.train, FOOL, seed)
    masked = MaskedInputs(network(34, seed), (34,))
    masked.hide(torch.arange(34) >= 30)
    without = trained(network(30, seed), replace(data.train, x=data.train.x[:, :30], columns=None), WHOLE, seed)
    models: dict[str, Callable[[Tensor], Tensor]] = {
        "fooled": fooled,
        "fine-tuned without feedback": trained(copy.deepcopy(fooled), data.train, CORRECT, seed),
        "masked inputs": trained(masked, data.train, WHOLE, seed),
        "never saw irises": nn.Sequential(FirstColumns(), without),
    }
    weights: dict[str, float] = {}
    for method in METHODS:
        steps = correction(fooled, data.train, data.rule, penalties={method: "auto"}, schedule=CORRECT, seed=seed)
        models[method], chosen = finished(steps)
        weights |= chosen
    numbers = {name: measured(model, data.tests) for name, model in models.items()}
    for found in numbers.values():
        found["behind_reference"] = numbers["never saw irises"]["accuracy_swapped"] - found["accuracy_swapped"]
    for method in METHODS:
        numbers[method]["weight"] = weights[method]
    yield from rows_of(numbers)


class FirstColumns(nn.Module):
    """The tumour's measures alone."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :30]


def network(inputs: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return mlp(inputs, 2)


def trained(model: nn.Module, data: TensorData, schedule: Schedule, seed: int) -> nn.Module:
    for _ in run(model, data, schedule, seed=seed):
        pass
    return model


def measured(model: nn.Module, tests: dict[str, TensorData]) -> dict[str, float]:
    found = {}
    for name, test in tests.items():
        with evaluating(model), torch.no_grad():
            is_right = (model(test.x).argmax(dim=1) == test.y).double()
        by_class = [is_right[test.y == label].mean().item() for label in (0, 1)]
        found |= {
            f"accuracy_{name}": is_right.mean().item(),
            f"macro_group_accuracy_{name}": sum(by_class) / 2,
            f"worst_group_accuracy_{name}": min(by_class),
        }
    return found


def composite(seed: int) -> Composite:
    generator = torch.Generator().manual_seed(seed)
    cancer, iris = load_breast_cancer(), load_iris()
    tumours, y = torch.tensor(cancer.data).float(), torch.tensor(cancer.target)
    irises = [torch.tensor(iris.data[iris.target == species]).float() for species in (0, 1)]
    order = torch.randperm(len(y), generator=generator)
    rows = torch.cat([order[y[order] == label][:PER_CLASS] for label in (0, 1)])
    left = order[~torch.isin(order, rows)]
    names = (*cancer.feature_names, *iris.feature_names)
    columns = Columns(names, names, (False,) * len(names))
    flowers = torch.cat([species[torch.randperm(PER_CLASS, generator=generator)] for species in irises])
    drawn = torch.randint(PER_CLASS, (len(left),), generator=generator)
    swapped = torch.stack(irises)[1 - y[left], drawn]
    train = torch.cat([tumours[rows], flowers], dim=1)
    test = torch.cat([tumours[left], swapped], dim=1)
    mean, sd = train.mean(dim=0), train.std(dim=0)
    x, absent = (test - mean) / sd, (test - mean) / sd
    absent[:, 30:] = 0.0
    tests = {"swapped": TensorData(x, y[left], columns=columns), "absent": TensorData(absent, y[left], columns=columns)}
    rule = [Feedback(Features(tuple(iris.feature_names)), scope="dataset")]
    return Composite(TensorData((train - mean) / sd, y[rows], columns=columns), tests, rule)


if __name__ == "__main__":
    main()
