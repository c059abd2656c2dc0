"""The device to compute on, by name."""

import torch

from corrigible.errors import RecipeError


def device_named(name: "str | torch.device") -> torch.device:
    """The device of that name, after a test that it can be used.

    Raises:
        RecipeError: there is no such device on this machine.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).tolist()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise RecipeError(
            f"device {name!r} cannot be used here ({reason}); use cpu, or cuda or mps where present"
        ) from error
    return device
