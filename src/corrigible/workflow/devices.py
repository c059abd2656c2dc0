"""Where to compute, by name."""

import torch

from corrigible.errors import RecipeError


def device_named(name: str) -> torch.device:
    """The device, once a number could be put there.

    Raises:
        RecipeError: there is no such device on this machine.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).tolist()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise RecipeError(
            f"device {name!r} cannot be used here ({reason}); use cpu, or cuda or mps where present"
        ) from error
    return device
