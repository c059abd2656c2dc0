"""One forward pass, shared by everything that needs its activations or gradients."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from corrigible.errors import NoGradientError, UnsupportedModelError
from corrigible.models.centring import centred
from corrigible.models.convolution import TwiceDifferentiable
from corrigible.models.draws import PassDraws, are_running, drawing_from
from corrigible.models.modes import like_parameters
from corrigible.models.networks import hookable, require_differentiable
from corrigible.models.nonlinear import Nonlinearities
from corrigible.models.replaying import replacing_output
from corrigible.outputs import as_outputs, require_each
from corrigible.tasks import CLASSES
from corrigible.types import Batch, Task

Score = Callable[[Tensor, Tensor], Tensor]
"""(outputs, target) -> one number per row."""


class Forward:
    """A model's pass over some rows, run when a result is first needed.

    The rows must not influence each other (see ``frozen_norms``), so that the gradient of a sum over rows contains each
    row's own gradient.

    Args:
        model: gives outputs of shape (batch, output), or one per row; the batch's task says what they mean.
        batch: the rows; rows with the same ``index`` get the same random draws.
        seed: seed of the random draws.
        track_input: keep what gradients with respect to the input need.
        track_layers: keep what is needed to differentiate gradients with respect to layers' outputs again; by default
            as ``track_input``. This costs less than tracking the input.
        draws: returns numbers that identify the rows' draws instead of the batch's ``index``; called when first needed.
        nonlinearities: observes the nonlinear functions that run, and changes how gradients pass back through them.
    """

    def __init__(
        self,
        model: nn.Module,
        batch: Batch,
        *,
        seed: int = 0,
        track_input: bool = True,
        track_layers: bool | None = None,
        nonlinearities: Nonlinearities | None = None,
        draws: Callable[[], Int[Tensor, " batch"]] | None = None,
    ) -> None:
        self.model, self.batch = model, batch
        self.x: Tensor = like_parameters(batch.x.detach(), model).requires_grad_(track_input)
        self.seed = seed
        self._draws = PassDraws(seed, draws or (lambda: batch.index))
        self._target: Tensor | None = None
        self._outputs: Tensor | None = None
        self._logits: Tensor | None = None
        self._log_probs: Tensor | None = None
        self._activations: dict[str, tuple[Tensor, int]] = {}
        self._gradients: dict[Any, tuple[Tensor, Tensor]] = {}
        self._convolutions = TwiceDifferentiable()
        self._nonlinearities = nonlinearities or nullcontext()
        self._keeps_layers = True
        self._is_beside = False
        self._replacing: Callable[[], AbstractContextManager[None]] = nullcontext
        self._looks_in = track_input if track_layers is None else track_layers

    def unobserved(self) -> "Forward":
        """The same pass without observing its layers: it costs less, but offers no activations."""
        self._keeps_layers = False
        return self

    def given(self, outputs: Float[Tensor, " batch output"]) -> "Forward":
        """The same pass with these outputs in place of its own; it does not run, and offers no activations."""
        self._outputs = self.task.outputs(outputs)
        return self

    @property
    def num_rows(self) -> int:
        return len(self.x)

    # Not cached properties: before Python 3.12 these let one thread at a time run any pass.
    @property
    def task(self) -> Task:
        """What the outputs mean; classes if the batch does not say."""
        return self.batch.task or CLASSES

    @property
    def target(self) -> Int[Tensor, " batch"]:
        """The class of each row, whose score penalties look at; 0 for tasks whose labels are not one class per row."""
        if self._target is None:
            self._target = self.batch.y if self.task.logits else torch.zeros_like(self.batch.index)
        return self._target

    @property
    def labels(self) -> Int[Tensor, " batch"]:
        """The class of each row, whose logit is among the outputs.

        Raises:
            UnsupportedModelError: the outputs are not logits of classes.
        """
        if self.task.name != "classes":
            raise UnsupportedModelError(
                f"the outputs must be logits of classes, and the task is {self.task.name!r}; name another method"
            )
        return self.batch.y

    @property
    def outputs(self) -> Float[Tensor, " batch output"]:
        """The model's output, one column per number."""
        if self._outputs is None:
            self._outputs = self._run()
        return self._outputs

    @property
    def logits(self) -> Float[Tensor, " batch num_classes"]:
        """The model's output, as one logit per class.

        Raises:
            UnsupportedModelError: the task has no classes.
        """
        if self._logits is None:
            if self.task.logits is None:
                raise UnsupportedModelError(
                    f"the task {self.task.name!r} has no classes, as this method needs them; name another method"
                )
            self._logits = self.task.logits(self.outputs)
        return self._logits

    @property
    def log_probs(self) -> Float[Tensor, " batch num_classes"]:
        if self._log_probs is None:
            self._log_probs = log_softmax(self.logits, dim=1)
        return self._log_probs

    def _run(self) -> Float[Tensor, " batch output"]:
        with self._looking_in() if self._looks_in else nullcontext(), self._replacing():
            # Without gradients no activations are needed, and the outputs of all layers would fill the memory.
            kept = hookable(self.model) if self._keeps_layers and torch.is_grad_enabled() else ()
            hooks = [module.register_forward_hook(partial(self._keep, name)) for name, module in kept if name]
            try:
                # A copy if gradients are needed, because a model may change its input in place.
                entered = self.x.clone() if self.x.requires_grad else self.x
                self._convolutions.entered = entered if self._is_beside else None
                with drawing_from(self._draws):
                    found = (self.batch.task.outputs if self.batch.task else as_outputs)(self.model(entered))
            finally:
                self._convolutions.entered = None
                for hook in hooks:
                    hook.remove()
            require_each(found, len(entered))
            return found

    @contextmanager
    def _looking_in(self) -> Iterator[None]:
        """A context in which everything that runs can be differentiated twice."""
        with torch.enable_grad(), self._convolutions, self._nonlinearities:
            yield

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers that ran and gave a tensor, in the order in which they last finished."""
        _ = self.outputs
        return tuple(self._activations)

    def activation(self, layer: str) -> Tensor:
        """The output of the named layer in this pass (of its last call, if it was called several times).

        Raises:
            UnsupportedModelError: no such layer ran, or its output was overwritten in place afterwards.
        """
        value, version = self._kept(layer)
        if value._version != version:
            raise UnsupportedModelError(
                f"the output of layer {layer!r} is overwritten in place by the layer after it: "
                "build that layer with inplace=False, or name that layer instead"
            )
        return value

    def shape_of(self, layer: str) -> torch.Size:
        """The shape of the output of the named layer, whatever happened to it afterwards.

        Raises:
            UnsupportedModelError: no such layer ran.
        """
        return self._kept(layer)[0].shape

    def moments(self, layer: str) -> tuple[Tensor, Tensor]:
        """Mean and variance of the named layer's activations, before they are drawn (in its last call).

        Raises:
            UnsupportedModelError: no such layer ran, or its weights have no distribution.
        """
        _ = self.outputs
        found = self._draws.moments.get(dict(self.model.named_modules()).get(layer))
        if found is None:
            raise UnsupportedModelError(
                f"layer {layer!r} does not draw its activations; give its weights a distribution: bayesian(model)"
            )
        with self._looking_in() if self._looks_in else nullcontext():
            return found()

    def _kept(self, layer: str) -> tuple[Tensor, int]:
        _ = self.outputs
        if layer not in self._activations:
            raise UnsupportedModelError(f"no layer {layer!r} in this pass; it has {', '.join(self._activations)}")
        return self._activations[layer]

    def input_gradient(
        self, score: Score, target: Tensor, *, create_graph: bool = True
    ) -> Float[Tensor, " batch *input"]:
        """Gradient of the score with respect to the input, centred over the columns of each one-hot category.

        The columns of a category always sum to 1, so a constant added to the gradient of all of them has no effect on
        any valid row; centring makes the gradient unique.

        Raises:
            NoGradientError: the pass does not track its input.
        """
        if not self.x.requires_grad:
            raise NoGradientError(
                "this pass keeps no gradients with respect to its input; a penalty that takes them must declare "
                'it: @declared(looks_at="input")'
            )
        key = (score, id(target), create_graph)
        if key not in self._gradients:
            with torch.enable_grad():
                scores = score(self.outputs, target).sum()
                gradient = centred(self.gradient(scores, self.x, create_graph=create_graph), self.batch.columns)
            # The target is kept too, because the id of a deleted tensor may be reused.
            self._gradients[key] = target, gradient
        return self._gradients[key][1]

    def gradient(self, of: Tensor, wrt: Tensor, *, create_graph: bool = True) -> Tensor:
        """Gradient with respect to the input or an activation, zero if ``of`` does not depend on it.

        The graph is kept, so more gradients can be taken.
        """
        require_differentiable(self.model)
        if not of.requires_grad:
            return torch.zeros_like(wrt)
        with self._convolutions.inputs_only():
            (found,) = torch.autograd.grad(of, wrt, create_graph=create_graph, retain_graph=True, allow_unused=True)
        return torch.zeros_like(wrt) if found is None else found

    def normal(self, name: str, *shape: int) -> Float[Tensor, " batch *shape"]:
        """Standard normal draws that depend only on the seed, the name and the numbers that identify rows' draws."""
        return self._draws.normal(name, shape, like=self.x)

    def uniform(self, name: str, *shape: int) -> Float[Tensor, " batch *shape"]:
        """Like ``normal``, with numbers uniform between 0 and 1."""
        return self._draws.uniform(name, shape, like=self.x)

    def at(self, points: Float[Tensor, " point batch *input"]) -> "Forward":
        """A separate pass over other values of the same rows, with the same model, seed and draws per row.

        Its rows are those of the first point, then those of the next; they have labels, but no marks. Only its own
        ``gradient`` and ``input_gradient`` reach its input: in a backward pass to the parameters, convolutions skip it.
        """
        index, y = (torch.cat([values] * len(points)) for values in (self.batch.index, self.batch.y))
        extra = {name: torch.cat([values] * len(points)) for name, values in self.batch.extra.items()}
        batch = Batch(index, points.flatten(0, 1), y, extra=extra, columns=self.batch.columns, task=self.batch.task)
        beside = Forward(self.model, batch, seed=self.seed, draws=lambda: self._draws.index().repeat(len(points)))
        beside._is_beside = True
        return beside

    def replay(self, layer: str, value: Tensor) -> "Forward":
        """The same pass, going on from this value of the named layer's output in place of its own.

        It has the same input, rows and draws per row. Gradients reach the input, the parameters, and whatever the value
        was made of. All layers run again, and dropout drops anew.

        Raises:
            UnsupportedModelError: once a result is needed: there is no such layer, or it does not run once.
            DataError: likewise: the value has another shape, type or device than the layer's output.
        """
        again = Forward(self.model, self.batch, seed=self.seed, track_input=False, draws=self._draws.index)
        again.x, again._convolutions = self.x, self._convolutions
        again._looks_in, again._is_beside = self._looks_in, self._is_beside
        again._replacing = partial(replacing_output, self.model, layer, value, partial(are_running, again._draws))
        return again

    def _keep(self, name: str, module: nn.Module, arguments: Any, output: Any) -> None:
        # A pass of another thread over the same model calls this too.
        if isinstance(output, Tensor) and are_running(self._draws):
            self._activations.pop(name, None)  # The order is that of the last calls.
            self._activations[name] = (output, output._version)


Loss = Callable[[Forward, Batch], Tensor]
"""-> (batch,): one loss per row."""
Penalty = Callable[[Forward, Batch], Tensor]
"""-> scalar."""
Augment = Callable[[nn.Module, Batch, torch.Generator], Batch]
