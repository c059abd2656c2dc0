"""What a judge says of rows, written down instead of asked of a model."""

from collections.abc import Sequence

import torch
from torch.nn.functional import one_hot

from corrigible.protocols.corrections.exchanges import WORN
from corrigible.protocols.corrections.judged import Judged

Values = float | Sequence[float]


def judged(
    y: Sequence[int] = (0, 1) * 20,
    *,
    part: int | Sequence[int] = WORN,
    log_likelihood: Values = -0.1,
    hits: Values = 1.0,
    change: Values = 0.0,
    pull: Values = 0.0,
    predicted: Sequence[int] | None = None,
    found_hits: Values = 1.0,
    guessed: Values = 0.0,
) -> Judged:
    """These values, one for each row or one for all; ``predicted`` is a class for each row, else its label."""
    size = len(y)
    values = [_values(each, size) for each in (log_likelihood, hits, change, pull)]
    classes = torch.tensor(list(y if predicted is None else predicted))
    kind = torch.tensor([part] * size if isinstance(part, int) else list(part))
    shares = one_hot(classes, max([*y, *classes.tolist()]) + 1).double()
    ends = (_values(found_hits, size), _values(guessed, size))
    return Judged(kind, torch.arange(size), torch.tensor(list(y)), *values, shares, *ends)


def _values(given: Values, size: int) -> torch.Tensor:
    found = torch.as_tensor(given, dtype=torch.float64)
    return found.expand(size).clone() if found.ndim == 0 else found
