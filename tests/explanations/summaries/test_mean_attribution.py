import pytest
import torch

from corrigible.errors import DataError
from corrigible.explanations.features import by_feature
from corrigible.explanations.summaries import mean_attribution
from corrigible.types import Columns

COLUMNS = Columns(("b=0", "a", "b=1"), ("b", "a", "b"), (True, False, True))


def test_a_table_worked_by_hand():
    attribution = torch.tensor([[1.0, -2.0, -3.0], [-1.0, 4.0, 1.0]])
    found = mean_attribution(attribution, columns=COLUMNS)
    assert found.features == ("b", "a")
    assert found.parts[0].num_rows == 2
    # Feature b: |1| + |−3| and |−1| + |1|; 1 − 3 and −1 + 1.
    assert found.parts[0].mean_absolute == (3.0, 3.0)
    assert found.parts[0].mean == (-1.0, 1.0)


def test_every_part_holds_the_means_of_its_rows():
    torch.manual_seed(0)
    attribution = torch.randn(50, 3, dtype=torch.float64)
    by = {"label": torch.randint(3, (50,)), "group": torch.randint(2, (50,))}
    found = mean_attribution(attribution, by=by, columns=COLUMNS)
    assert len(found.parts) == 1 + 3 + 2 + 6
    for part in found.parts:
        here = torch.ones(50, dtype=torch.bool)
        for name, value in part.where:
            here &= by[name] == value
        assert part.num_rows == int(here.sum())
        absolute = by_feature(attribution[here], COLUMNS).mean(0)
        torch.testing.assert_close(torch.tensor(part.mean_absolute, dtype=torch.float64), absolute)
        signed = torch.stack([attribution[here][:, [0, 2]].sum(1), attribution[here][:, 1]], dim=1).mean(0)
        torch.testing.assert_close(torch.tensor(part.mean, dtype=torch.float64), signed)
    assert found.where() == found.parts[0]
    assert found.where(label=1, group=0).where == (("label", 1), ("group", 0))


def test_segments_and_single_inputs_are_features_too():
    attribution = torch.tensor([[[1.0, -1.0], [2.0, 0.0]]])
    by_segment = mean_attribution(attribution, groups=torch.tensor([[0, 0], [1, 1]]), names=["top", "bottom"])
    assert by_segment.features == ("top", "bottom")
    assert by_segment.parts[0].mean_absolute == (2.0, 2.0)
    assert by_segment.parts[0].mean == (0.0, 2.0)
    assert mean_attribution(attribution).features == ("input 0", "input 1", "input 2", "input 3")


def test_segments_may_differ_between_rows():
    attribution = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    found = mean_attribution(attribution, groups=torch.tensor([[0, 1], [1, 0]]))
    assert found.parts[0].mean == (2.5, 2.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"by": {"label": torch.zeros(3, dtype=torch.long)}}, r"'label' has shape \(3,\)"),
        ({"by": {"label": torch.zeros(2)}}, "expected one whole number per row"),
        ({"names": ["a"]}, "1 name for 3 features"),
        ({"columns": Columns(("a",), ("a",), (False,))}, "expected .* one per named column"),
    ],
)
def test_what_does_not_fit_is_refused(settings, message):
    with pytest.raises(DataError, match=message):
        mean_attribution(torch.zeros(2, 3), **settings)


@pytest.mark.parametrize("attribution", [torch.zeros(0, 3), torch.full((2, 3), torch.nan)])
def test_nothing_and_nan_are_refused(attribution):
    with pytest.raises(DataError, match="no rows, or is NaN"):
        mean_attribution(attribution)


def test_a_part_without_rows_is_refused_with_those_there_are():
    found = mean_attribution(torch.zeros(2, 3), by={"label": torch.tensor([0, 1])})
    with pytest.raises(DataError, match=r"no part where {'label': 2}; there are {}, {'label': 0}, {'label': 1}"):
        found.where(label=2)
