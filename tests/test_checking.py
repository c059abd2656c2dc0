"""The types of the package are checked while the tests run."""

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float, TypeCheckError
from torch import Tensor

from checking import checked
from corrigible.methods import settings_of
from corrigible.models.draws import row_normal
from corrigible.types import Columns


@checked
def outside(a: Float[Tensor, " row"], count: int = 1, *, other: Float[Tensor, " row"]) -> Float[Tensor, " row"]:
    return (a + other)[:count]


def inside(offset: Tensor) -> Callable[..., Tensor]:
    @checked
    def moved(a: Float[Tensor, " row"], count: int = 1, *, other: Float[Tensor, " row"]) -> Float[Tensor, " row"]:
        return (a + other + offset)[:count]

    return moved


@checked
def counted(a: Float[Tensor, " row"]) -> Iterator[int]:
    yield from range(len(a))


@checked
@dataclass(frozen=True)
class Pair:
    left: Float[Tensor, " row"]
    right: Float[Tensor, " row"]


def refused(call: Callable[..., object], *values: object, **settings: object) -> bool:
    try:
        call(*values, **settings)
    except (BeartypeCallHintViolation, TypeCheckError):
        return True
    return False


@pytest.mark.parametrize("function", [outside, inside(torch.zeros(1))])
def test_types_and_shapes_are_checked(function):
    two = torch.ones(2)
    assert refused(function, [1.0, 1.0], 2, other=two)
    assert refused(function, two.int(), 2, other=two)
    assert refused(function, torch.ones(2, 2), 2, other=two)
    assert refused(function, two, "2", other=two)
    assert refused(function, two, 2, other=None)
    assert refused(function, two, 1, other=two)  # returns one row
    assert refused(function, two, other=two)
    assert refused(function, two, 2, other=torch.ones(1))
    for size in (2, 3):
        assert function(torch.ones(size), count=size, other=torch.ones(size)).tolist() == [2.0] * size


def test_generators_and_fields_are_checked():
    assert list(counted(torch.ones(3))) == [0, 1, 2]
    assert refused(counted, torch.ones(3, 1))
    assert len(Pair(torch.ones(2), torch.zeros(2)).left) == 2
    assert refused(Pair, torch.ones(2), right=torch.ones(3))


def test_functions_inside_others_keep_what_is_theirs_for_as_long_as_they_live():
    first, second = torch.ones(1), 5 * torch.ones(1)
    moves = [inside(first), inside(second)]
    assert [move(torch.zeros(1), other=torch.zeros(1)).item() for move in moves] == [1, 5]
    kept = weakref.ref(first)
    del first, moves
    assert kept() is None
    assert list(settings_of(inside(second))) == list(settings_of(outside)) == ["other"]


def test_the_package_is_checked():
    assert refused(row_normal, torch.ones(2), (1,), seed=0, name="")
    assert refused(Columns, names=["age"], feature=("age",), one_hot=(False,))
