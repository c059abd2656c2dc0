"""Weights on disk as safetensors: numbers and names, never code."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from corrigible.errors import DataError, UnsupportedModelError
from corrigible.files import MOST_ROWS, read_bytes
from corrigible.folders import write_atomically
from corrigible.models.networks import network_of, own_names


def save_weights(model: nn.Module | Mapping[str, Tensor], path: str | Path) -> None:
    """Write the model's parameters and buffers to one safetensors file, completely or not at all.

    Raises:
        UnsupportedModelError: the model keeps something that is not a dense tensor.
        StudyError: the folder cannot be written to.
    """
    write_atomically(path, weights_as_bytes(model))


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Copy the file's weights into the model; if anything does not fit, the model is left unchanged.

    Raises:
        DataError: the file is missing or corrupt, or a name, shape or dtype differs; the first one is named.
    """
    path = Path(path)
    found = read_weights(path)
    _check(_tensors(model), found, path)
    network = network_of(model)
    network.load_state_dict(
        {name: found[own] for name, own in zip(network.state_dict(), own_names(model), strict=True)}
    )


def read_weights(path: Path) -> dict[str, Tensor]:
    """The file's weights by name.

    Raises:
        DataError: the file is missing or corrupt.
    """
    try:
        return load(read_bytes(path, most=MOST_ROWS))
    except OSError as error:
        raise DataError(f"cannot read weights {path} ({error.strerror}); expected a safetensors file") from error
    except (SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"weights {path} are corrupt ({error}); write or copy the file again") from error


def weights_as_bytes(model: nn.Module | Mapping[str, Tensor]) -> bytes:
    """The weights as the content of a safetensors file.

    Tied weights are written under each of their names, so that any reader finds every name.

    Raises:
        UnsupportedModelError: the model keeps something that is not a dense tensor.
    """
    # Copies, because safetensors refuses tensors that share memory or are not contiguous.
    copies = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in _tensors(model).items()
    }
    try:
        return save(copies)
    except (SafetensorError, KeyError, ValueError) as error:
        dtypes = ", ".join(sorted({str(tensor.dtype) for tensor in copies.values()}))
        raise UnsupportedModelError(f"safetensors cannot store these weights of {dtypes} ({error!r})") from error


def _tensors(model: nn.Module | Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = own_names(model) if isinstance(model, nn.Module) else dict(model)
    for name, value in found.items():
        if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized:
            kind = f"a {value.layout} tensor" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise UnsupportedModelError(f"weight {name!r} is {kind}; expected a dense tensor")
    return found


def _check(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    for name, tensor in expected.items():
        if name not in found:
            raise DataError(f"weights {path} lack {name!r} of shape {tuple(tensor.shape)}; they are of another model")
        for what, has, wants in (
            ("shape", tuple(found[name].shape), tuple(tensor.shape)),
            ("dtype", found[name].dtype, tensor.dtype),
        ):
            if has != wants:
                raise DataError(f"weights {path}: {name!r} has {what} {has}; the model expects {wants}")
    extra = next((name for name in found if name not in expected), None)
    if extra is not None:
        raise DataError(f"weights {path} hold {extra!r}, which the model lacks; they are of another model")
