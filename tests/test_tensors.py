import pytest
import torch
from scipy.sparse import csr_matrix
from torch import nn

import corrigible
from corrigible.errors import DataError
from corrigible.tensors import is_half, unfit

X = torch.ones(4, 3)
Y = torch.tensor([0, 1, 0, 1])
UNFIT = {
    "sparse": (X.to_sparse(), r"sparse.*to_dense"),
    "complex": (X.to(torch.complex64), "complex.*view_as_real"),
    "meta": (X.to("meta"), "meta device"),
}


@pytest.mark.parametrize(("values", "words"), UNFIT.values(), ids=UNFIT)
def test_inputs_that_are_not_dense_and_real_are_refused_by_name(values, words):
    for door in (
        lambda: corrigible.explain(nn.Linear(3, 2), values, 0),
        lambda: corrigible.evaluate(nn.Linear(3, 2), (values, Y)),
    ):
        with pytest.raises(DataError, match=f"x is a .*{words}"):
            door()


def test_sparse_inputs_of_a_data_set_are_refused():
    with pytest.raises(DataError, match="x is a sparse tensor"):
        corrigible.evaluate(nn.Linear(3, 2), corrigible.TensorData(X.to_sparse(), Y))


def test_a_sparse_matrix_of_scipy_is_refused():
    with pytest.raises(DataError, match="toarray"):
        corrigible.explain(nn.Linear(3, 2), csr_matrix(X.numpy()), 0)


@pytest.mark.parametrize("x", [(X, X), [X, X], list(X)])
def test_several_tensors_are_not_taken_for_rows(x):
    with pytest.raises(DataError, match=r"tensors; expected one tensor: torch\.stack.*Joined"):
        corrigible.explain(nn.Linear(3, 2), x, 0)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_quantised_tensors_are_unfit():
    assert "dequantize" in unfit(torch.quantize_per_tensor(X, 0.1, 0, torch.qint8))


def test_dense_real_tensors_are_fit():
    assert unfit(X) is None
    assert unfit(X.half()) is None
    assert unfit(torch.ones(2, 3).t()) is None


def test_half_precision_is_less_than_single():
    assert is_half(torch.float16)
    assert is_half(torch.bfloat16)
    assert not is_half(torch.float32)
    assert not is_half(torch.float64)
    assert not is_half(torch.int8)
