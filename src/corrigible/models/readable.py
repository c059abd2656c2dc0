"""Check that a model gives what its task reads: logits, not probabilities; the logarithm of a mean, not the mean.

Probabilities read as logits give a model that is never sure and, with one column, never predicts class 0; nothing else
would say so. Two things are looked at: the last step that ran in the model, and the outputs themselves. Rows of
log-probabilities are logits already, because softmax(log p) = p.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from corrigible.errors import UnsupportedModelError
from corrigible.models.ensemble import Ensemble
from corrigible.models.modes import PrivateRandomness, evaluating, like_parameters
from corrigible.models.own_outputs import weights_now
from corrigible.outputs import as_outputs
from corrigible.types import Task

CHANCES = (
    *("softmax", "softmin", "gumbel_softmax", "hardsigmoid", "sigmoid", "sigmoid_"),
    *("special_expit", "special_softmax", "special_ndtr"),
)
"""Functions of PyTorch that give probabilities."""
POSITIVE = ("exp", "exp_", "exp2", "special_exp2", "softplus")
UNREADABLE: Mapping[str, tuple[str, ...]] = {"logits": CHANCES, "logarithms": (*CHANCES, *POSITIVE)}
"""The last steps of a model that do not give what a task reads."""
KEEPS = (
    *("squeeze", "unsqueeze", "view", "reshape", "flatten", "unflatten", "__getitem__", "select", "narrow", "expand"),
    *("permute", "transpose", "t", "movedim", "__get__", "contiguous", "clone", "detach", "cat", "concat", "stack"),
    *("to", "float", "double", "half", "bfloat16", "clamp", "clamp_", "clip", "clamp_min", "clamp_max", "mean"),
    *("__rsub__", "rsub", "hstack", "column_stack", "nan_to_num"),
)
"""Functions after which probabilities are probabilities and means are means; ``1 - p`` among them."""
AWAY = 5e-3
"""How far a row of probabilities in half precision may sum from 1."""
FORMS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "every row lies between 0 and 1 and sums to 1": lambda outputs: outputs,
    "every row lies between 0 and 100 and sums to 100": lambda outputs: outputs / 100,
    "every row is minus the logarithms of probabilities": lambda outputs: (-outputs).exp(),
    "every row is the logarithms of probabilities to base 10": lambda outputs: 10**outputs,
}
"""How rows of outputs show that they are made of probabilities. Natural logarithms are logits."""
SURE = 0.99
LEAST_ROWS = 8
CLEARLY = 0.05
"""How much smaller than of logits and of a constant guess the mean loss must be before outputs look like chances."""
MOST_ROWS, ROWS_AT_ONCE = 32, 16

_CHECKED: "WeakKeyDictionary[nn.Module, Hashable]" = WeakKeyDictionary()
"""Each model that passed, with the weights, the number of rows and the task that it passed with."""


def require_readable(
    model: nn.Module, x: Float[Tensor, " batch *input"], task: Task, *, rows_at_once: int = ROWS_AT_ONCE
) -> None:
    """Check on these rows that the model does not give probabilities where the task reads logits, and the like.

    Raises:
        UnsupportedModelError: the last step of the model gives probabilities, or means; or every row is one of
            probabilities.
    """
    if task.reads == "numbers":
        return
    now = weights_now(model), min(len(x), MOST_ROWS), task.name
    if _CHECKED.get(model) == now:
        return
    for each in model.members if isinstance(model, Ensemble) else (model,):
        with PrivateRandomness(0), evaluating(each), torch.no_grad():
            _check(each, x[:MOST_ROWS].split(min(rows_at_once, ROWS_AT_ONCE)), task)
    _CHECKED[model] = now


def _check(model: nn.Module, parts: Sequence[Tensor], task: Task) -> None:
    steps = _LastSteps()
    with steps:
        outputs = as_outputs(model(like_parameters(parts[0], model).clone()))
    name = steps.name_of(outputs)
    if name in UNREADABLE[task.reads]:
        raise _unreadable(f"its last step is {name.strip('_')}", task)
    others = [as_outputs(model(like_parameters(part, model).clone())) for part in parts[1:]]
    require_no_probabilities(torch.cat([outputs, *others]), task)


def require_no_probabilities(outputs: Float[Tensor, " batch output"], task: Task) -> None:
    """Raises UnsupportedModelError for outputs of several classes that are probabilities in every row."""
    if task.name != "classes" or len(outputs) < 2 or outputs.shape[1] < 2:
        return
    found = outputs.detach().double()
    if bool((found == found[0]).all()):
        return
    for why, shares in FORMS.items():
        each = shares(found)
        # A row such as (0, 9) of a network that ends in a ReLU is no pair of logarithms: some row must be unsure.
        is_telling = each is found or bool((each.amax(dim=1) < SURE).any())
        is_share = bool(((each >= 0) & (each <= 1 + AWAY)).all())
        if is_telling and is_share and bool(((each.sum(dim=1) - 1).abs() <= AWAY).all()):
            raise _unreadable(why, task)


def doubt_of(outputs: Float[Tensor, " batch output"], y: Tensor, extra: Mapping[str, Tensor], task: Task) -> str:
    """What to say of outputs between 0 and 1 that tell the labels as probabilities; empty if there is nothing.

    A single column does not have to sum to 1, and logits may lie between 0 and 1 by chance: that alone is no sign.
    """
    if task.name == "classes" and outputs.shape[1] == 2 and bool((outputs[:, 0] == 0).all()):
        outputs = outputs[:, 1:]  # A single logit, which stands for (0, z).
    is_inside = len(outputs) >= LEAST_ROWS and bool(((outputs >= 0) & (outputs <= 1)).all())
    if not is_inside or task.reads != "logits" or (task.name == "classes" and outputs.shape[1] > 1):
        return ""
    found, constant = outputs.detach().double(), y.double().view(len(y), -1).mean(dim=0).expand(len(y), -1)
    if constant.shape != found.shape:  # Labels that are not one 0 or 1 for each output.
        return ""
    as_read, as_chances, as_guessed = (
        float(task.loss(logits, y, extra).mean()) for logits in (found, found.logit(1e-6), constant.logit(1e-6))
    )
    if as_chances > min(as_read, as_guessed) - CLEARLY:
        return ""
    return (
        f"all outputs lie between 0 and 1 and fit the labels better as probabilities (loss {as_chances:.2f}) than as "
        f"logits (loss {as_read:.2f}), which they are taken for; if the model ends in a sigmoid, leave it out"
    )


class _LastSteps(TorchFunctionMode):
    """A mode that knows by which function each tensor was made, if this gives probabilities or means."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[int, tuple[Tensor, str]] = {}
        """By the tensor's id; the tensor is kept, because the id of a deleted one may be used again."""

    def name_of(self, tensor: Tensor) -> str:
        return self._made[id(tensor)][1] if id(tensor) in self._made else ""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = function(*args, **(kwargs or {}))
        if isinstance(found, Tensor):
            name = getattr(function, "__name__", "")
            made_by = name if name in CHANCES or name in POSITIVE else self._kept(args) if name in KEEPS else ""
            self._made.pop(id(found), None)
            if made_by:
                self._made[id(found)] = found, made_by
        return found

    def _kept(self, args: Sequence[Any]) -> str:
        given = args[0] if args and isinstance(args[0], list | tuple) else args
        names = {self.name_of(value) for value in given if isinstance(value, Tensor)}
        return names.pop() if len(names) == 1 else ""


def _unreadable(why: str, task: Task) -> UnsupportedModelError:
    if task.reads == "logits":
        inverse = "the logarithm of each" if task.name == "classes" else "the logit of each"
        return UnsupportedModelError(
            f"the model gives probabilities ({why}), and the task {task.name!r} reads logits: leave out that step, or "
            f"let the model give {inverse}"
        )
    return UnsupportedModelError(
        f"the model gives means ({why}), and the task {task.name!r} reads their logarithm: leave out that step, or let "
        "the model give the logarithm"
    )
