"""The prediction of a model that may take several passes: members of an ensemble, or draws of the weights."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import linear, log_softmax

from corrigible.errors import UnsupportedModelError
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.bayes.drawing import weight_draw
from corrigible.models.bayes.dropping import Dropping, require_dropout_that_can_stay_on
from corrigible.models.draws import drawing_alike
from corrigible.models.ensemble import Ensemble, is_ensemble
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.packed import Packed
from corrigible.models.temperature import TemperatureScaled
from corrigible.outputs import require_each
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

    Args:
        samples: how many networks are drawn; an ensemble has as many passes as members times samples.
        seed: settles the draws.

    Raises:
        UnsupportedModelError: an output that does not fit the task, an ensemble of another task, or samples of a model
            that draws nothing.
        ValueError: ``samples`` below 1.
    """
    require_same_task(model, task)
    if isinstance(model, TemperatureScaled):
        inside = predictive(model.network, x, task=task, samples=samples, seed=seed)
        return _of_passes(model.network, model.scaled(inside.passes), task)
    if samples is None:
        passes = _passes(model, x, task)
    elif samples < 1:
        raise ValueError(f"samples is {samples}; expected at least 1")
    else:
        passes = _sampled(model, x, task, samples, seed)
    return _of_passes(model, passes, task)


def _of_passes(model: nn.Module, passes: Float[Tensor, " pass batch output"], task: Task) -> Predictive:
    return Predictive(passes[0] if len(passes) == 1 else _combined(model, passes, task), passes, task)


class _Passes(nn.Module):
    """All passes of a model, as a module of their own."""

    def __init__(self, model: nn.Module, task: Task) -> None:
        super().__init__()
        self.model, self.task = model, task

    def forward(self, x: Tensor) -> Float[Tensor, " pass batch output"]:
        return _passes(self.model, x, self.task)


def _passes(model: nn.Module, x: Tensor, task: Task) -> Float[Tensor, " pass batch output"]:
    if is_ensemble(model):
        return model.member_outputs(x)
    outputs = task.outputs(model(x))
    require_each(outputs, len(x))
    return outputs[None]


def _combined(model: nn.Module, passes: Float[Tensor, " pass batch output"], task: Task) -> Tensor:
    return model.combined(passes) if is_ensemble(model) else task.combined(passes)


def _sampled(model: nn.Module, x: Tensor, task: Task, samples: int, seed: int) -> Float[Tensor, " pass batch output"]:
    require_dropout_that_can_stay_on(model)
    found: list[Tensor] = []
    with evaluating(model), _only_layer_that_draws(model) as last:
        ran: nn.Module = _Passes(model, task).eval()
        for number in range(samples):
            drawn = weight_draw(model, number, seed=seed)
            if last.is_all:
                found.append(last.outputs(drawn, task)[None])
                continue
            # A layer of the user's own takes its draws from the second.
            with Dropping(number, seed) as dropping, drawing_alike(_seed_of(number, seed), anew=True) as alike:
                named = {f"model.{name}": weight for name, weight in drawn.items()}
                found.append(functional_call(ran, named, (x.clone(),)))
            if not drawn and not dropping.num_calls and not alike.num_calls:
                raise UnsupportedModelError(
                    f"samples is {samples}, and the model draws nothing: it has neither weights with a distribution "
                    "nor dropout; make a copy that has some, bayesian(model), or leave out samples"
                )
            last.is_all = not dropping.num_calls and not alike.num_calls and last.gives(found[0], task)
    return torch.cat(found)


@dataclass
class _Last:
    """A linear layer that may be the only one that draws and the last: then its inputs are the same in all samples."""

    name: str = ""
    layer: nn.Linear | None = None
    seen: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    """Its inputs and outputs whenever it ran."""
    is_all: bool = False

    def gives(self, passes: Float[Tensor, " pass batch output"], task: Task) -> bool:
        """Whether the model's outputs are those of this layer."""
        if self.layer is None or len(self.seen) != 1 or self.seen[0][0].ndim != 2:
            return False
        return torch.equal(task.outputs(self.seen[0][1])[None], passes)

    def outputs(self, drawn: Mapping[str, Tensor], task: Task) -> Float[Tensor, " batch output"]:
        """The model's outputs with the weights that were drawn."""
        assert self.layer is not None
        weight, bias = (drawn.get(f"{self.name}.{of}", getattr(self.layer, of)) for of in ("weight", "bias"))
        return task.outputs(linear(self.seen[0][0], weight, bias))


@contextmanager
def _only_layer_that_draws(model: nn.Module) -> Iterator[_Last]:
    owners = {name.rpartition(".")[0] for name in weight_draw(model, 0)}
    layer = model.get_submodule(owners.pop()) if len(owners) == 1 else None
    names = [name for name, module in model.named_modules() if module is layer and name]
    if not isinstance(layer, nn.Linear) or not names:
        yield _Last()
        return
    last = _Last(names[0], layer)
    hook = layer.register_forward_hook(lambda _, given, found: last.seen.append((given[0], found)))
    try:
        yield last
    finally:
        hook.remove()


def _seed_of(number: int, seed: int) -> int:
    return (seed * 1_000_003 + number) % 2**63


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
