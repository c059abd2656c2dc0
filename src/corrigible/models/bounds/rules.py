"""Rules that map a box of inputs, a centre and a radius for each number, through each function."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class NoRuleError(Exception):
    """A function has a rule, but not for these arguments."""


class Call:
    """One call of a function, with the radius of each tensor that depends on the input."""

    def __init__(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], radii: Mapping[int, Tensor]
    ) -> None:
        self.function = function
        self.named = {**dict(zip(_names(function), args, strict=False)), **kwargs}
        """The arguments by name, if the function's signature is known."""
        self.is_in_place = bool(self.named.get("inplace", False))
        self.args, self.kwargs = tuple(args), dict(kwargs)
        if self.is_in_place:
            self.args, self.kwargs = (), {**self.named, "inplace": False}
        self._radii = radii

    @property
    def first(self) -> Any:
        return self.args[0] if self.args else self.kwargs[self._first_name]

    @property
    def _first_name(self) -> str:
        return next(name for name in ("input", "tensors", "self") if name in self.kwargs)

    def given(self, *names: str) -> list[Any]:
        """The arguments of these names, whether given by position or by name; None for those not given."""
        found = dict(zip(names, self.args, strict=False)) | self.kwargs
        return [found.get(name) for name in names]

    def moves(self, value: Any) -> bool:
        return id(value) in self._radii

    def radius(self, value: Any) -> Any:
        """The radius of the value; 0 if it does not depend on the input."""
        if not isinstance(value, Tensor):
            return 0.0
        return self._radii[id(value)] if self.moves(value) else torch.zeros_like(value)

    def on(self, value: Any) -> Any:
        """The function's result with another first argument."""
        if self.args:
            return self.function(value, *self.args[1:], **self.kwargs)
        return self.function(**{**self.kwargs, self._first_name: value})

    def require_first_alone(self) -> None:
        others = (*self.args[1:], *(value for value in self.kwargs.values() if value is not self.first))
        if not self.moves(self.first) or any(self.moves(value) for value in others):
            raise NoRuleError("of several tensors that depend on the input")


Rule = Callable[[Call], tuple[Any, Any]]
"""-> the centre and the radius of the result."""


def _averaging(call: Call) -> tuple[Any, Any]:
    """Sums and rearrangements: no number enters with a minus sign, so the function also applies to the radius."""
    call.require_first_alone()
    return call.on(call.first), call.on(call.radius(call.first))


def _padded(call: Call) -> tuple[Tensor, Tensor]:
    call.require_first_alone()
    settings = {name: call.named[name] for name in ("pad", "mode") if name in call.named}
    return call.on(call.first), functional.pad(call.radius(call.first), **settings)


def _joined(call: Call) -> tuple[Tensor, Tensor]:
    return call.on(call.first), call.on([call.radius(value) for value in call.first])


def _weighted(call: Call) -> tuple[Tensor, Tensor]:
    """Linear layers and convolutions: each input adds its radius times the absolute weight."""
    x, weight, bias = call.given("input", "weight", "bias")
    if call.moves(weight) or call.moves(bias):
        raise NoRuleError("with weights that depend on the input")
    settings = {name: value for name, value in call.kwargs.items() if name not in ("input", "weight", "bias")}
    radius = call.function(call.radius(x), weight.abs(), None, *call.args[3:], **settings)
    return call.function(*call.args, **call.kwargs), radius


def _product(call: Call) -> tuple[Tensor, Tensor]:
    """Elementwise and matrix products with something that does not depend on the input."""
    first, second = _two(call)
    if call.moves(first) and call.moves(second):
        raise NoRuleError("of two tensors that depend on the input")
    pair = (call.radius(first), _size(second)) if call.moves(first) else (_size(first), call.radius(second))
    return call.function(first, second), call.function(*pair)


def _quotient(call: Call) -> tuple[Tensor, Tensor]:
    first, second = _two(call)
    if not call.moves(first) or call.moves(second):
        raise NoRuleError("by something that depends on the input")
    return call.function(first, second), call.radius(first) / _size(second)


def _sum(call: Call) -> tuple[Tensor, Tensor]:
    """Sums and differences of two values."""
    found = call.function(*call.args, **call.kwargs)
    first, second = call.given("input", "other")
    radius = call.radius(first) + abs(call.kwargs.get("alpha", 1)) * call.radius(second)
    return found, radius.expand(found.shape)


def _negative(call: Call) -> tuple[Tensor, Tensor]:
    return -call.first, call.radius(call.first)


def _normalised(call: Call) -> tuple[Tensor, Tensor]:
    """Batch normalisation by its running statistics: a factor for each channel."""
    if call.named.get("training") or call.named.get("running_var") is None:
        raise NoRuleError("with the statistics of the batch")
    scale = (call.named["running_var"] + call.named.get("eps", 1e-5)).rsqrt()
    weight = call.named.get("weight")
    scale = scale if weight is None else scale * weight.abs()
    radius = call.radius(call.first)
    found = call.function(*call.args, **call.kwargs)
    return found, radius * scale.reshape(1, -1, *[1] * (radius.ndim - 2))


def _resting(call: Call) -> tuple[Tensor, Tensor]:
    if call.named.get("training", True):
        raise NoRuleError("switched on in eval mode")
    return call.first, call.radius(call.first)


def _hidden(call: Call) -> tuple[Tensor, Tensor]:
    """Functions that replace some numbers by a constant."""
    x, mask, value = call.given("input", "mask", "value")
    if call.moves(mask) or call.moves(value):
        raise NoRuleError("by a mask or a value that depends on the input")
    return call.function(x, mask, value), call.radius(x).masked_fill(mask, 0.0)


def _chosen(call: Call) -> tuple[Tensor, Tensor]:
    condition, first, second = call.given("condition", "input", "other")
    if call.moves(condition) or condition.dtype != torch.bool:
        raise NoRuleError("by a condition that depends on the input, or comes second")
    return torch.where(condition, first, second), torch.where(condition, call.radius(first), call.radius(second))


def _rising(call: Call) -> tuple[Tensor, Tensor]:
    """Increasing functions: the ends of the interval map to the ends of the result's interval."""
    call.require_first_alone()
    if any(call.named.get(name, 1) < 0 for name in ("negative_slope", "alpha")):
        raise NoRuleError("with a slope below 0")
    x, radius = call.first, call.radius(call.first)
    low, high = call.on(x - radius), call.on(x + radius)
    if not isinstance(low, Tensor):
        raise NoRuleError("with the places of the maxima")
    return _between(low, high)


def _valley(at: float) -> Rule:
    """A function that falls until ``at`` and then rises: lowest at the point of the interval nearest to ``at``."""

    def rule(call: Call) -> tuple[Tensor, Tensor]:
        call.require_first_alone()
        if call.named.get("approximate", "none") != "none":
            raise NoRuleError("in another approximation")
        low, high = call.first - call.radius(call.first), call.first + call.radius(call.first)
        nearest = low.clamp_min(at).minimum(high)
        return _between(call.on(nearest), torch.maximum(call.on(low), call.on(high)))

    return rule


def _between(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    return (low + high) / 2, (high - low) / 2


def _two(call: Call) -> tuple[Any, Any]:
    if len(call.args) + len(call.kwargs) != 2:
        raise NoRuleError("with further arguments")
    first, second = call.given("input", "mat2" if "mat2" in call.kwargs else "other")
    return first, second


def _size(value: Any) -> Any:
    return value.abs() if isinstance(value, Tensor) else abs(value)


def _names(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function, follow_wrapped=False).parameters) if inspect.isfunction(function) else ()


AVERAGING = (
    *("sum", "mean", "cumsum", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d"),
    *("adaptive_avg_pool2d", "adaptive_avg_pool3d", "clone", "contiguous", "flatten", "unflatten", "reshape", "view"),
    *("permute", "transpose", "t", "movedim", "squeeze", "unsqueeze", "expand", "repeat", "flip", "roll", "unfold"),
    *("chunk", "split", "unbind", "narrow", "select", "__getitem__", "to", "float", "double", "ravel", "swapaxes"),
)
RISING = (
    *("relu", "relu6", "leaky_relu", "elu", "celu", "selu", "hardtanh", "sigmoid", "tanh", "softplus", "logsigmoid"),
    *("hardsigmoid", "softsign", "exp", "erf", "clamp", "clamp_min", "clamp_max", "clip", "amax", "amin"),
    *(f"{kind}max_pool{number}d" for kind in ("", "adaptive_") for number in (1, 2, 3)),
)
VALLEYS = {
    "silu": -1.278464542761074,
    "gelu": -0.7517915246935645,
    "mish": -1.1924312145154952,
    "hardswish": -1.5,
    "abs": 0.0,
    "square": 0.0,
}
"""The minima of functions that first fall and then rise."""
BY_NAME: Mapping[str, Rule] = {
    **dict.fromkeys(AVERAGING, _averaging),
    **dict.fromkeys(RISING, _rising),
    **{name: _valley(at) for name, at in VALLEYS.items()},
    **dict.fromkeys(("linear", *(f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3))), _weighted),
    **dict.fromkeys(
        ("mul", "multiply", "__mul__", "__rmul__", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm"), _product
    ),
    **dict.fromkeys(("div", "divide", "true_divide", "__truediv__", "__div__"), _quotient),
    **dict.fromkeys(("add", "__add__", "__radd__", "sub", "subtract", "__sub__", "__rsub__", "rsub"), _sum),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"), _resting),
    "neg": _negative,
    "__neg__": _negative,
    "cat": _joined,
    "concat": _joined,
    "stack": _joined,
    "pad": _padded,
    "batch_norm": _normalised,
    "masked_fill": _hidden,
    "where": _chosen,
}
FACTS = frozenset(
    ("size", "dim", "ndimension", "numel", "nelement", "stride", "is_floating_point", "is_complex", "is_contiguous")
) | {"__len__", "element_size", "get_device", "data_ptr", "storage_offset"}
"""Functions whose results do not depend on the tensor's values."""


class _Listed(NamedTuple):
    rule: Rule
    plain: Callable[..., Any]
    """The same function, not in place."""
    is_in_place: bool


def _listed() -> Iterator[tuple[Callable[..., Any], _Listed]]:
    for name, rule in BY_NAME.items():
        for holder in (torch, Tensor, functional):
            plain = getattr(holder, name, None)
            if plain is None:
                continue
            yield plain, _Listed(rule, plain, False)
            over = f"__i{name[2:]}" if name.startswith("__") else f"{name}_"
            if hasattr(holder, over) and rule is not _averaging:  # Functions of that rule change the shape.
                yield getattr(holder, over), _Listed(rule, plain, True)


RULES: Mapping[Callable[..., Any], _Listed] = dict(_listed())
