"""The door for models: functions that take one find the network in it here, or refuse it in one line.

Wrappers change how a network is run (compiled, on several devices) or where its weights come from (averaged), and hide
its layers. So they are taken off: explanations see the layers, and weights have the network's own names.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed, nn
from torch.nn.parameter import is_lazy
from torch.optim.swa_utils import AveragedModel

from corrigible.errors import UnsupportedModelError
from corrigible.models.remedies import remedies
from corrigible.models.turns import TURN

Model = TypeVar("Model")

_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)
_FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType)
_COMPILED = "_orig_mod"
"""The name that torch.compile gives the network inside."""
EXPECTED = "expected a PyTorch network, a torch.nn.Module"


def network_of(model: Model) -> Model:
    """The network itself, without wrappers around it: torch.compile, DataParallel and the like, in any nesting.

    Raises:
        UnsupportedModelError: it is no network, or its parameters have no values yet.
    """
    if not isinstance(model, nn.Module):
        raise UnsupportedModelError(f"the model is {described_model(model)}; {EXPECTED}{_hint(model)}")
    network: nn.Module = model
    while name := _inside(network):
        network = network.get_submodule(name)
    for name, value in (*network.named_parameters(), *network.named_buffers()):
        if problem := _without_values(value):
            raise UnsupportedModelError(f"weight {name!r} {problem}")
    return cast(Model, network)


def trainable_network(model: Model) -> Model:
    """Like `network_of`, for training.

    Raises:
        UnsupportedModelError: part of the network is a TorchScript program or was calibrated, or it is trained by
            several processes.
    """
    from corrigible.models.temperature import TemperatureScaled  # Here, because that module needs this one.

    if isinstance(model, nn.parallel.DistributedDataParallel) and distributed.get_world_size(model.process_group) > 1:
        raise UnsupportedModelError(
            "the model is shared by several processes, whose gradients would not be exchanged here; train the network "
            "inside, model.module, in one process"
        )
    network: Any = network_of(model)
    programs = [name for name, module in network.named_modules() if isinstance(module, torch.jit.ScriptModule)]
    if programs:
        part = f"layer {programs[0]!r}" if programs[0] else "the model"
        raise UnsupportedModelError(
            f"{part} is a TorchScript program (scripted or traced), which cannot be trained here; give the original "
            "network, and script or trace the result"
        )
    scaled = [name for name, module in network.named_modules() if isinstance(module, TemperatureScaled)]
    if scaled:
        inside = ".".join(filter(None, ("model", scaled[0], "network")))
        raise UnsupportedModelError(
            f"{f'layer {scaled[0]!r}' if scaled[0] else 'the model'} divides logits by a temperature, which would no "
            f"longer fit the changed network; give the network inside, {inside}, and calibrate the result last"
        )
    return cast(Model, network)


def copied(model: Model) -> Model:
    """A copy that shares nothing with the network.

    Raises:
        UnsupportedModelError: the network holds something that cannot be copied.
    """
    with TURN, remedies():  # While no other thread has it in another mode, or observes its layers.
        return copy.deepcopy(model)


def hookable(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules that take hooks, with their names: all but TorchScript programs."""
    return ((name, module) for name, module in model.named_modules() if not isinstance(module, torch.jit.ScriptModule))


def require_differentiable(model: nn.Module) -> None:
    """Raises UnsupportedModelError for quantised layers, through which PyTorch passes gradients of 0 or wrong ones."""
    for name, module in model.named_modules():
        home = type(module).__module__
        if home.startswith("torch.ao.nn.") and ".quantized." in home:
            raise UnsupportedModelError(
                f"layer {name!r} is quantised and has no gradient; choose a method that only looks at scores, such as "
                "kernel_shap or occlusion, or give the network before it was quantised"
            )


def is_compiled(model: nn.Module) -> bool:
    """Whether torch.compile was called on a part of the model."""
    return any(_COMPILED in module._modules or module._compiled_call_impl is not None for module in model.modules())


def own_names(model: nn.Module) -> dict[str, Tensor]:
    """The network's parameters and buffers by their own names, which wrappers around any part leave unchanged."""
    network = network_of(model)
    within = {
        f"{name}.{inner}.": f"{name}."
        for name, module in network.named_modules(remove_duplicate=False)
        if (inner := _inside(module))
    }

    def own(name: str) -> str:
        for prefix in sorted(within, key=len, reverse=True):  # The innermost first: their prefixes hold the others'.
            name = within[prefix] + name[len(prefix) :] if name.startswith(prefix) else name
        return name

    return {own(name): value for name, value in network.state_dict().items()}


def described_model(model: object) -> str:
    """What was given in place of a network, in words."""
    if isinstance(model, type):
        return f"the class {model.__name__}"
    if isinstance(model, _FUNCTIONS):
        return f"the function {getattr(model, '__qualname__', 'given')}"
    library = type(model).__module__.partition(".")[0]
    return f"of type {type(model).__name__}" + ("" if library in ("builtins", "__main__") else f" from {library}")


def plain_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself, if torch.compile was called on it."""
    original = getattr(function, "_torchdynamo_orig_callable", function)
    assert callable(original)
    return original


def _inside(module: nn.Module) -> str | None:
    """The name of the network inside a wrapper; None for any other module."""
    if _COMPILED in module._modules:
        return _COMPILED
    return "module" if isinstance(module, _WRAPPERS) else None


def _without_values(value: Tensor) -> str | None:
    """Why the tensor holds no values of its own, and what to do; None if it does."""
    if is_lazy(value):
        return "has no shape yet (a lazy layer); run the model on a few rows first: model(x[:2])"
    if value.is_meta:
        return "is on the meta device and has no values; load them: model.to_empty(device='cpu'), then load_state_dict"
    if hasattr(value, "full_tensor"):
        return "is divided between several processes; give a network whose weights are in one place"
    return None


def _hint(model: object) -> str:
    """What to give instead."""
    if isinstance(model, type) and issubclass(model, nn.Module):
        return f": build it first, {model.__name__}(…)"
    if isinstance(model, Mapping):
        return ": build the network and load these weights with load_state_dict"
    if isinstance(model, torch.export.ExportedProgram):
        return ": give the original network, which was exported"
    attributes = getattr(model, "__dict__", {}).items()
    inside = [name for name, value in attributes if isinstance(value, nn.Module) and not name.startswith("_")]
    return f": its attribute {inside[0]!r} is one" if inside else ""
