"""Papernot, McDaniel, Wu, Jha and Swami 2016, Distillation as a defense to adversarial perturbations against deep
neural networks.

A comparison, not a recommendation: it flattens the gradients that an attacker follows more than it moves what the model
predicts.
"""

from collections.abc import Generator
from functools import partial
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from corrigible.data.dataset import as_dataset, require_classes
from corrigible.errors import RecipeError
from corrigible.losses import soft_targets
from corrigible.models.forward import Forward, Loss
from corrigible.models.fresh_weights import untrained
from corrigible.models.networks import trainable_network
from corrigible.protocols.schedule import Schedule, require_fit, run
from corrigible.protocols.teacher import network_says, with_teacher
from corrigible.training import Epoch
from corrigible.types import Batch


def distilling(
    model: nn.Module, data: Any, *, temperature: float = 20.0, schedule: Schedule, seed: int = 0
) -> Generator[Epoch, None, nn.Module]:
    """Train a teacher, then a student on its probabilities; yield each `Epoch` and return the student.

    Both have the given model's layers and fresh weights, and are trained with logits divided by the temperature. The
    returned student is used with undivided logits.

    Args:
        model: its layers are copied; it is left unchanged.
        temperature: above 0; the larger it is, the softer the teacher's labels.

    Raises:
        RecipeError: a temperature that is not above 0.
        DataError: data with one class only, or that the model cannot run on.
        TrainingDivergedError: the loss became NaN or infinite.
    """
    if not 0 < temperature < float("inf"):
        raise RecipeError(f"temperature is {temperature}; expected a number above 0")
    model, dataset = trainable_network(model), as_dataset(data)
    require_fit(model, dataset)
    require_classes(dataset)
    teacher = untrained(model, seed=seed).requires_grad_(True)
    student = untrained(model, seed=seed + 1).requires_grad_(True)
    yield from run(teacher, dataset, schedule, loss=divided(temperature), seed=seed)
    soft = partial(soft_targets, temperature=temperature, share=1.0)
    taught = with_teacher(dataset, network_says(teacher, dataset))
    yield from run(student, taught, schedule, loss=soft, seed=seed)
    return student


def divided(temperature: float) -> Loss:
    """Minus the label's log-probability, with logits divided by the temperature."""

    def loss(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
        log_probs = log_softmax(forward.logits / temperature, dim=1)
        return -log_probs.gather(1, batch.y[:, None])[:, 0]

    return loss
