"""The names of the columns that a network was corrected on, kept beside it: the same numbers in another order are
other inputs.
"""

from torch import nn

from corrigible.errors import DataError
from corrigible.types import Columns

ATTRIBUTE = "trained_columns"


def remember_columns(model: nn.Module, columns: Columns | None) -> None:
    """Keep the names in the attribute ``trained_columns`` of the model; rows without names leave none."""
    model.__dict__.pop(ATTRIBUTE, None)
    if columns is not None:
        model.__dict__[ATTRIBUTE] = columns.names


def require_columns(model: object, columns: Columns | None) -> None:
    """Raises DataError for rows with other columns than those that the model was corrected on.

    Rows without names, or a model that was not corrected on rows with names, cannot be checked.
    """
    trained = vars(model).get(ATTRIBUTE) if isinstance(model, nn.Module) else None
    if trained is not None and columns is not None:
        require_same_columns(columns.names, trained, "the network was corrected on")


def require_same_columns(found: tuple[str, ...], expected: tuple[str, ...], of: str) -> None:
    """Raises DataError if these are not the same names in the same order; ``of`` says what the expected ones are of."""
    if found == expected:
        return
    if sorted(found) == sorted(expected):
        first = next(place for place, (one, other) in enumerate(zip(found, expected, strict=True)) if one != other)
        raise DataError(
            f"x has the columns in another order than {of}: {found[first]!r} in place of {expected[first]!r}; put them "
            f"in its order: x[{_listed(expected)}]"
        )
    absent, new = ([name for name in one if name not in other] for one, other in ((expected, found), (found, expected)))
    lacks = f"lacks {_listed(absent)}" if absent else f"has {_listed(new)} too"
    raise DataError(f"x {lacks}; expected the columns that {of}: {_listed(expected)}")


def _listed(names: "tuple[str, ...] | list[str]") -> str:
    more = ", …" if len(names) > 10 else ""
    return f"[{', '.join(map(repr, names[:10]))}{more}]"
