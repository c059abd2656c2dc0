"""Which rows are drawn to be judged, and whose content they are given."""

import torch
from torch import Tensor


def drawn(rows: Tensor, most: int, generator: torch.Generator) -> Tensor:
    return rows[torch.randperm(len(rows), generator=generator)[:most]]


def some_of_all(rows: Tensor, labels: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """At most ``most`` of the rows, whatever their labels."""
    return rows if len(rows) <= most else drawn(rows, most, generator)


def some_of_queries(query: Tensor, rows: Tensor, labels: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """About ``most`` of the rows: all rows of some queries, because only these can be compared."""
    if len(rows) <= most:
        return rows
    of_rows = query.cpu()[rows]
    names, counts = of_rows.unique(return_counts=True)
    order = torch.randperm(len(names), generator=generator)
    kept = names[order[: int((counts[order].cumsum(0) <= max(most, int(counts.max()))).sum())]]
    return rows[torch.isin(of_rows, kept)]


def some_of_each(rows: Tensor, labels: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """At most ``most`` of the rows, spread over the classes as equally as the rows allow."""
    if len(rows) <= most:
        return rows
    rows = drawn(rows, len(rows), generator)
    place = torch.zeros(len(rows), dtype=torch.long)
    for label in labels[rows].unique().tolist():
        of_class = labels[rows] == label
        place[of_class] = torch.arange(int(of_class.sum()))
    return rows[place.argsort(stable=True)[:most]]


def of_other_classes(y: Tensor, labels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """For each label in ``y``, ``count`` positions in ``labels`` of other classes, or of any if there is no other."""
    found = torch.randint(max(1, len(labels)), (len(y), count), generator=generator)
    for label in y.unique().tolist():
        others = (labels != label).nonzero().flatten()
        rows = (y == label).nonzero().flatten()
        if len(others):
            found[rows] = others[torch.randint(len(others), (len(rows), count), generator=generator)]
    return found
