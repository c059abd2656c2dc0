"""Where no part stands out, it is said with how much the strongest holds; where one does, nothing is said."""

import pytest
import torch

from corrigible.types import Columns
from corrigible.workflow.strongest_part import of_images, of_shares, of_tables, of_texts


def test_speckle_is_said_to_show_nothing_and_a_corner_stands_out() -> None:
    maps = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    said = of_images(maps)
    assert said.startswith("No single patch, of 7 × 7 over the picture, stands out: the strongest ")
    assert "holds 3\u00a0% of the explanation" in said
    maps[:, :, :4, :4] = 20
    assert of_images(maps) == of_images(maps.squeeze(1)) == ""
    assert of_images(torch.zeros(2, 8, 8)) == ""


@pytest.mark.parametrize(("strongest", "stands_out"), [(0.11, False), (0.4, True)])
def test_a_feature_and_a_word_stand_out_by_their_share(strongest: float, stands_out: bool) -> None:
    shares = [strongest, *[(1 - strongest) / 9] * 9]
    columns = Columns(tuple("abcdefghij"), tuple("abcdefghij"), (False,) * 10)
    padded = torch.tensor([[*shares, 5.0, 5.0]])  # What lies beyond a text is no word.
    texts = of_texts(padded, torch.tensor([10]))
    found = (of_shares(shares, "feature"), of_tables(torch.tensor([shares]), columns), texts)
    assert [said == "" for said in found] == [stands_out] * 3
    if not stands_out:
        assert found[0] == found[1] == texts.replace("word", "feature")
        assert "holds 11\u00a0% of the explanation; if all counted the same, each would hold 10\u00a0%" in texts
