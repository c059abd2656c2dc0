"""Weights come back as they were saved, or the file is refused in one line."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from corrigible.errors import CorrigibleError, DataError, StudyError, UnsupportedModelError
from corrigible.models.weights import load_weights, save_weights, weights_as_bytes


def network():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Linear(4, 4), nn.Linear(4, 4)
        self.out.weight = self.embed.weight
        self.register_buffer("view", self.embed.weight.detach()[1:3])


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype
        assert torch.equal(tensor, other[name])


def test_weights_and_buffers_come_back_bit_for_bit(tmp_path):
    model, other = network(), network()
    with torch.no_grad():
        model[1].running_mean[0] = torch.inf
    save_weights(model, tmp_path / "weights.safetensors")
    load_weights(other, tmp_path / "weights.safetensors")
    assert_same(model.state_dict(), other.state_dict())


@pytest.mark.parametrize("name", ["float64", "float16", "bfloat16", "int64", "bool", "complex64"])
def test_dtypes_come_back(tmp_path, name):
    dtype = getattr(torch, name)
    model, other = nn.Module(), nn.Module()
    model.register_buffer("a", torch.tensor([0, 1, 1]).to(dtype))
    other.register_buffer("a", torch.zeros(3, dtype=dtype))
    save_weights(model, tmp_path / "w")
    load_weights(other, tmp_path / "w")
    assert_same(model.state_dict(), other.state_dict())


def test_tied_weights_come_back_tied(tmp_path):
    model, other = Tied(), Tied()
    save_weights(model, tmp_path / "w")
    load_weights(other, tmp_path / "w")
    assert_same(model.state_dict(), other.state_dict())
    assert other.out.weight is other.embed.weight


def test_tensors_that_are_not_contiguous_are_saved(tmp_path):
    tensors = {"t": torch.arange(6.0).reshape(2, 3).T, "expanded": torch.ones(1).expand(4), "empty": torch.zeros(0, 2)}
    model = nn.Module()
    for name, tensor in tensors.items():
        model.register_buffer(name, torch.full(tensor.shape, 9.0))
    save_weights(tensors, tmp_path / "w")
    load_weights(model, tmp_path / "w")
    assert_same(model.state_dict(), tensors)


def test_saving_leaves_the_model_as_it_was():
    model = network()
    before = copy.deepcopy(model.state_dict())
    grads = [parameter.requires_grad for parameter in model.parameters()]
    weights_as_bytes(model)
    assert_same(model.state_dict(), before)
    assert [parameter.requires_grad for parameter in model.parameters()] == grads


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("0.bias"), r"lack '0.bias' of shape \(2,\)"),
        (lambda w: w.update(extra=torch.zeros(1)), "hold 'extra', which the model lacks"),
        (lambda w: w.update({"3.bias": torch.zeros(4)}), r"'3.bias' has shape \(4,\); the model expects \(3,\)"),
        (lambda w: w.update({"3.bias": w["3.bias"].double()}), "'3.bias' has dtype torch.float64; .* torch.float32"),
    ],
)
def test_weights_of_another_model_are_refused_and_change_nothing(tmp_path, change, message):
    model = network()
    before = copy.deepcopy(model.state_dict())
    weights = {name: tensor + 1 for name, tensor in before.items()}
    change(weights)
    save_file(weights, tmp_path / "w")
    with pytest.raises(DataError, match=message) as error:
        load_weights(model, tmp_path / "w")
    assert "\n" not in str(error.value)
    assert_same(model.state_dict(), before)


def test_every_truncation_is_refused(tmp_path):
    model = nn.Linear(2, 1)
    whole = weights_as_bytes(model)
    for length in range(len(whole)):
        (tmp_path / "w").write_bytes(whole[:length])
        with pytest.raises(DataError, match="corrupt"):
            load_weights(model, tmp_path / "w")


@settings(max_examples=50)
@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda rest: len(rest).to_bytes(8, "little") + rest))
def test_any_other_content_is_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any-content"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        load_weights(nn.Linear(2, 1), path)
    assert "\n" not in str(error.value)


def test_a_missing_file_or_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path / 'w'} .*No such file"):
        load_weights(network(), tmp_path / "w")
    with pytest.raises(StudyError, match=f"cannot write in {tmp_path / 'missing'}"):
        save_weights(network(), tmp_path / "missing" / "w")


class Remembering(nn.Linear):
    def get_extra_state(self):
        return {"seen": 3}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (Remembering(1, 1), "'_extra_state' is a dict"),
        ({"a": torch.eye(2).to_sparse()}, "'a' is a torch.sparse_coo tensor"),
        ({"a": torch.zeros(1, dtype=torch.complex128)}, "complex128"),
    ],
)
def test_what_safetensors_cannot_hold_is_refused(weights, message):
    with pytest.raises(UnsupportedModelError, match=message) as error:
        weights_as_bytes(weights)
    assert isinstance(error.value, CorrigibleError)
