import pandas as pd
import torch

from corrigible.data.original_units import unchanged, units_of
from corrigible.data.table import encode, encoder_of


def test_an_encoded_table_goes_back_to_its_own_units():
    frame = pd.DataFrame({"age": [20.0, 40.0, None, 80.0], "site": ["a", "b", "a", "b"], "y": [0, 1, 0, 1]})
    encoder = encoder_of(frame, target="y")
    x, units = encode(frame, encoder).x, units_of(encoder)
    back = torch.tensor([[units.original(column, value) for column, value in enumerate(row)] for row in x.tolist()])
    assert encoder.columns.names == ("age", "age=missing", "site=a", "site=b")
    torch.testing.assert_close(back[[0, 1, 3], 0], torch.tensor([20.0, 40.0, 80.0]))
    torch.testing.assert_close(back[:, 1:], x[:, 1:])


def test_a_table_that_was_not_standardised_keeps_its_values():
    assert unchanged(2).original(1, 3.5) == 3.5
