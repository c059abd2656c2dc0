"""Run a model on boxes of inputs: every function that it calls gets a centre and a radius instead of a value.

Functions are intercepted where PyTorch dispatches them, so layers, functions, methods and residual sums are treated
alike. A function without a rule is refused, because without it the bounds would not hold.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from corrigible.errors import UnsupportedModelError
from corrigible.models.bounds.rules import FACTS, RULES, Call, NoRuleError
from corrigible.models.modes import evaluating, like_parameters
from corrigible.outputs import class_logits


def logit_bounds(
    model: nn.Module, low: Float[Tensor, " batch *input"], high: Float[Tensor, " batch *input"]
) -> tuple[Float[Tensor, " batch num_classes"], Float[Tensor, " batch num_classes"]]:
    """Lower and upper bounds of each logit over all inputs between ``low`` and ``high``.

    The model runs in eval mode; the cost is about two passes. The bounds are exact for one linear layer and become
    looser the deeper the model is. They carry gradients to the parameters.

    Raises:
        UnsupportedModelError: a function without a rule, which the message names, or a model that does not give logits.
    """
    low, high = like_parameters(low, model), like_parameters(high, model)
    # With a gradient, to distinguish results that no rule has seen from tensors that do not depend on the input.
    x = ((low + high) / 2).detach().requires_grad_()
    mode = _Intervals(x)
    with torch.enable_grad(), evaluating(model), mode, mode.naming_refusals():
        output = model(mode.begin((high - low).detach() / 2))
    if not isinstance(output, Tensor):
        return class_logits(output), class_logits(output)
    radius = mode.radius_of(output, "the model's output")
    radius = torch.zeros_like(output) if radius is None else radius
    return class_logits(output - radius), class_logits(output + radius)


class _Intervals(TorchFunctionMode):
    """A mode in which tensors that depend on the input have a radius."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.x = x
        self._radii: dict[int, tuple[Tensor, int, Tensor]] = {}
        """id -> the tensor, kept so that its id is not reused; its version; its radius."""
        self._refused: UnsupportedModelError | None = None

    def begin(self, radius: Tensor) -> Tensor:
        """The input to run the model on, with this radius."""
        x = self.x.clone()
        self._keep(x, radius)
        return x

    @contextmanager
    def naming_refusals(self) -> Iterator[None]:
        """A context that raises the original refusal, a TypeError, which operators would replace by their own."""
        try:
            yield
        except TypeError as error:
            raise self._refused or error from error
        if self._refused is not None:
            raise self._refused

    def radius_of(self, value: Any, user: str) -> Tensor | None:
        """The radius of the value; None if it does not depend on the input."""
        kept = self._radii.get(id(value))
        if kept is None:
            if _depends_on(value, self.x):
                raise self._refusal(f"a function that cannot be seen into, whose result goes into {user}")
            return None
        if value._version != kept[1]:
            raise self._refusal(f"a tensor that was overwritten before it went into {user}")
        return kept[2]

    def _keep(self, value: Any, radius: Any) -> None:
        if isinstance(value, Tensor):
            self._radii[id(value)] = (value, value._version, radius)
            return
        for each, its_radius in zip(value, radius, strict=True):
            self._keep(each, its_radius)

    def _refusal(self, what: str) -> UnsupportedModelError:
        self._refused = UnsupportedModelError(
            f"the model uses {what}, through which no bounds are known; use a model of linear layers, convolutions, "
            "pooling, batch normalisation and elementwise activations, or another penalty"
        )
        return self._refused

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not any(id(value) in self._radii for value in _tensors((*args, *kwargs.values()))):
            return function(*args, **kwargs)
        name = resolve_name(function) or repr(function)
        if name.rpartition(".")[2] in FACTS or (name.endswith("__get__") and function not in RULES):
            found = function(*args, **kwargs)
            if not isinstance(found, Tensor):
                return found
        if function not in RULES:
            raise self._refusal(name)
        rule, plain, is_in_place = RULES[function]
        radii = {id(value): self.radius_of(value, name) for value in _tensors((*args, *kwargs.values()))}
        call = Call(plain, args, kwargs, {key: radius for key, radius in radii.items() if radius is not None})
        first = call.first
        try:
            found, radius = rule(call)
        except NoRuleError as error:
            raise self._refusal(f"{name} {error}") from error
        found = first.copy_(found) if is_in_place or call.is_in_place else found
        self._keep(found, radius)
        return found


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _depends_on(value: Tensor, x: Tensor) -> bool:
    """Whether the value was computed from x, by a search through its graph."""
    waiting, seen = [value.grad_fn], set()
    while waiting:
        made_by = waiting.pop()
        if made_by is None or made_by in seen:
            continue
        if getattr(made_by, "variable", None) is x:
            return True
        seen.add(made_by)
        waiting += [before for before, _ in made_by.next_functions]
    return False
