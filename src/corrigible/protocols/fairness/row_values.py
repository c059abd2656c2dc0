"""One value of each row, however it is given."""

from typing import Any

from torch import Tensor


def as_list_of_values(given: Any) -> list[Any]:
    """The values of an array, a column of a frame, a tensor or a list, as Python's own."""
    if isinstance(given, Tensor):
        given = given.detach().cpu()
    return list(given.tolist() if hasattr(given, "tolist") else given)
