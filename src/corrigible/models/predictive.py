"""The prediction of a model that may take several passes: members of an ensemble, or draws of the weights."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from corrigible.errors import UnsupportedModelError
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.ensemble import Ensemble, is_ensemble
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.networks import network_of
from corrigible.models.packed import Packed
from corrigible.models.passes import passes_at_means, sampled_passes
from corrigible.models.temperature import TemperatureScaled
from corrigible.tasks import CLASSES
from corrigible.types import Task


class Predictive(NamedTuple):
    """What a model predicts for some rows.

    Of classes the uncertainty is split, in nats, as by Depeweg et al. 2018, Decomposition of uncertainty in Bayesian
    deep learning: entropy = aleatoric + mutual information. The second is 0 if all passes give the same probabilities,
    and grows where they contradict each other; more rows like these would lower it.
    """

    outputs: Float[Tensor, " batch output"]
    """The outputs whose prediction is the mean over the passes."""
    passes: Float[Tensor, " pass batch output"]
    task: Task = CLASSES

    @property
    def values(self) -> Float[Tensor, " batch value"]:
        """The mean prediction: probabilities of classes, or numbers in the unit of the labels."""
        return self.task.values(self.outputs)

    @property
    def spread(self) -> Float[Tensor, " batch value"]:
        """The standard deviation over the passes of each of these values."""
        return torch.stack([self.task.values(outputs) for outputs in self.passes]).std(dim=0, correction=0)

    @property
    def entropy(self) -> Float[Tensor, " batch"]:
        """The entropy of the mean probabilities of classes, in nats: all uncertainty there is."""
        return _entropy(self._log_probs.logsumexp(dim=0) - math.log(len(self.passes)))

    @property
    def aleatoric(self) -> Float[Tensor, " batch"]:
        """The mean entropy of the passes' probabilities, in nats: what each of them is uncertain about."""
        return _entropy(self._log_probs).mean(dim=0)

    @property
    def mutual_information(self) -> Float[Tensor, " batch"]:
        """How much the passes contradict each other, in nats: the information that labels hold about the weights."""
        return (self.entropy - self.aleatoric).clamp_min(0)

    @property
    def _log_probs(self) -> Float[Tensor, " pass batch num_classes"]:
        if self.task.logits is None:
            raise UnsupportedModelError(
                f"the task {self.task.name!r} has no probabilities of classes, and so no entropy; look at spread"
            )
        return torch.stack([log_softmax(self.task.logits(outputs), dim=1) for outputs in self.passes])


def predictive(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    *,
    task: Task = CLASSES,
    samples: int | None = None,
    seed: int = 0,
) -> Predictive:
    """The model's outputs for these rows, and those of each pass: of each member of an ensemble, of each sample.

    Each sample is one network for all rows: the weights of Bayesian layers are drawn, and dropout stays on. The rows
    may be divided into parts, and each part gives what all rows give. Without samples the modes of the model stay as
    the caller set them, and weights are at their means in eval mode; samples are taken in eval mode. Gradients are kept
    if the caller wants them.

    A network of classes of which only the last layer has a distribution (`variational_last_layer`) needs no samples: in
    eval mode its mean prediction is known in closed form, approximately (Lu, Ie and Sha 2020, mean-field), in one pass.
    How much samples contradict each other takes samples.

    Args:
        model: wrappers such as torch.compile change no draw.
        samples: how many networks are drawn; an ensemble has as many passes as members times samples.
        seed: settles the draws.

    Raises:
        UnsupportedModelError: an output that does not fit the task, an ensemble of another task, or samples of a model
            that draws nothing.
        ValueError: ``samples`` below 1.
    """
    network = network_of(model)
    require_same_task(network, task)
    if isinstance(network, TemperatureScaled):
        inside = predictive(network.network, x, task=task, samples=samples, seed=seed)
        return _of_passes(network.network, network.scaled(inside.passes), task)
    if samples is None:
        passes = passes_at_means(model, network, x, task)
    elif samples < 1:
        raise ValueError(f"samples is {samples}; expected at least 1")
    else:
        # Draws go by the names of layers, which wrappers around the network change.
        passes = sampled_passes(network, x, task, samples=samples, seed=seed)
    return _of_passes(network, passes, task)


def _of_passes(model: nn.Module, passes: Float[Tensor, " pass batch output"], task: Task) -> Predictive:
    if len(passes) == 1:
        return Predictive(passes[0], passes, task)
    return Predictive(model.combined(passes) if is_ensemble(model) else task.combined(passes), passes, task)


def _entropy(log_probs: Float[Tensor, " *rows num_classes"]) -> Float[Tensor, " *rows"]:
    return -torch.xlogy(log_probs.exp(), log_probs.exp()).sum(dim=-1)


def all_outputs(
    model: nn.Module, x: Float[Tensor, " row *input"], *, task: Task = CLASSES
) -> Float[Tensor, " row output"]:
    """The outputs for any number of rows, in eval mode and without gradients, on the CPU.

    Raises:
        UnsupportedModelError: as `predictive`.
    """
    with evaluating(model), torch.no_grad():
        size = rows_that_fit(model, like_parameters(x[:1], model))
        parts = [predictive(model, like_parameters(part, model), task=task).outputs.cpu() for part in x.split(size)]
    return torch.cat(parts)


def require_same_task(model: nn.Module, task: Task) -> None:
    """Raises UnsupportedModelError for an ensemble that was built for another task, or a temperature of no classes."""
    if isinstance(model, TemperatureScaled) and task.name != "classes":
        raise UnsupportedModelError(f"a temperature divides logits of classes; the task is {task.name!r}")
    if isinstance(model, Ensemble | Packed) and model.task.name != task.name:
        found = f"the ensemble has the task {model.task.name!r} and the data {task.name!r}"
        raise UnsupportedModelError(f"{found}; build it with that of the data: Ensemble(members, task=…)")
