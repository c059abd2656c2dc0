"""How accuracy falls as attacks grow (Ross and Doshi-Velez 2018, Improving the adversarial robustness and
interpretability of deep neural networks by regularizing their input gradients).
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from corrigible.augment import ATTACKS
from corrigible.data.dataset import as_dataset, rows_of
from corrigible.data.protocol import Dataset
from corrigible.explanations.inputs import num_classes_of
from corrigible.methods import method_named, with_settings
from corrigible.models.draws import row_uniform
from corrigible.models.modes import device_of, evaluating, like_parameters
from corrigible.models.networks import network_of
from corrigible.outputs import class_logits
from corrigible.protocols.schedule import require_fit

ROWS_AT_ONCE = 256


def accuracy_under_attack(
    model: nn.Module,
    data: Any,
    epsilons: Sequence[float],
    *,
    attack: str = "fgsm",
    targeted: bool = False,
    seed: int = 0,
    **settings: Any,
) -> list[tuple[float, float]]:
    """Accuracy under attack, as pairs of attack size and share of all rows that the model still predicts correctly.

    The attack uses the model's gradients: a model that merely hides its gradients may fail under another attack.

    Args:
        data: ``(x, y)`` or a map-style data set.
        epsilons: the largest change of an input, in units of x.
        targeted: move each row towards a wrong class, drawn at random, instead of away from the label.
        settings: settings of the attack.

    Raises:
        RecipeError: an unknown attack or setting.
        DataError: data that the model cannot run on.
    """
    model, dataset = network_of(model), as_dataset(data)
    require_fit(model, dataset)
    method = with_settings(method_named(attack, ATTACKS, "attack"), settings, f"attack {attack!r}")
    return [(epsilon, _accuracy(model, dataset, method, epsilon, targeted, seed)) for epsilon in epsilons]


def _accuracy(model: nn.Module, dataset: Dataset, method: Any, epsilon: float, targeted: bool, seed: int) -> float:
    hits = 0
    for index in torch.arange(len(dataset)).split(ROWS_AT_ONCE):
        rows = rows_of(dataset, index)
        x, y = like_parameters(rows.x, model), rows.y.to(device_of(model))
        with evaluating(model):
            target = _wrong_class(index, y, num_classes_of(model, x[:1], len(dataset)), seed) if targeted else None
            moved = method(model, x, y, epsilon=epsilon, target=target) if epsilon else x
            with torch.no_grad():
                hits += int((class_logits(model(moved)).argmax(1) == y).sum())
    return hits / len(dataset)


def _wrong_class(index: Tensor, y: Int[Tensor, " batch"], num_classes: int, seed: int) -> Int[Tensor, " batch"]:
    drawn = row_uniform(index, (), seed=seed, name="attack_curve").to(y.device)
    further = 1 + (drawn * (num_classes - 1)).long().clamp_max(num_classes - 2)
    return (y + further) % num_classes
