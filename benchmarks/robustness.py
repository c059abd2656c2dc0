"""Accuracy, reliance, robustness and leakage of networks that were trained in different ways, in one table.

    python benchmarks/robustness.py [--seeds 3] [--resume]

1,000 digits of 14×14 pixels whose four corner squares tell the digit; all is measured on 200 test digits under squares
of random grey. small_cnn with 8 and 16 filters, 15 epochs; "corrected" is the plain network with the masks of 20 rows,
`correct` as it is. "small gradients" has the penalty `gradient_size`, "attacked rows" the augmentation
`adversarial_rows` in 3 steps from a random start, "interval bounds" the penalty `worst_case` with every input of every
row marked, its radius raised in stages, "private" steps of DP-SGD at ε = 8 and δ = 1e-4; "corrected, attacked rows"
learns from attacked rows while it is corrected; "never saw squares" is trained on the same digits without them. A
correction takes 24 epochs more: "for as long" is trained 39 epochs. Attacks and bounds: each pixel moves by at most
0.1; `square_attack` has 200 queries. "flips" is the share of predictions that change with the squares; "membership" the
AUC of the attack by the loss, training rows against 500 others with the same squares. Settings were fixed on seed 100,
the weight of `gradient_size` out of 30, 100, 300, 1000 and 3000. Writes benchmarks/results/robustness.json.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from digits import Digits
from runner import Numbers, Row, measure, options, units_of
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

import corrigible
from corrigible.augment import adversarial_rows, square_attack
from corrigible.augment.attacks import SEVERAL
from corrigible.data.dataset import TensorData
from corrigible.evaluation import evaluate
from corrigible.feedback.masks import marks_of
from corrigible.models import small_cnn
from corrigible.protocols.privacy.membership_inference import membership_inference
from corrigible.protocols.robustness.certified_accuracy import certified_accuracy
from corrigible.protocols.robustness.robust_accuracy import robust_accuracy
from corrigible.protocols.schedule import Schedule, run
from corrigible.types import Feedback

EPSILON, NUM_ROWS, NUM_TEST, REVIEWED, QUERIES = 0.1, 1000, 200, 20, 200
TRAIN = Schedule(epochs=15, learning_rate=3e-3)
AS_LONG = replace(TRAIN, epochs=39)
SMALL_GRADIENTS, WORST_CASE = 3000.0, 1.0
STAGES = (0.02, 0.05, 0.1)
"""Radii of the bounds, as many epochs each as the others are trained in all, over the number of stages."""
ATTACKED: dict[str, Any] = {"epsilon": EPSILON, "steps": 3, "random_start": True}
PRIVATE = {"name": "private", "epsilon": 8.0, "delta": 1e-4, "is_seeded": True}
ATTACKS: Mapping[str, Callable[..., Any]] = {**SEVERAL, "square_attack": partial(square_attack, queries=QUERIES)}


class Rows:
    """One seed's digits, at half their size."""

    def __init__(self, seed: int) -> None:
        self.seed, digits = seed, Digits(seed)
        kept = torch.randperm(len(digits.train.x), generator=torch.Generator().manual_seed(seed))[:NUM_ROWS]
        self.train = TensorData(halved(digits.train.x[kept]), digits.clean_train.y[kept])
        self.clean = TensorData(halved(digits.clean_train.x[kept]), self.train.y)
        self.masks = digits.train.irrelevant[kept][..., ::2, ::2]
        self.others = replace(digits.validation_rows, x=halved(digits.validation_rows.x))
        self.test = TensorData(halved(digits.test.x[:NUM_TEST]), digits.clean_test.y[:NUM_TEST])
        marked = digits.test.irrelevant[:NUM_TEST, ..., ::2, ::2]
        self.test_feedback = [Feedback(mask.numpy(), row=row) for row, mask in enumerate(marked)]

    @property
    def said(self) -> list[Feedback]:
        return [Feedback(self.masks[row].numpy(), row=row) for row in range(REVIEWED)]

    def trained(
        self,
        network: nn.Module | None = None,
        *,
        data: TensorData | None = None,
        schedule: Schedule = TRAIN,
        **how: Any,
    ) -> nn.Module:
        """The network, or a fresh one, trained in place."""
        if network is None:
            torch.manual_seed(self.seed)
            network = small_cnn(1, 10, filters=(8, 16))
        for _ in run(network, data or self.train, schedule, seed=self.seed, **how):
            pass
        return network


def halved(x: Tensor) -> Tensor:
    return avg_pool2d(x, 2)


def plain(rows: Rows) -> nn.Module:
    return rows.trained()


def corrected(rows: Rows) -> nn.Module:
    return corrigible.correct(rows.trained(), rows.train, rows.said, seed=rows.seed)


def corrected_on_attacked_rows(rows: Rows) -> nn.Module:
    changes = {"transplant": {}, "adversarial_rows": ATTACKED}
    return corrigible.correct(rows.trained(), rows.train, rows.said, augment=changes, seed=rows.seed)


def without_squares(rows: Rows) -> nn.Module:
    return rows.trained(data=rows.clean)


def small_gradients(rows: Rows) -> nn.Module:
    return rows.trained(penalties={"gradient_size": SMALL_GRADIENTS})


def attacked_rows(rows: Rows) -> nn.Module:
    return rows.trained(augment=[partial(adversarial_rows, **ATTACKED)])


def interval_bounds(rows: Rows) -> nn.Module:
    marks = marks_of([Feedback(torch.ones_like(rows.masks[0]).numpy(), scope="dataset")], rows.train)
    network = rows.trained(schedule=replace(TRAIN, epochs=2))
    whole = torch.stack([torch.zeros_like(rows.train.x[0]), torch.ones_like(rows.train.x[0])])
    for radius in STAGES:
        penalty = {"weight": WORST_CASE, "radius": radius, "input_range": whole}
        schedule = replace(TRAIN, epochs=TRAIN.epochs // len(STAGES))
        network = rows.trained(network, schedule=schedule, penalties={"worst_case": penalty}, marks=marks)
    return network


def private(rows: Rows) -> nn.Module:
    return rows.trained(schedule=replace(TRAIN, step=PRIVATE))


def plain_for_as_long(rows: Rows) -> nn.Module:
    return rows.trained(schedule=AS_LONG)


def attacked_rows_for_as_long(rows: Rows) -> nn.Module:
    return rows.trained(schedule=AS_LONG, augment=[partial(adversarial_rows, **ATTACKED)])


WAYS: Mapping[str, Callable[[Rows], nn.Module]] = {
    "plain": plain,
    "corrected": corrected,
    "small gradients": small_gradients,
    "attacked rows": attacked_rows,
    "interval bounds": interval_bounds,
    "private": private,
    "corrected, attacked rows": corrected_on_attacked_rows,
    "never saw squares": without_squares,
    "plain, for as long": plain_for_as_long,
    "attacked rows, for as long": attacked_rows_for_as_long,
}


def measured(network: nn.Module, rows: Rows) -> Numbers:
    (flips,) = evaluate(
        network, rows.test, metrics=["flip_rate"], feedback=rows.test_feedback, num_resamples=0, seed=rows.seed
    )
    found = robust_accuracy(network, rows.test, epsilon=EPSILON, attack=ATTACKS, seed=rows.seed)
    assert flips.value is not None
    return {
        "accuracy": found.clean,
        "flip_rate": flips.value,
        **found.under,
        "robust_accuracy": found.robust,
        "certified_accuracy": certified_accuracy(network, rows.test, epsilon=EPSILON).certified,
        "membership_auc": membership_inference(network, rows.train, rows.others, num_resamples=0).auc,
        "warnings": len(found.warnings),
    }


def of_way(name: str, seed: int) -> Iterator[Row]:
    rows = Rows(seed)
    yield Row({"model": name}, measured(WAYS[name](rows), rows))


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    settings = {
        "epsilon": EPSILON,
        "rows": NUM_ROWS,
        "test_rows": NUM_TEST,
        "reviewed": REVIEWED,
        "queries": QUERIES,
        "epochs": TRAIN.epochs,
        "learning_rate": TRAIN.learning_rate,
        "gradient_size": SMALL_GRADIENTS,
        "worst_case": WORST_CASE,
        "stages": STAGES,
        "private": PRIVATE,
    }
    measure(units_of({name: partial(of_way, name) for name in WAYS}, asked), asked, settings=settings)


if __name__ == "__main__":
    main()
