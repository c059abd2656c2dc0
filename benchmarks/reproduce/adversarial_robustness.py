"""Accuracy under attack of networks with small input gradients (Ross and Doshi-Velez 2018), on digits.

    python benchmarks/reproduce/adversarial_robustness.py [--seeds 3]

LeNet on the 3,500 training digits of the demo, 1,000 test digits: undefended; with a penalty on the size of the loss's
input gradient; trained on attacked rows too (FGSM); distilled (temperature 20). Attacks know the network they attack.
The penalty's weight is the one with the best mean accuracy under FGSM on 500 validation digits. All networks train for
as many epochs. Writes benchmarks/results/reproduce_adversarial_robustness.json and
docs/images/adversarial_robustness.png.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from digits import fresh, trained
from runner import Row, measure, options, progress, units_of
from torch import nn

from corrigible.augment import adversarial_rows
from corrigible.data.dataset import TensorData
from corrigible.demos.digits_data import load
from corrigible.models import lenet
from corrigible.plots.attack_curves import attack_curves
from corrigible.protocols.robustness.distillation import distilling
from corrigible.protocols.robustness.robust_accuracy import robust_accuracy
from corrigible.protocols.schedule import Schedule, run

SCHEDULE = Schedule(epochs=10)
EPSILONS = (0.0, 0.1, 0.2, 0.3)
WEIGHTS = (30.0, 100.0, 300.0, 1000.0, 3000.0)
TRAINED_EPSILON, TEMPERATURE = 0.2, 20.0
ATTACKS: Mapping[str, Mapping[str, Any]] = {
    "fgsm": {"attack": "fgsm"},
    "fgsm_targeted": {"attack": "fgsm", "targeted": True},
    "projected_gradient": {"attack": "projected_gradient", "steps": 10},
}
PICTURE = Path(__file__).resolve().parents[2] / "docs" / "images" / "adversarial_robustness.png"


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    settings = {
        "epochs": SCHEDULE.epochs,
        "trained_epsilon": TRAINED_EPSILON,
        "temperature": TEMPERATURE,
        "weights_tried": WEIGHTS,
    }
    measure(units_of({"adversarial_robustness": of_seed}, asked), asked, settings=settings, after=draw)


def of_seed(seed: int) -> Iterator[Row]:
    train, validation, test = (load(f"clean_{split}", seed=seed) for split in ("train", "validation", "test"))
    small, weight = with_small_gradients(train, validation, seed)
    networks: dict[str, Callable[[], nn.Module]] = {
        "undefended": lambda: trained(fresh(seed), train, SCHEDULE, seed),
        "small_gradients": lambda: small,
        "adversarially_trained": lambda: on_attacked_rows(train, seed),
        "distilled": lambda: distilled(train, seed),
    }
    yield Row({"network": "small_gradients"}, {"weight": weight})
    for name, make in networks.items():
        network = make()
        for attack, settings in ATTACKS.items():
            for size, accuracy in zip(EPSILONS, accuracies(network, test, **settings), strict=True):
                yield Row({"network": name, "attack": attack, "epsilon": size}, {"accuracy": accuracy})


def with_small_gradients(train: TensorData, validation: TensorData, seed: int) -> tuple[nn.Module, float]:
    """The network of the weight that withstands attacks best on validation rows."""
    scored = []
    for weight in WEIGHTS:
        network = fresh(seed)
        for _ in run(network, train, SCHEDULE, penalties={"gradient_size": weight}, seed=seed):
            pass
        score = sum(accuracies(network, validation)[1:]) / (len(EPSILONS) - 1)
        progress(f"gradient_size {weight:g}", {"validation accuracy under FGSM": score})
        scored.append((score, weight, network))
    _, weight, network = max(scored, key=lambda each: each[0])
    return network, weight


def on_attacked_rows(train: TensorData, seed: int) -> nn.Module:
    network = fresh(seed)
    for _ in run(network, train, SCHEDULE, augment=[partial(adversarial_rows, epsilon=TRAINED_EPSILON)], seed=seed):
        pass
    return network


def distilled(train: TensorData, seed: int) -> nn.Module:
    steps = distilling(lenet(), train, temperature=TEMPERATURE, schedule=SCHEDULE, seed=seed)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def accuracies(network: nn.Module, data: TensorData, *, attack: str = "fgsm", **settings: Any) -> list[float]:
    return [robust_accuracy(network, data, epsilon=size, attack=attack, **settings).robust for size in EPSILONS]


def draw(found: Mapping[str, Any]) -> None:
    """A curve of each network under FGSM for each seed."""
    curves: dict[str, list[list[float]]] = {}
    for unit in found["units"]:
        rows = [row for row in unit["rows"] if row["labels"].get("attack") == "fgsm"]
        for name in dict.fromkeys(row["labels"]["network"] for row in rows):
            of_network = [row for row in rows if row["labels"]["network"] == name]
            curves.setdefault(name, []).append([row["numbers"]["accuracy"] for row in of_network])
    tensors = {name: torch.tensor(seeds) for name, seeds in curves.items()}
    figure = attack_curves(EPSILONS, tensors, title="Digits: accuracy under FGSM", label="largest change of a pixel")
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
