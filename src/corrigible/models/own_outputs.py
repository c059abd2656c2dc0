"""Check that a row's outputs are its own: that they depend on no random draw and on no other row.

Explanations, corrections and measurements promise that the order of rows and the size of batches change nothing. So a
few rows are run in two orders, and one of them alone. Outputs that differ are random, as with dropout that is always
on, or mix rows, as with a standardisation over the batch.
"""

import math
from collections.abc import Hashable
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.errors import DataError, UnsupportedModelError
from corrigible.models.modes import PrivateRandomness, evaluating, like_parameters, random_state
from corrigible.outputs import as_outputs
from corrigible.printable import plural

MOST_ROWS = 4
NUM_TRIES = 8
"""How often a model that draws random numbers runs before it is believed not to use them."""
ROUNDING = 0.01
"""How far outputs may move with the number of rows that run together, relative to their spread over rows."""

_CHECKED: "WeakKeyDictionary[nn.Module, Hashable]" = WeakKeyDictionary()
"""Each model that passed, with the weights and the kind of rows that it passed with."""


def require_own_outputs(
    model: nn.Module, x: Float[Tensor, " batch *input"], *, rows_at_once: int | None = None
) -> None:
    """Check on a few of these rows that the model gives each row outputs of its own in eval mode.

    This takes three passes over up to four rows and one over each, once for a model and its weights. The model, its
    modes and PyTorch's random state stay as they are.

    Args:
        rows_at_once: the most rows that the model may run on together.

    Raises:
        UnsupportedModelError: the outputs are random, or depend on the other rows or on their order.
        DataError: the model does not give one row of outputs for each row.
    """
    now = weights_now(model), tuple(x.shape[1:]), x.dtype
    if _CHECKED.get(model) == now:
        return
    x = like_parameters(x[spread_rows(len(x))], model)
    with PrivateRandomness(0), evaluating(model), torch.no_grad():
        if rows_at_once == 1 or len(x) == 1:
            _check_draws(model, x[:1])
            rows = None if rows_at_once == 1 else _beside_another(model, x)
        else:
            rows = x[:rows_at_once]
            _check_draws(model, rows)
        if rows is not None:
            _check_neighbours(model, rows)
    _CHECKED[model] = now


def spread_rows(num_rows: int, most: int = MOST_ROWS) -> Int[Tensor, " some"]:
    """The positions of a few rows, from the first to the last."""
    return torch.linspace(0, num_rows - 1, min(most, num_rows)).long()


def weights_now(model: nn.Module) -> Hashable:
    """A value that differs once weights or buffers were changed or replaced."""
    tensors = [*model.parameters(), *model.buffers()]
    return tuple((tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version) for tensor in tensors)


def _outputs(model: nn.Module, rows: Tensor) -> Float[Tensor, " batch output"]:
    # A copy, because a model may work in place.
    outputs = as_outputs(model(rows.clone()))
    if len(outputs) != len(rows):
        raise DataError(
            f"the model gives {plural(len(outputs), 'row')} of scores for {plural(len(rows), 'row')} of x; "
            "expected one for each"
        )
    return outputs.detach().cpu().double()


def _check_draws(model: nn.Module, rows: Float[Tensor, " batch *input"]) -> None:
    """Raises UnsupportedModelError for outputs that differ from one run to the next, or in another order."""
    before = random_state()
    found = _outputs(model, rows)
    draws = not _same_state(before, random_state())
    # Whoever draws must give the same to the last digits; whoever does not may round differently at another place.
    close = _precision(model, found) if not draws else 1e-6 * _size(found)
    for _ in range(NUM_TRIES if draws else 1):
        turned = _outputs(model, rows.flip(0)).flip(0)
        if (difference := _difference(turned, found)) > close:
            if draws or _difference(_outputs(model, rows), found) > close:
                raise UnsupportedModelError(
                    f"the model is random: in eval mode its outputs for the same rows differ by {difference:.2g} from "
                    "one run to the next; let dropout follow self.training, or draw noise with "
                    "corrigible.models.normal_like"
                )
            raise _mixes(difference)


def _check_neighbours(model: nn.Module, rows: Float[Tensor, " batch *input"]) -> None:
    """Raises UnsupportedModelError if a row's outputs depend on whether other rows run with it."""
    together = _outputs(model, rows)
    spread = float((together - together.mean(dim=0)).abs().nan_to_num(0.0, 0.0, 0.0).max())
    difference = _difference(torch.cat([_outputs(model, row) for row in rows.split(1)]), together)
    if difference > _precision(model, together) + ROUNDING * spread:
        raise _mixes(difference)


def _beside_another(model: nn.Module, x: Float[Tensor, " 1 *input"]) -> Float[Tensor, " 2 *input"] | None:
    """The only row and another one made from it, as explainers do; None if the model takes one row at a time."""
    rows = torch.cat([x, x / 2 if x.is_floating_point() else x // 2])
    try:
        _outputs(model, rows)
    except (RuntimeError, ValueError, IndexError, TypeError, AssertionError):
        return None
    return rows


def _mixes(difference: float) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"the model mixes rows: in eval mode the outputs of a row change by {difference:.2g} with the rows that run "
        "beside it, so no row has a prediction of its own; compute each row from itself alone, for instance with a "
        "BatchNorm that keeps running statistics"
    )


def _difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference; infinite where only one of the two is a finite number."""
    same = (found == expected) | (found.isnan() & expected.isnan())
    return float((found - expected).abs().masked_fill(same, 0.0).nan_to_num(torch.inf).max())


def _precision(model: nn.Module, outputs: Tensor) -> float:
    """Half of the digits of the coarsest numbers that the model computes with."""
    dtypes = {torch.float32, *(p.dtype for p in model.parameters() if p.is_floating_point())}
    return math.sqrt(max(torch.finfo(dtype).eps for dtype in dtypes)) * _size(outputs)


def _size(outputs: Tensor) -> float:
    return float(outputs.abs().nan_to_num(0.0, 0.0, 0.0).max())


def _same_state(first: tuple[Tensor, list[Tensor]], second: tuple[Tensor, list[Tensor]]) -> bool:
    pairs = zip([first[0], *first[1]], [second[0], *second[1]], strict=True)
    return all(torch.equal(a, b) for a, b in pairs)
