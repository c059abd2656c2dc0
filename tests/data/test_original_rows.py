"""Encoded rows are decoded as people wrote them, and encoded again to what they were."""

import numpy as np
import pandas as pd
import torch

import corrigible
from corrigible.data.original_rows import frame_of_rows, rows_of_frame

FRAME = pd.DataFrame(
    {
        "age": [30.0, 41.5, np.nan, 60.25],
        "ward": pd.Series(["a", "b", None, "a"], dtype=object),
        "shift": ["day", "night", "day", "day"],
        "label": ["x", "y", "x", "y"],
    }
)


def test_rows_come_back_in_both_directions():
    data = corrigible.encode(FRAME, corrigible.encoder_of(FRAME, target="label"))
    frame = frame_of_rows(data.x, data.columns)
    pd.testing.assert_frame_equal(frame, FRAME.drop(columns="label"), check_dtype=False)
    assert torch.allclose(rows_of_frame(frame, data.columns), data.x, atol=1e-6)


def test_what_training_has_not_seen_is_encoded_as_the_encoder_does():
    encoder = corrigible.encoder_of(FRAME, target="label")
    data = corrigible.encode(FRAME, encoder)
    other = FRAME.assign(age=[np.nan, 1.0, 2.0, 3.0], ward=["c", None, "a", "b"])
    expected = corrigible.encode(other, encoder).x
    assert torch.allclose(rows_of_frame(other.drop(columns="label"), data.columns), expected, atol=1e-6)
