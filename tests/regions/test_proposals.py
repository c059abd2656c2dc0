"""Proposals are segments, features and words; the one that the model relies on comes first, and repeats."""

import numpy as np
import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.data.text import text_data
from corrigible.data.vocabulary import vocabulary_of
from corrigible.errors import DataError, RecipeError
from corrigible.models import lenet
from corrigible.regions.objects import object_masks
from corrigible.regions.proposals import proposals
from corrigible.regions.segmentations import flat_pieces_of, segments_of
from corrigible.regions.shared_proposals import shared_proposals
from corrigible.types import Columns, Features, Phrase, Pixels, Proposal

DRAWS = torch.Generator().manual_seed(0)
NOISE = 0.1 * torch.rand(24, 1, 20, 20, generator=DRAWS)
SQUARE = torch.zeros(20, 20, dtype=torch.bool)
SQUARE[13:17, 2:6] = True
STAMPED = torch.where(SQUARE, (torch.arange(24) % 3 / 2)[:, None, None, None] * 0.8 + 0.2, NOISE)


class OfSquare(nn.Module):
    """Logits that depend on the square alone, with a convolution or without."""

    def __init__(self, *, has_convolution: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 1, 1, bias=False) if has_convolution else nn.Identity()
        if has_convolution:
            nn.init.ones_(self.convolution.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grey = (self.convolution(x) * SQUARE).sum(dim=(1, 2, 3)) / SQUARE.sum()
        return torch.stack([-4 * grey, 4 * grey - 4], dim=1)


@pytest.mark.parametrize("has_convolution", [True, False])
def test_a_small_square_on_a_flat_background_is_the_first_proposal(has_convolution: bool) -> None:
    model, data = OfSquare(has_convolution=has_convolution), TensorData(STAMPED, torch.arange(24) % 3)
    found = proposals(model, data, [2, 5])
    for row, of_row in zip((2, 5), found, strict=True):
        first = of_row[0]
        assert np.array_equal(first.region.mask, SQUARE.numpy())
        assert (first.rows, first.area) == ((row,), pytest.approx(16 / 400))
        assert first.share > 0.9
        assert first.effect > 0


def test_segments_cover_the_image_and_the_same_image_gives_the_same() -> None:
    for x in (STAMPED[2], torch.rand(3, 9, 13, generator=DRAWS), torch.zeros(1, 8, 8)):
        for cut in (segments_of, flat_pieces_of):
            segments = cut(x)
            assert segments.shape == x.shape[1:]
            assert torch.equal(segments.unique(), torch.arange(int(segments.max()) + 1))
            assert torch.equal(segments, cut(x.clone()))


def test_no_pixel_lies_in_two_proposals_mostly_and_the_most_effective_comes_first() -> None:
    torch.manual_seed(0)
    (found,) = proposals(lenet(), TensorData(torch.rand(6, 1, 28, 28), torch.arange(6) % 3), [4], most=5)
    assert len(found) == 5
    assert [one.effect for one in found] == sorted((one.effect for one in found), reverse=True)
    for place, one in enumerate(found):
        for other in found[:place]:
            shared = (one.region.mask & other.region.mask).sum()
            assert shared < 0.5 * min(one.region.mask.sum(), other.region.mask.sum())
    assert sum(one.share for one in found) <= 1 + 1e-6


def test_rows_are_proposed_for_as_if_they_were_alone() -> None:
    torch.manual_seed(1)
    model, data = lenet(), TensorData(torch.rand(5, 1, 28, 28), torch.arange(5) % 3)
    alone, together = proposals(model, data, [3])[0], proposals(model, data, [0, 3, 1])[1]
    assert [one.id for one in alone] == [one.id for one in together]


def test_columns_of_a_category_are_one_feature_and_all_sums_to_the_share() -> None:
    columns = Columns(("age", "site=1", "site=2"), ("age", "site", "site"), (False, True, True))
    model = nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.1, 2.0, -2.0], [-0.1, -2.0, 2.0]]))
    data = TensorData(torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]), torch.tensor([0, 1]), columns=columns)
    (found,) = proposals(model, data, [0], share=1.0)
    assert [one.region for one in found] == [Features(("site",)), Features(("age",))]
    assert sum(one.share for one in found) == pytest.approx(1)
    (most,) = proposals(model, data, [0], share=0.5)
    assert [one.region for one in most] == [Features(("site",))]


def test_words_are_named_and_places_beyond_the_text_are_none() -> None:
    texts = ["good zeb film", "good bad film", "zeb bad"]
    data = text_data(texts, torch.tensor([0, 1, 1]), vocabulary_of(texts, dimension=6), max_tokens=5)
    (first, second) = proposals(nn.Sequential(nn.Flatten(), nn.Linear(30, 2)), data, [0, 2], share=1.0)
    assert {one.region for one in first} == {Phrase((word,)) for word in ("good", "zeb", "film")}
    assert {one.region for one in second} == {Phrase((word,)) for word in ("zeb", "bad")}
    assert first[0].area == pytest.approx(1 / 3)


def test_words_that_always_stand_side_by_side_are_one_phrase_and_repeated_words_one_proposal() -> None:
    texts = ["zeb one good zeb one", "bad film good bad", "film zeb one"]
    data = text_data(texts, torch.tensor([0, 1, 1]), vocabulary_of(texts, dimension=6), max_tokens=5)
    torch.manual_seed(0)
    first, second = proposals(nn.Sequential(nn.Flatten(), nn.Linear(30, 2)), data, [0, 1], share=1.0)
    assert {one.region: one.area for one in first} == {Phrase(("zeb", "one")): 4 / 5, Phrase(("good",)): 1 / 5}
    areas = {"bad": 2 / 4, "film": 1 / 4, "good": 1 / 4}
    assert {one.region: one.area for one in second} == {Phrase((word,)): area for word, area in areas.items()}
    assert sum(one.share for one in first) == pytest.approx(1)


def test_a_cue_that_is_never_among_the_first_of_its_row_is_shared_by_all_rows() -> None:
    corner = np.zeros((6, 6), dtype=bool)
    corner[:2, :2] = True
    of_rows = []
    for row in range(4):
        others = [np.roll(corner, (2, row), axis=(0, 1)), np.roll(corner, (4, row), axis=(0, 1))]
        of_rows.append([Proposal(Pixels(mask), 0.4, 4 / 36, (row,)) for mask in [*others, corner]])
    (shared, *_) = shared_proposals(of_rows)
    assert (shared.region, shared.rows) == (Pixels(corner), (0, 1, 2, 3))


def test_segments_inside_of_one_object_are_one_proposal() -> None:
    model, data = OfSquare(has_convolution=True), TensorData(STAMPED, torch.arange(24) % 3)
    mask = torch.zeros(1, 20, 20, dtype=torch.bool)
    mask[:, 10:, :10] = True
    for objects in (lambda x: mask, lambda x: [[10, 0, 10, 10]]):
        first = proposals(model, data, [2], objects=objects)[0][0]
        assert first.region.mask.sum() >= 16
        assert first.region.mask[SQUARE.numpy()].all()
        inside = [one for one in proposals(model, data, [2], objects=objects)[0] if one.region.mask[10:, :10].all()]
        assert len(inside) <= 1
    with pytest.raises(DataError, match="segmentation model gives shape"):
        object_masks(torch.zeros(3, 3), (20, 20))
    assert object_masks(torch.zeros(0, 4), (4, 4)) == []


def test_what_cannot_be_proposed_for_is_refused() -> None:
    data = TensorData(STAMPED, torch.arange(24) % 3)
    with pytest.raises(DataError, match="row 24 is asked for; the data has rows 0 to 23"):
        proposals(OfSquare(has_convolution=True), data, [24])
    with pytest.raises(RecipeError, match="share is 0"):
        proposals(OfSquare(has_convolution=True), data, [1], share=0.0)
    assert proposals(OfSquare(has_convolution=True), data, []) == []


def test_a_proposal_keeps_its_name() -> None:
    one = Proposal(Pixels(SQUARE.numpy()), 0.5, 0.04, (3,))
    assert one.id == Proposal(Pixels(SQUARE.numpy().copy()), 0.4, 0.04, (3,)).id
    assert (
        len({one.id, Proposal(Pixels(SQUARE.numpy()), 0.5, 0.04, (4,)).id, Proposal(Phrase(("a",)), 1.0, 1.0, (3,)).id})
        == 3
    )
