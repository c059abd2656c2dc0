"""The types of the package are checked while the tests run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float, TypeCheckError
from torch import Tensor

from checking import checked
from corrigible.data.dataset import rows_of
from corrigible.models.draws import row_normal
from corrigible.types import Batch, Columns


@checked
def outside(a: Float[Tensor, " row"], count: int = 1, *, other: Float[Tensor, " row"]) -> Float[Tensor, " row"]:
    return (a + other)[:count]


@checked
def stacked(a: Float[Tensor, "row *rest"], b: Float[Tensor, "row *rest"] | Float[Tensor, "*rest row"]) -> None:
    pass


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


def test_types_and_shapes_are_checked():
    two = torch.ones(2)
    assert refused(outside, [1.0, 1.0], 2, other=two)
    assert refused(outside, two.int(), 2, other=two)
    assert refused(outside, torch.ones(2, 2), 2, other=two)
    assert refused(outside, two, "2", other=two)
    assert refused(outside, two, 2, other=None)
    assert refused(outside, two, 1, other=two)  # returns one row
    assert refused(outside, two, other=two)
    assert refused(outside, two, 2, other=torch.ones(1))
    for size in (2, 3):
        assert outside(torch.ones(size), count=size, other=torch.ones(size)).tolist() == [2.0] * size


def test_shapes_seen_before_are_compared_with_the_others_of_each_call():
    for _ in range(2):
        stacked(torch.ones(2, 3, 4), torch.ones(2, 3, 4))
        stacked(torch.ones(2, 3, 4), torch.ones(3, 4, 2))
        stacked(torch.ones(3), torch.ones(3))
        assert refused(stacked, torch.ones(2, 3, 4), torch.ones(2, 4, 3))
        assert refused(stacked, torch.ones(2, 3, 4), torch.ones(3, 3, 4))
        assert refused(stacked, torch.ones(2, 3, 4), torch.ones(2))
        assert refused(stacked, torch.ones(3), torch.ones(3).int())


def test_generators_and_fields_are_checked():
    assert list(counted(torch.ones(3))) == [0, 1, 2]
    assert refused(counted, torch.ones(3, 1))
    assert len(Pair(torch.ones(2), torch.zeros(2)).left) == 2
    assert refused(Pair, torch.ones(2), right=torch.ones(3))


def test_the_package_is_checked():
    assert refused(row_normal, torch.ones(2), (1,), seed=0, name="")
    assert refused(Columns, names=["age"], feature=("age",), one_hot=(False,))
    rows = {"index": torch.arange(2), "x": torch.ones(2, 3), "y": torch.ones(2)}
    assert Batch(**rows, columns=None).to("cpu").columns is None
    assert refused(Batch, **rows, columns="age")
    assert refused(Batch, **rows, group=torch.arange(3))
    assert refused(rows_of, 5, torch.arange(2))
