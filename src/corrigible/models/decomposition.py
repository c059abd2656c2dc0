"""Murdoch, Liu and Yu 2018, Beyond word importance; Singh, Murdoch and Yu 2019, Hierarchical interpretations.

Contextual decomposition: every tensor of a pass is written as beta + gamma, where beta is the contribution of some
inputs and gamma all the rest. The pass runs unchanged; beta is computed along with it, and gamma is the difference.

* Linear functions apply to beta alone. A bias or constant that they add is divided in proportion to the sizes
  |W beta| : |W gamma| of each output (Singh et al., equation 5, and its proportional rule), so that beta = 0 stays 0.
* For elementwise functions, beta' averages what beta adds before and after gamma (Murdoch et al., equation 12):
  beta' = ½ [f(beta) - f(0)] + ½ [f(beta + gamma) - f(gamma)].
* Max-pooling takes beta at the place where beta + gamma is largest.

Functions are intercepted where PyTorch dispatches them, whoever calls them; functions that are not covered are refused.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_leaves, tree_map

from corrigible.errors import UnsupportedModelError
from corrigible.models.nonlinear import FUNCTIONS, LINEAR_NAMES, MAX_POOLS, called, is_of_one_tensor
from corrigible.outputs import class_logits

CONVOLUTIONS = tuple(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3))
ADDITIONS = (
    *("add", "add_", "__add__", "__radd__", "__iadd__"),
    *("sub", "sub_", "__sub__", "__isub__", "__rsub__", "rsub"),
)
DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout")
PRODUCTS = (
    *("mul", "multiply", "__mul__", "__rmul__", "div", "divide", "true_divide", "__truediv__"),
    *("matmul", "mm", "bmm", "__matmul__"),
)
"""Functions linear in one factor, or in the first of two, if the other does not depend on the inputs."""
EMPTY = ("zeros_like", "new_zeros")
UNDEFINED_OR_RANDOM = ("log", "sqrt", "pow", "rrelu")
"""Functions without a value for a negative part, or with new draws."""
ZERO_AT_ZERO = ("relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "silu", "gelu", "tanh", "abs", "square")
"""Functions with f(0) = 0."""


def contribution(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    part: Float[Tensor, " batch *input"],
    *,
    read: Any = class_logits,
) -> tuple[Float[Tensor, " batch output"], Float[Tensor, " batch output"]]:
    """The model's logits, or what ``read`` makes of its output, and the contribution of ``part`` of the input to them.

    Args:
        part: beta, of x's shape: e.g. ``x`` on the inputs of interest and 0 elsewhere.

    Raises:
        UnsupportedModelError: a function that the decomposition does not cover; the message names it.
    """
    followed = Decomposition(x, part)
    try:
        with torch.enable_grad(), followed:
            outputs = read(model(x.clone()))
    except TypeError as error:
        # PyTorch replaces a TypeError inside an operator by its own message that the operator is not defined.
        raise (followed.refusal or error) from None
    return outputs, followed.part_of(outputs)


class Decomposition(TorchFunctionMode):
    """A mode that tracks, for everything computed from the input, the contribution of its part."""

    def __init__(self, x: Tensor, part: Tensor) -> None:
        super().__init__()
        self.refusal: UnsupportedModelError | None = None
        # The tensors are kept too, because the id of a deleted tensor may be reused.
        self._parts: dict[int, tuple[Tensor, Tensor]] = {id(x): (x, part)}

    def part_of(self, tensor: Tensor) -> Tensor:
        """The tensor's part; UnsupportedModelError if it was not computed from the input by tracked functions."""
        if not self.has_part(tensor):
            raise UnsupportedModelError(
                "contextual decomposition cannot follow the input to the logits: some of the model's functions are not "
                "seen by PyTorch's dispatcher, such as compiled code; call them uncompiled, or choose right_reasons"
            )
        return self._parts[id(tensor)][1]

    def has_part(self, value: Any) -> bool:
        return isinstance(value, Tensor) and id(value) in self._parts

    def part_or(self, constant: Callable[[Tensor], Tensor], value: Any) -> Any:
        """The value's part if it is tracked; ``constant`` of any other tensor; what is not a tensor is unchanged."""
        if self.has_part(value):
            return self.part_of(value)
        return constant(value) if isinstance(value, Tensor) else value

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not any(self.has_part(value) for value in tree_leaves((args, kwargs))):
            return function(*args, **kwargs)
        try:
            found, parts = _RULES.get(function, _refused)(self, Ran(function, args, kwargs))
        except UnsupportedModelError as refusal:
            self.refusal = refusal
            raise
        for tensor, part in zip(_tensors(found), _tensors(parts), strict=True):
            self._parts[id(tensor)] = tensor, part
        return found


class Ran(NamedTuple):
    """A function and its arguments."""

    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]

    def again(self) -> Any:
        return self.function(*self.args, **self.kwargs)


Parted = tuple[Any, Any]
"""The result of a function, and the parts of the tensors in it."""
Rule = Callable[[Decomposition, Ran], Parted]


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


def _refused(mode: Decomposition, ran: Ran) -> Parted:
    """The result of functions that give only sizes or types; any other function without a rule is refused."""
    found = None if ran.function is Tensor.__setitem__ else ran.again()
    if found is not None and not _tensors(found):
        return found, ()
    raise _unsupported(ran.function)


def _unsupported(function: Callable[..., Any], why: str = "") -> UnsupportedModelError:
    name = getattr(function, "__name__", None) or resolve_name(function) or repr(function)
    return UnsupportedModelError(
        f"the model calls {name}{why}, which contextual decomposition does not cover; expected linear and "
        "convolutional layers, elementwise activations, pooling, dropout, sums and batch normalisation in eval mode: "
        "replace it, or choose another penalty, such as right_reasons"
    )


def _linear(mode: Decomposition, ran: Ran) -> Parted:
    """Linear functions without a constant; joined tensors that are not tracked have a part of 0."""
    part = partial(mode.part_or, torch.zeros_like)
    return ran.again(), ran.function(*tree_map(part, tuple(ran.args)), **tree_map(part, dict(ran.kwargs)))


def _product(mode: Decomposition, ran: Ran) -> Parted:
    followed = [mode.has_part(value) for value in ran.args]
    divides = "div" in ran.function.__name__ and not followed[0]
    if divides:
        raise _unsupported(ran.function, " by something that depends on the input")
    if sum(followed) != 1:
        raise _unsupported(ran.function, " on two values that both depend on the input")
    return ran.again(), ran.function(*[mode.part_or(lambda factor: factor, value) for value in ran.args], **ran.kwargs)


def _filled(mode: Decomposition, ran: Ran) -> Parted:
    """Functions that fill in constants."""
    x, places = ran.args[0], ran.args[1] if len(ran.args) > 1 else ran.kwargs["mask"]
    return ran.again(), mode.part_of(x).masked_fill(places, 0.0)


def _padded(mode: Decomposition, ran: Ran) -> Parted:
    given = inspect.signature(functional.pad).bind(*ran.args, **ran.kwargs).arguments
    part = functional.pad(mode.part_of(given["input"]), given["pad"], given.get("mode", "constant"))
    return ran.again(), part


def _weighted(mode: Decomposition, ran: Ran) -> Parted:
    """Linear layers and convolutions."""
    names = ("input", "weight", "bias")
    given = dict(zip(names, ran.args, strict=False)) | dict(ran.kwargs)
    x, weight, bias = given["input"], given["weight"], given.pop("bias", None)
    if not mode.has_part(x) or mode.has_part(weight):
        raise _unsupported(ran.function, " with weights that depend on the input")
    found = ran.again()
    rest = {name: value for name, value in given.items() if name not in names}
    part = ran.function(mode.part_of(x), weight, None, *ran.args[3:], **rest)
    if bias is None:
        return found, part
    offset = bias.reshape(-1, *[1] * (weight.ndim - 2))
    return found, part + offset * _share(part, found - offset - part)


def _share(part: Tensor, other: Tensor) -> Tensor:
    """The part's size divided by the sum of both sizes; 0 where both are 0."""
    total = part.abs() + other.abs()
    return part.abs() / total.masked_fill(total == 0, 1.0)


def _normalised(mode: Decomposition, ran: Ran) -> Parted:
    """Batch normalisation by running statistics: a scale and an offset per channel."""
    given = inspect.signature(functional.batch_norm).bind(*ran.args, **ran.kwargs)
    given.apply_defaults()
    x, mean, variance, weight, bias, is_training, _, eps = given.arguments.values()
    if is_training:
        raise _unsupported(ran.function, " with statistics of the batch")
    scaled = partial(functional.batch_norm, running_var=variance, weight=weight, training=False, eps=eps)
    part = scaled(mode.part_of(x), torch.zeros_like(mean))
    offset = scaled(torch.zeros_like(x[:1]), mean, bias=bias)
    found = ran.again()
    return found, part + offset * _share(part, found - offset - part)


def _added(mode: Decomposition, ran: Ran) -> Parted:
    """Sums and differences of two tracked values, or of one and a constant, which is divided like a bias."""
    values = (*ran.args, *ran.kwargs.values())
    if len(values) != 2:
        raise _unsupported(ran.function, " with a factor alpha")
    signs = _SIGNS[ran.function.__name__.strip("_")]
    pieces = [sign * mode.part_of(value) for sign, value in zip(signs, values, strict=True) if mode.has_part(value)]
    if len(pieces) == 2:
        return ran.again(), pieces[0] + pieces[1]
    # Taken before the function runs, which may overwrite it.
    (whole,) = [sign * value for sign, value in zip(signs, values, strict=True) if mode.has_part(value)]
    found = ran.again()
    return found, pieces[0] + (found - whole) * _share(pieces[0], whole - pieces[0])


_SIGNS = {"add": (1, 1), "radd": (1, 1), "iadd": (1, 1), "sub": (1, -1), "isub": (1, -1), "rsub": (-1, 1)}


def _elementwise(mode: Decomposition, ran: Ran) -> Parted:
    """Elementwise functions: the average of what the part adds before and after the rest."""
    if not is_of_one_tensor(FUNCTIONS[ran.function], ran.args, ran.kwargs):
        raise _unsupported(ran.function, " with a bound or exponent that is a tensor")
    x, call = called(FUNCTIONS[ran.function], ran.args, ran.kwargs)
    part, found = mode.part_of(x), call.on(call.x)
    nothing: Any = 0.0 if call.name in ZERO_AT_ZERO else call.on(torch.zeros_like(part))
    added = ((call.on(part) - nothing) + (found - call.on(call.x - part))) / 2
    return (found if x is call.x else x.copy_(found)), added


def _pooled(mode: Decomposition, ran: Ran) -> Parted:
    """Max-pooling: the part at the largest value of each window."""
    x, call = called(FUNCTIONS[ran.function], ran.args, ran.kwargs)
    found, places = call.on(x, return_indices=True)
    dimensions = int(call.name[-2])
    part = mode.part_of(x).flatten(-dimensions).gather(-1, places.flatten(-dimensions)).reshape(places.shape)
    return found, part


def _largest(mode: Decomposition, ran: Ran) -> Parted:
    """``max`` or ``amax`` over one axis; only the values are tracked, not their places."""
    given = inspect.signature(_max_arguments).bind(*ran.args, **ran.kwargs)
    given.apply_defaults()
    x, axis, keeps = given.arguments.values()
    if not isinstance(axis, int) or not isinstance(x, Tensor):
        raise _unsupported(ran.function, " of two tensors, or over other than one axis")
    part = mode.part_of(x).gather(axis, x.max(axis, keepdim=True).indices)
    found = ran.again()
    return found, (part if keeps else part.squeeze(axis), *[torch.zeros_like(i) for i in _tensors(found)[1:]])


def _max_arguments(input: Tensor, dim: Any = None, keepdim: bool = False) -> None: ...


def _dropped(mode: Decomposition, ran: Ran) -> Parted:
    """Dropout: the same draw for the whole and for the part."""
    scale = ran.function(torch.ones_like(ran.args[0]), *ran.args[1:], **ran.kwargs)
    return ran.args[0] * scale, mode.part_of(ran.args[0]) * scale


def _named(*names: str) -> list[Callable[..., Any]]:
    # "double" is also a type, besides the method.
    found = (getattr(holder, name, None) for name in names for holder in (torch, Tensor, functional))
    return [function for function in found if callable(function)]


def _rules() -> dict[Callable[..., Any], Rule]:
    linear = (function for function in _named(*LINEAR_NAMES, *EMPTY) if function not in _named("alpha_dropout"))
    found: dict[Callable[..., Any], Rule] = dict.fromkeys(linear, _linear)
    found |= {function: _elementwise for function, known in FUNCTIONS.items() if known.name not in UNDEFINED_OR_RANDOM}
    found |= {function: _pooled for function, known in FUNCTIONS.items() if known.name in MAX_POOLS}
    for rule, names in (
        (_weighted, ("linear", *CONVOLUTIONS)),
        (_normalised, ("batch_norm",)),
        (_added, ADDITIONS),
        (_product, PRODUCTS),
        (_dropped, DROPOUTS),
        (_padded, ("pad",)),
        (_filled, ("masked_fill",)),
        (_largest, ("max", "amax")),
    ):
        found |= dict.fromkeys(_named(*names), rule)
    return found


_RULES = _rules()
