import math

import torch

from corrigible.explanations.quality import complexity, effective_inputs


def test_by_hand():
    rows = torch.tensor([[1.0, -1.0, 1.0, -1.0], [0.0, 5.0, 0.0, 0.0], [2.0, 1.0, -1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    # Row 2: shares 1/2, 1/4, 1/4 and 0, which adds nothing; row 3 has no attribution.
    expected = torch.tensor([math.log(4), 0.0, 1.5 * math.log(2), math.nan], dtype=torch.float64)
    torch.testing.assert_close(complexity(rows), expected, equal_nan=True)


def test_equal_inputs_count_as_many_as_they_are():
    rows = torch.tensor([[3.0, 3.0, -3.0, 0.0], [0.0, 0.1, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    expected = torch.tensor([3.0, 1.0, math.nan], dtype=torch.float64)
    torch.testing.assert_close(effective_inputs(rows), expected, equal_nan=True)
