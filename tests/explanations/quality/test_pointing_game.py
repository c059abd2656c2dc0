import torch

from corrigible.explanations.quality import pointing_game


def test_by_hand():
    attribution = torch.tensor(
        [[1.0, -3.0, 2.0], [1.0, 3.0, 2.0], [2.0, -2.0, 1.0], [2.0, 2.0, 2.0], [0.0, 0.0, 0.0], [1.0, 3.0, 2.0]]
    )
    relevant = torch.tensor([[0, 1, 0], [1, 0, 1], [1, 0, 0], [1, 0, 1], [1, 0, 0], [0, 0, 0]]).bool()
    # The largest size counts; ties count by the share that is marked. Row 4 attributes nothing, row 5 marks nothing.
    expected = torch.tensor([1, 0, 1 / 2, 2 / 3, torch.nan, torch.nan], dtype=torch.float64)
    torch.testing.assert_close(pointing_game(attribution, relevant), expected, equal_nan=True)


def test_one_mask_may_serve_all_rows():
    attribution = torch.tensor([[1.0, 3.0], [3.0, 1.0]])
    assert pointing_game(attribution, torch.tensor([True, False])).tolist() == [0, 1]
