"""Intercept the nonlinear functions that run in a model, and change how gradients pass back through them.

A function may be a layer, a call in ``forward``, in place, or shared by several places: all are intercepted where
PyTorch dispatches them. Only the backward pass changes, and only inside `replacing`; otherwise the gradient is the true
one, so that the rules themselves can be differentiated.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional
from torch.overrides import TorchFunctionMode, resolve_name

SMOOTH = (
    *("sigmoid", "tanh", "softplus", "silu", "gelu", "mish", "logsigmoid", "tanhshrink"),
    *("exp", "log", "sqrt", "square", "pow", "__pow__", "sin", "cos", "erf"),
)
KINKED = (
    *("relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "celu", "selu", "hardtanh", "hardswish", "hardsigmoid"),
    *("threshold", "hardshrink", "softshrink", "softsign", "abs", "clamp", "clamp_min", "clamp_max", "clip"),
)
"""Elementwise functions with a kink: a point where a derivative of some order does not exist."""
MAX_POOLS = tuple(f"{kind}max_pool{dimensions}d" for kind in ("", "adaptive_") for dimensions in (1, 2, 3))
LINEAR_NAMES = (
    *("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "batch_norm"),
    *("add", "add_", "__add__", "__radd__", "__iadd__", "sub", "sub_", "__sub__", "__rsub__", "__isub__", "neg"),
    *("sum", "mean", "cat", "stack", "avg_pool1d", "avg_pool2d", "avg_pool3d", "pad", "interpolate", "cumsum"),
    *("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "dropout", "dropout1d", "dropout2d"),
    *(
        "dropout3d",
        "alpha_dropout",
        "feature_dropout",
        "clone",
        "contiguous",
        "flatten",
        "unflatten",
        "reshape",
        "view",
    ),
    *("permute", "transpose", "t", "movedim", "squeeze", "unsqueeze", "expand", "repeat", "flip", "roll", "unfold"),
    *("chunk", "split", "unbind", "narrow", "select", "__getitem__", "to", "float", "double", "identity"),
)


class Call(NamedTuple):
    """One call of a nonlinear function of one tensor."""

    name: str
    function: Callable[..., Tensor]
    """The function, not in place."""
    x: Tensor
    """Its argument; a copy if the model overwrites it."""
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def on(self, x: Tensor, **more: Any) -> Any:
        """The function's result for another tensor, with the same other arguments."""
        return self.function(x, *self.args, **{**self.kwargs, **more})


Backward = Callable[[Tensor], Tensor]
"""Gradient with respect to a call's result -> gradient with respect to its argument."""
Rule = Callable[[Call], tuple[Tensor, Backward | None]]
"""-> the call's result, and how a gradient passes back through it; None for the true gradient."""


@runtime_checkable
class Watch(Protocol):
    """Looks at every call in a pass, before and after it runs."""

    def before(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None: ...

    def after(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], found: Any
    ) -> None: ...


class Nonlinearities(TorchFunctionMode):
    """A mode in which calls of nonlinear functions follow a rule.

    Args:
        watch: looks at every call, also of functions that the rule does not see.
    """

    def __init__(self, rule: Rule, watch: Watch | None = None) -> None:
        super().__init__()
        self.rule = rule
        self.watch = watch
        self.others: dict[str, None] = {}
        """Names of the functions that ran, are not linear, and did not follow the rule."""
        self._is_replacing = False

    @property
    def is_replacing(self) -> bool:
        return self._is_replacing

    @contextmanager
    def replacing(self) -> Iterator[None]:
        """A context in which gradients follow the rule."""
        self._is_replacing = True
        try:
            yield
        finally:
            self._is_replacing = False

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.watch is None:
            return self._called(function, args, kwargs)
        self.watch.before(args, kwargs)
        found = self._called(function, args, kwargs)
        self.watch.after(function, args, kwargs, found)
        return found

    def _called(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        known = FUNCTIONS.get(function)
        if known is None or not is_of_one_tensor(known, args, kwargs):
            return self._other(function, args, kwargs)
        x, call = called(known, args, kwargs)
        found, backward = self.rule(call)
        if backward is not None:
            found = _Replaced.apply(call.x, found, backward, self)
        return found if x is call.x else x.copy_(found)

    def _other(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        found = function(*args, **kwargs)
        results = found if isinstance(found, tuple | list) else (found,)
        if function not in _LINEAR and any(isinstance(part, Tensor) and part.requires_grad for part in results):
            self.others[resolve_name(function) or repr(function)] = None
        return found


class _Replaced(Function):
    """The rule's result; its gradient passes to the input by the rule, or to the true function's result."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, found: Tensor, backward: Backward, mode: Nonlinearities) -> Tensor:
        ctx.rule, ctx.mode = backward, mode
        return found.detach()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.mode.is_replacing:
            return ctx.rule(gradient), None, None, None
        return None, gradient, None, None


def is_replaced(node: Any) -> bool:
    """Whether this step of an autograd graph is a call that follows a rule; its first part is the call's argument."""
    return getattr(node, "_forward_cls", None) is _Replaced


class _Known(NamedTuple):
    name: str
    function: Callable[..., Any]
    is_in_place: bool
    inplace_at: int | None
    """The position of the argument ``inplace``."""


def called(known: _Known, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Tensor, Call]:
    rest, named = list(args), dict(kwargs)
    is_in_place = known.is_in_place or named.pop("inplace", False)
    if known.inplace_at is not None and len(rest) > known.inplace_at:
        is_in_place = rest.pop(known.inplace_at) or is_in_place
    x = rest.pop(0) if rest else named.pop("input")
    return x, Call(known.name, known.function, x.clone() if is_in_place else x, tuple(rest), named)


def is_of_one_tensor(known: _Known, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether only the first argument is an input: a slope may be a tensor too, but not an exponent or a bound."""
    count = sum(isinstance(value, Tensor) for value in (*args, *kwargs.values()))
    return isinstance(args[0] if args else kwargs.get("input"), Tensor) and (known.name == "prelu" or count == 1)


def _functions() -> dict[Callable[..., Any], _Known]:
    found: dict[Callable[..., Any], _Known] = {}
    for name in (*SMOOTH, *KINKED):
        for holder in (torch, Tensor, functional):
            function = getattr(holder, name, None)
            if function is not None:
                found[function] = _Known(name.strip("_"), function, False, _inplace_at(function))
            in_place = None if name.endswith("_") else getattr(holder, f"{name}_", None)
            if in_place is not None:
                found[in_place] = _Known(name, getattr(holder, name), True, None)
    for name in MAX_POOLS:
        function = getattr(functional, name)
        found[function] = _Known(name, function, False, None)
        if not name.startswith("adaptive"):  # PyTorch's adaptive pooling always gives indices too.
            found[getattr(torch, name)] = _Known(name, function, False, None)
    return found


def _inplace_at(function: Callable[..., Any]) -> int | None:
    if not inspect.isfunction(function):
        return None
    names = list(inspect.signature(function, follow_wrapped=False).parameters)
    return names.index("inplace") if "inplace" in names else None


FUNCTIONS = _functions()
_LINEAR = {
    getattr(holder, name) for name in LINEAR_NAMES for holder in (torch, Tensor, functional) if hasattr(holder, name)
}
