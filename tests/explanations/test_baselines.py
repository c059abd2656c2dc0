import inspect

import pytest
import torch

from corrigible.errors import DataError
from corrigible.explanations.baselines import baseline_row


def test_a_baseline_that_is_no_number_is_refused():
    # A recipe may hold anything; the annotation is checked in tests alone.
    with pytest.raises(DataError, match="baseline is 'grey'; expected a number"):
        inspect.unwrap(baseline_row)("grey", torch.zeros(2, 5))
