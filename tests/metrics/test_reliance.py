import pytest
import torch

from corrigible.metrics import attribution_overlap, flip_effect


def test_rows_without_attribution_do_not_count():
    assert attribution_overlap(torch.tensor([0.25, torch.nan, 0.75])) == 0.5
    assert attribution_overlap(torch.tensor([torch.nan])).isnan()


@pytest.mark.parametrize("num_classes", [2, 5])
def test_flip_effect_is_0_for_the_same_and_1_for_opposite_probabilities(num_classes):
    probs = torch.eye(num_classes)
    assert flip_effect(probs, probs) == 0
    assert flip_effect(probs, probs.roll(1, dims=0)) == 1
