"""What the digits benchmarks share: LeNet, 3,500 training digits, corner squares, the demo's settings."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from corrigible.data.dataset import TensorData
from corrigible.data.decoys import Planted, corner_squares
from corrigible.demos.digits_data import load
from corrigible.evaluation import evaluate
from corrigible.models import lenet, mlp
from corrigible.protocols.baselines.recipe_baseline import MaskedInputs
from corrigible.protocols.corrections.correction import Progress, correction
from corrigible.protocols.corrections.weight import WeightChoice
from corrigible.protocols.schedule import Schedule, run
from corrigible.types import Feedback

TRAIN = Schedule(epochs=12)
CORRECT = Schedule(epochs=24)
CLEAN = Schedule(epochs=TRAIN.epochs + CORRECT.epochs)
"""The reference without squares trains as many epochs in all as fooled and corrected model together."""


@dataclass(frozen=True)
class Digits:
    """One seed's digits with squares planted in these corners."""

    seed: int
    corners: tuple[int, ...] = (0, 1, 2, 3)
    one_per_row: bool = False

    @cached_property
    def clean_train(self) -> TensorData:
        return load("clean_train", seed=self.seed)

    @cached_property
    def clean_test(self) -> TensorData:
        return load("clean_test", seed=self.seed)

    @cached_property
    def train(self) -> Planted:
        return self._planted(self.clean_train, informative=True, draw=0)

    @cached_property
    def test(self) -> Planted:
        return self._planted(self.clean_test, informative=False, draw=2)

    @property
    def train_rows(self) -> TensorData:
        return replace(self.clean_train, x=self.train.x)

    @property
    def validation_rows(self) -> TensorData:
        """Validation digits with squares that predict the label: all that a user would have."""
        clean = load("clean_validation", seed=self.seed)
        return replace(clean, x=self._planted(clean, informative=True, draw=1).x)

    @property
    def test_rows(self) -> TensorData:
        """Test digits with squares of random grey."""
        return replace(self.clean_test, x=self.test.x)

    @property
    def test_feedback(self) -> list[Feedback]:
        """Where the squares of the test rows are: for measuring, never for training."""
        return [Feedback(mask.numpy(), row=row) for row, mask in enumerate(self.test.irrelevant)]

    def reviewed(self, num_rows: int) -> list[Feedback]:
        """Row scope: the squares of this many training rows, drawn by the seed; nested as the number grows."""
        rows = torch.randperm(len(self.train.x), generator=torch.Generator().manual_seed(self.seed))[:num_rows]
        return [Feedback(self.train.irrelevant[row].numpy(), row=row) for row in rows.tolist()]

    def _planted(self, clean: TensorData, *, informative: bool, draw: int) -> Planted:
        return corner_squares(
            clean.x,
            clean.y,
            informative=informative,
            corners=self.corners,
            one_per_row=self.one_per_row,
            seed=self.seed * 3 + draw,
        )


def fresh(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return lenet()


def fresh_mlp(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return mlp(28 * 28, 10)


def trained(model: nn.Module, data: TensorData, schedule: Schedule, seed: int) -> nn.Module:
    """The model, trained in place without feedback."""
    for _ in run(model, data, schedule, seed=seed):
        pass
    return model


def masked(data: TensorData, irrelevant: Tensor, network: nn.Module, seed: int) -> nn.Module:
    """Trained for as long as the clean reference with these inputs set to 0, in training and in use."""
    model = MaskedInputs(network, irrelevant.shape)
    model.hide(irrelevant)
    return trained(model, data, CLEAN, seed)


def finished(steps: Generator[Progress, None, nn.Module]) -> tuple[nn.Module, dict[str, float]]:
    """The corrected model and the weights that were chosen."""
    weights = {}
    while True:
        try:
            progress = next(steps)
        except StopIteration as end:
            return end.value, weights
        if isinstance(progress, WeightChoice):
            weights[progress.penalty] = progress.weight


def corrected(
    model: nn.Module,
    digits: Digits,
    feedback: Sequence[Feedback],
    *,
    weight: float | str = "auto",
    schedule: Schedule = CORRECT,
) -> tuple[nn.Module, float]:
    """The corrected model and its penalty's weight."""
    steps = correction(
        model,
        digits.train_rows,
        feedback,
        penalties={"right_reasons": weight},
        schedule=schedule,
        validation=digits.validation_rows,
        seed=digits.seed,
    )
    found, weights = finished(steps)
    return found, weights.get("right_reasons", weight)  # type: ignore[return-value]


METRICS = ("accuracy", "worst_class_accuracy", "flip_rate", "attribution_overlap")


def measured(
    model: nn.Module, digits: Digits, *, method: str = "input_gradient", metrics: Sequence[str] = METRICS
) -> dict[str, float]:
    """On the test rows with random squares."""
    found = evaluate(
        model,
        digits.test_rows,
        metrics=metrics,
        feedback=digits.test_feedback,
        method=method,
        num_resamples=0,
        seed=digits.seed,
    )
    return {m.metric: float("nan") if m.value is None else m.value for m in found}
