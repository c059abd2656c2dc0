"""Random numbers that belong to a row, not to its place in a batch; layers take them from the pass that runs.

A counter-based generator: each word of 64 bits is a hash (SplitMix64, Steele, Lea and Flood 2014) of the seed, a name,
the row's index and the word's position. Reordering, repeating or splitting rows changes no draw. The bits are the same
on any device; logarithm and cosine may round differently there.
"""

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import UnsupportedModelError

WORDS_AT_ONCE = 2**16
"""Words that are mixed together on a CPU, so that they stay in its cache; other devices mix all at once."""


def row_normal(
    index: Int[Tensor, " batch"],
    shape: tuple[int, ...],
    *,
    seed: int,
    name: str,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, " batch *shape"]:
    """Independent standard normal numbers for each row (Box and Muller 1958), on the index's device.

    Each word gives two numbers: 31 bits give the radius, 32 bits the angle. No number is larger than 6.67 in size; of
    true normal numbers 3 in 10¹¹ are. Another precision rounds the same draws. Another shape gives other draws.
    """
    num_sines = math.prod(shape) // 2
    num_cosines = math.prod(shape) - num_sines
    exact = dtype if dtype == torch.float64 else torch.float32
    found = torch.empty(len(index), num_cosines + num_sines, dtype=exact, device=index.device)
    for some, words in _words(index, num_cosines, f"{seed}/normal/{name}"):
        _box_muller(words, *found[some].split([num_cosines, num_sines], dim=1))
    return found.to(dtype).reshape(len(index), *shape)


def row_uniform(
    index: Int[Tensor, " batch"],
    shape: tuple[int, ...],
    *,
    seed: int,
    name: str,
    dtype: torch.dtype = torch.float64,
    start: int = 0,
) -> Float[Tensor, " batch *shape"]:
    """Independent numbers for each row, uniform between 0 and 1 without either, on the index's device.

    Args:
        dtype: of the result; it sets how fine the numbers are.
        start: position of the first draw; the draws are those that a longer shape would have from there on.
    """
    digits = -round(math.log2(torch.finfo(dtype).eps))
    found = torch.empty(len(index), math.prod(shape), dtype=dtype, device=index.device)
    for some, words in _words(index, math.prod(shape), f"{seed}/{name}", start):
        found[some] = _high(words, digits, words)
    return found.add_(0.5).mul_(2.0**-digits).reshape(len(index), *shape)


def coarse_row_normal(
    index: Int[Tensor, " batch"],
    shape: tuple[int, ...],
    *,
    seed: int,
    name: str,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, " batch *shape"]:
    """Independent normal numbers for each row of 65,536 different values, at less than half the cost of `row_normal`.

    The values are the means of as many equally likely parts of the normal distribution, scaled to variance 1. The
    largest is 4.4. Each word of the generator gives four numbers.
    """
    count = math.prod(shape)
    found = torch.empty(len(index), count, dtype=dtype, device=index.device)
    values = _normal_values(dtype, str(index.device))
    for some, words in _words(index, -(-count // 4), f"{seed}/coarse/{name}"):
        places = words.view(torch.int16)[:, :count].to(torch.int32).add_(2**15)
        torch.index_select(values, 0, places.flatten(), out=found[some].view(-1))
    return found.reshape(len(index), *shape)


@lru_cache(maxsize=8)
def _normal_values(dtype: torch.dtype, device: str) -> Float[Tensor, " value"]:
    """The means of 65,536 equally likely parts of the standard normal distribution, scaled to variance 1."""
    bounds = torch.special.ndtri(torch.linspace(0, 1, 2**16 + 1, dtype=torch.float64))
    density = torch.exp(-bounds.square() / 2) / math.sqrt(2 * math.pi)
    means = density.diff().neg_()
    return (means / means.square().mean().sqrt()).to(device, dtype)


@dataclass(frozen=True)
class PassDraws:
    """The source of a pass's random draws."""

    seed: int
    index: Callable[[], Int[Tensor, " batch"]]
    """Returns a number for each row that determines its draws; called when first needed."""
    moments: dict[Any, Callable[[], tuple[Tensor, Tensor]]] = field(default_factory=dict, compare=False)
    """For each layer that draws its activations, a function that returns their mean and variance."""

    def normal(self, name: str, shape: tuple[int, ...], *, like: Tensor) -> Float[Tensor, " batch *shape"]:
        return row_normal(self.index().to(like.device), shape, seed=self.seed, name=name, dtype=like.dtype)

    def coarse_normal(self, name: str, shape: tuple[int, ...], *, like: Tensor) -> Float[Tensor, " batch *shape"]:
        return coarse_row_normal(self.index().to(like.device), shape, seed=self.seed, name=name, dtype=like.dtype)

    def uniform(self, name: str, shape: tuple[int, ...], *, like: Tensor) -> Float[Tensor, " batch *shape"]:
        return row_uniform(self.index().to(like.device), shape, seed=self.seed, name=name, dtype=like.dtype)


_running: ContextVar[PassDraws | None] = ContextVar("running", default=None)


@dataclass
class Alike:
    """The source of draws outside of any pass, which are the same for all rows."""

    seed: int
    num_calls: int = 0
    """How often layers took draws from here."""


_outside: ContextVar[Alike | None] = ContextVar("outside", default=None)
"""None for PyTorch's global generator."""


@contextmanager
def drawing_from(draws: PassDraws) -> Iterator[None]:
    """A context in which layers that run in this thread take their draws from here."""
    token = _running.set(draws)
    try:
        yield
    finally:
        _running.reset(token)


@contextmanager
def drawing_alike(seed: int, *, anew: bool = False) -> Iterator[Alike]:
    """A context in which layers of this thread give all rows the same draws while no pass runs.

    Inside another such context the outer seed stays, unless draws are made ``anew``.
    """
    outer = _outside.get()
    source = Alike(seed) if outer is None or anew else outer
    token = _outside.set(source)
    try:
        yield source
    finally:
        _outside.reset(token)


def are_running(draws: PassDraws) -> bool:
    """Whether the pass with these draws is running in this thread."""
    return _running.get() is draws


def normal_like(
    activation: Float[Tensor, " batch *rest"], *, name: str, is_coarse: bool = False
) -> Float[Tensor, " batch *rest"]:
    """Standard normal draws for the rows of a layer, in the shape of the activation.

    A layer calls this while it runs. In a `Forward` pass the draws depend only on its seed, the name and the row.
    Outside of any pass all rows get the same draws while corrigible runs the model in eval mode, so that the order of
    rows changes nothing; anywhere else draws come from PyTorch's global generator, as in any layer. A layer that runs
    in another thread, or again during the backward pass, as with checkpointing, is outside of the pass.

    Args:
        name: of the draws; the same name gives the same draws in a pass, so each layer needs its own.
        is_coarse: whether draws in a pass have 65,536 different values (`coarse_row_normal`), which costs less.

    Raises:
        UnsupportedModelError: in a pass of another number of rows.
    """
    draws = _running.get()
    if draws is None:
        if (source := _outside.get()) is None:
            return torch.randn_like(activation)
        source.num_calls += 1
        return _same_for_all(source.seed, name, tuple(activation.shape[1:]), activation).expand_as(activation).clone()
    num_rows = len(draws.index())
    if len(activation) != num_rows:
        raise UnsupportedModelError(
            f"draws {name!r} are asked for {len(activation)} rows in a pass of {num_rows}; a layer that takes draws "
            "must be given one row for each row of the batch"
        )
    # Rules for nonlinear functions are about the model's own: they must not see how draws are made.
    with torch._C.DisableTorchFunction():
        draw = draws.coarse_normal if is_coarse else draws.normal
        return draw(name, tuple(activation.shape[1:]), like=activation)


def keep_moments(layer: Any, moments: Callable[[], tuple[Tensor, Tensor]]) -> None:
    """Let the pass that runs keep how the layer's activations are distributed, for `Forward.moments`.

    A layer calls this while it runs. Nothing is kept without gradients, or outside of a pass.
    """
    draws = _running.get()
    if draws is not None and torch.is_grad_enabled():
        draws.moments[layer] = moments


def shared_normal_like(parameter: Float[Tensor, " *shape"], *, name: str) -> Float[Tensor, " *shape"]:
    """Like `normal_like`, with the same draws for all rows: for a layer that perturbs its weights."""
    source = _running.get() or _outside.get()
    if source is None:
        return torch.randn_like(parameter)
    if isinstance(source, Alike):
        source.num_calls += 1
    return _same_for_all(source.seed, name, tuple(parameter.shape), parameter)


def _same_for_all(seed: int, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Draws of this shape, which belong to no row."""
    with torch._C.DisableTorchFunction():
        shared = PassDraws(seed, lambda: torch.zeros(1, dtype=torch.long))
        return shared.normal(f"shared/{name}", shape, like=like)[0]


def _words(
    index: Int[Tensor, " batch"], count: int, stream: str, start: int = 0
) -> Iterator[tuple[slice, Int[Tensor, " some count"]]]:
    """``count`` words of 64 random bits for each row, some rows at a time."""
    key = int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "little", signed=True)
    positions = torch.arange(start, start + count, device=index.device)
    rows, positions = _mixed(torch.cat([index.detach().long() ^ key, positions])).split([len(index), count])
    at_once = max(WORDS_AT_ONCE // max(count, 1), 1) if index.device.type == "cpu" else max(len(rows), 1)
    for first in range(0, len(rows), at_once):
        some = slice(first, first + at_once)
        yield some, _mixed(rows[some, None] + positions)


def _mixed(z: Int[Tensor, " *shape"]) -> Int[Tensor, " *shape"]:
    """SplitMix64's output function, in place; signed products and sums wrap as unsigned ones do."""
    z, scratch = z.add_(_signed(0x9E3779B97F4A7C15)), torch.empty_like(z)
    z.bitwise_xor_(_high(z, 34, scratch)).mul_(_signed(0xBF58476D1CE4E5B9))
    z.bitwise_xor_(_high(z, 37, scratch)).mul_(_signed(0x94D049BB133111EB))
    return z.bitwise_xor_(_high(z, 33, scratch))


def _high(z: Int[Tensor, " *shape"], digits: int, out: Int[Tensor, " *shape"] | None = None) -> Int[Tensor, " *shape"]:
    """The highest bits as a number: a shift of an unsigned word, which PyTorch lacks."""
    return torch.bitwise_right_shift(z, 64 - digits, out=out).bitwise_and_(2**digits - 1)


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word


def _box_muller(words: Int[Tensor, " batch word"], cosines: Tensor, sines: Tensor) -> None:
    """Two normal numbers from each word; where only one is wanted, the last word gives its cosine alone."""
    radius = _high(words, 31).to(cosines).add_(0.5).mul_(2.0**-31).log_().mul_(-2.0).sqrt_()
    angle = words.to(torch.int32).to(cosines).mul_(math.pi * 2.0**-31)
    torch.mul(angle.cos(), radius, out=cosines)
    torch.mul(angle.sin_()[:, : sines.shape[1]], radius[:, : sines.shape[1]], out=sines)
