"""Mean attribution per feature, over all rows and over parts of them, such as classes and groups.

Lundberg et al. 2020, From local explanations to global understanding with explainable AI for trees, section 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import DataError
from corrigible.explanations.groups import Groups, by_group, groups_of
from corrigible.printable import plural
from corrigible.types import Columns


@dataclass(frozen=True)
class Part:
    """The mean attributions over a part of the rows."""

    where: tuple[tuple[str, int], ...]
    """The values that these rows have in common, e.g. (("label", 1), ("group", 0)); empty for all rows."""
    num_rows: int
    mean_absolute: tuple[float, ...]
    """Mean absolute attribution, one value per feature."""
    mean: tuple[float, ...]
    """Mean signed attribution, one value per feature."""


@dataclass(frozen=True)
class MeanAttribution:
    """Mean attributions of all rows first, then of the parts, in the order of the values they have in common."""

    features: tuple[str, ...]
    parts: tuple[Part, ...]

    def where(self, **values: int) -> Part:
        """The part with these values in common, e.g. ``where(label=1, group=0)``.

        Raises:
            DataError: no row has them.
        """
        for part in self.parts:
            if dict(part.where) == values:
                return part
        raise DataError(f"no part where {values}; there are {', '.join(str(dict(part.where)) for part in self.parts)}")


def mean_attribution(
    attribution: Float[Tensor, " batch *input"],
    *,
    by: Mapping[str, Tensor] | None = None,
    columns: Columns | None = None,
    groups: Groups = None,
    names: Sequence[str] = (),
) -> MeanAttribution:
    """Mean absolute and mean signed attribution of each feature, in the attribution's units.

    A feature's absolute attribution is the sum over its columns, as in `by_feature`.

    Args:
        by: values to split the rows by, e.g. ``{"label": y, "group": sex}``: whole numbers, one per row. Every
            combination that occurs is a part too.
        columns: which columns of a table make up which feature.
        groups: alternatively, which inputs form a group; the same groups in every row, or segments that have a meaning
            of their own.
        names: names of the groups; of single inputs if there are no groups or columns.

    Raises:
        DataError: no rows, NaN or infinite attribution, or columns, groups, names or values of ``by`` that do not fit.
    """
    if not len(attribution) or not bool(attribution.isfinite().all()):
        raise DataError("the attribution has no rows, or is NaN or infinite; expected finite numbers")
    by = {} if by is None else by
    for name, values in by.items():
        if values.shape != attribution.shape[:1] or values.is_floating_point():
            found = f"shape {tuple(values.shape)} and {values.dtype}"
            raise DataError(f"{name!r} has {found}; expected one whole number per row, ({len(attribution)},)")
    labels = groups_of(attribution, groups, columns)
    labels = labels[0] if len(labels) == 1 else labels
    attribution = attribution.detach().double()
    absolute, signed = by_group(attribution.abs(), labels), by_group(attribution, labels)
    keys = list(chain.from_iterable(combinations(by, size) for size in range(len(by) + 1)))
    parts = [part for some in keys for part in _parts({name: by[name] for name in some}, absolute, signed)]
    return MeanAttribution(_names(absolute.shape[1], columns if groups is None else None, names), tuple(parts))


def _parts(
    by: Mapping[str, Int[Tensor, " batch"]],
    absolute: Float[Tensor, " batch feature"],
    signed: Float[Tensor, " batch feature"],
) -> list[Part]:
    values = (
        torch.stack([v.long() for v in by.values()], dim=1).to(absolute.device)
        if by
        else absolute.new_zeros(len(absolute), 1).long()
    )
    kinds, place, count = values.unique(dim=0, return_inverse=True, return_counts=True)
    means = [
        absolute.new_zeros(len(kinds), absolute.shape[1]).index_add(0, place, part) / count[:, None]
        for part in (absolute, signed)
    ]
    return [
        Part(tuple(zip(by, kind, strict=False)), number, tuple(size), tuple(mean))
        for kind, number, size, mean in zip(
            kinds.tolist(), count.tolist(), means[0].tolist(), means[1].tolist(), strict=True
        )
    ]


def _names(num_groups: int, columns: Columns | None, names: Sequence[str]) -> tuple[str, ...]:
    if names and len(names) != num_groups:
        raise DataError(f"{plural(len(names), 'name')} for {plural(num_groups, 'feature')}; expected one each")
    if names or columns is not None:
        return tuple(names or columns.features)  # type: ignore[union-attr]
    return tuple(f"input {place}" for place in range(num_groups))
