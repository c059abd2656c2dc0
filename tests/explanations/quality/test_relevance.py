import torch

from corrigible.explanations.quality import relevance_mass, relevance_rank

ATTRIBUTION = torch.tensor(
    [[1.0, -3.0, 2.0, 0.0], [2.0, 2.0, -2.0, 1.0], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0]]
)
RELEVANT = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 1], [1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]).bool()


def test_mass_by_hand():
    # Row 3 has no attribution, row 4 no marks.
    expected = torch.tensor([4 / 6, 3 / 7, 3 / 4, torch.nan, torch.nan], dtype=torch.float64)
    torch.testing.assert_close(relevance_mass(ATTRIBUTION, RELEVANT), expected, equal_nan=True)


def test_rank_by_hand():
    # Row 0: top 2 are inputs 1 and 2. Row 1: of its top 2, each of the inputs 0 to 2 holds 2/3. Row 2: each holds 3/4.
    expected = torch.tensor([1 / 2, 2 / 3 / 2, 3 * 3 / 4 / 3, torch.nan, torch.nan], dtype=torch.float64)
    torch.testing.assert_close(relevance_rank(ATTRIBUTION, RELEVANT), expected, equal_nan=True)


def test_what_lies_inside_the_marks_alone_is_wholly_relevant():
    attribution = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    inside = torch.zeros(4, 4, dtype=torch.bool)
    inside[1:3, 1:3] = True
    for measure in (relevance_mass, relevance_rank):
        assert measure(attribution * inside, inside).tolist() == [1, 1, 1]
        assert measure(attribution * ~inside, inside).tolist() == [0, 0, 0]
        assert measure(attribution, torch.ones(4, 4, dtype=torch.bool)).isnan().all()
