import pytest
import torch
from torch import nn

from corrigible.errors import DataError, UnsupportedModelError
from corrigible.models.remedies import remedies


def mixed_precision():
    nn.Linear(2, 2).double()(torch.ones(1, 2))


def made_in_inference_mode():
    with torch.inference_mode():
        layer = nn.Linear(2, 2)
    layer(torch.ones(1, 2, requires_grad=True))


def a_graph_in_a_copy():
    import copy

    layer = nn.Linear(2, 2)
    layer.kept = layer(torch.ones(1, 2))
    copy.deepcopy(layer)


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (mixed_precision, r"different precisions.*model\.float\(\)"),
        (made_in_inference_mode, "inference_mode"),
        (a_graph_in_a_copy, "keeps a tensor with a graph"),
    ],
)
def test_known_errors_of_pytorch_become_one_line(work, words):
    with pytest.raises(UnsupportedModelError, match=words) as refused, remedies():
        work()
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("error", [RuntimeError("anything else"), DataError("same dtype"), KeyError("same dtype")])
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as raised, remedies():
        raise error
    assert raised.value is error
