"""The Python of the README, on plain arrays, a data set of one's own, a frame and groups."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

import corrigible

METRICS = ["accuracy", "worst_group_accuracy", "attribution_overlap", "flip_rate"]


class Network(nn.Module):
    """A user's own, with what is easily disturbed: BatchNorm, dropout and a layer in another mode."""

    def __init__(self, inputs: int = 64) -> None:
        super().__init__()
        self.inside = nn.Linear(inputs, 8)
        self.norm = nn.BatchNorm1d(8)
        self.dropout = nn.Dropout(0.2)
        self.out = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.dropout(torch.relu(self.norm(self.inside(x.flatten(1))))))


class Rows(Dataset[tuple[Any, ...]]):
    """A map-style data set that offers nothing more."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return len(self.parts[0])

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        return tuple(part[row] for part in self.parts)


def rows(num_rows: int) -> tuple[Any, Any, Any]:
    """Images whose corner gives the class away, and a group."""
    rng = np.random.default_rng(num_rows)
    y = np.arange(num_rows) % 2
    x = rng.random((num_rows, 1, 8, 8), dtype=np.float32)
    x[:, :, :2, :2] = y[:, None, None, None]
    return x, y, np.arange(num_rows) % 3


def as_given(kind: str, x: Any, y: Any, group: Any) -> Any:
    if kind == "arrays":
        return x, y, group
    if kind == "tensors":
        return torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(group)
    return Rows(x, y, group)


@pytest.mark.parametrize("kind", ["arrays", "tensors", "map-style"])
def test_the_loop_in_python(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(5)
    model = Network().train()
    model.norm.eval()
    before, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    x, y, group = rows(60)
    dataset, test_set = as_given(kind, x, y, group), as_given(kind, *rows(30))
    target = torch.from_numpy(y)
    mask = np.zeros((1, 8, 8), dtype=bool)
    mask[:, :2, :2] = True
    test_feedback = [corrigible.Feedback(region=mask, polarity="irrelevant", scope="dataset")]
    random_state, numpy_state = torch.random.get_rng_state(), np.random.get_state()[1].copy()

    attribution = corrigible.explain(model, x, target, method="integrated_gradients", steps=64)
    feedback = [corrigible.Feedback(region=mask, polarity="irrelevant", row=17, scope="row")]
    corrected = corrigible.correct(model, dataset, feedback, seed=0, epochs=2)
    measured = corrigible.evaluate(corrected, test_set, metrics=METRICS, feedback=test_feedback)
    corrigible.seal(corrected, tmp_path / "sealed", evidence=measured)
    assert corrigible.verify(tmp_path / "sealed").ok

    assert attribution.shape == x.shape
    assert [found.metric for found in measured] == METRICS
    assert all(found.value is not None and found.count == 30 for found in measured)
    assert isinstance(corrected, Network)
    assert corrected is not model
    assert any(not torch.equal(value, before[name]) for name, value in corrected.state_dict().items())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert [module.training for module in corrected.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.random.get_rng_state(), random_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)
    assert capfd.readouterr() == ("", "")


def test_a_correction_with_a_weight_given_repeats_bit_for_bit() -> None:
    x, y, _ = rows(40)
    model = Network()
    feedback = [corrigible.Feedback(region=np.eye(8) > 0, row=row) for row in (3, 4)]

    def weights(seed: int) -> dict[str, Tensor]:
        penalties = {"right_reasons": 10.0}
        return corrigible.correct(model, (x, y), feedback, penalties=penalties, epochs=2, seed=seed).state_dict()

    first, second, third = weights(1), weights(1), weights(2)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], third[name]) for name in first)


def test_features_of_a_frame_are_marked_by_name() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = pd.DataFrame({"age": rng.normal(size=60), "site": y + 0.1 * rng.normal(size=60), "dose": rng.normal(size=60)})
    feedback = [
        corrigible.Feedback("site", scope="dataset"),
        corrigible.Feedback(("age", "dose"), row=3, polarity="relevant"),
    ]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    penalties = {"right_reasons": 10.0}
    corrected = corrigible.correct(model, (x, y), feedback, penalties=penalties, epochs=60, learning_rate=0.01)
    plain = corrigible.correct(model, (x, y), feedback, penalties={}, epochs=60, learning_rate=0.01)
    was, now = (
        corrigible.evaluate(trained, (x, y), metrics=["attribution_overlap"], feedback=feedback)[0].value
        for trained in (plain, corrected)
    )
    assert was is not None
    assert now is not None
    assert now < was
    with pytest.raises(corrigible.CorrigibleError, match="did you mean 'site'"):
        corrigible.correct(model, (x, y), [corrigible.Feedback("sites", scope="dataset")])
