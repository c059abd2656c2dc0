"""Cut points with the largest quadratic kappa."""

from itertools import combinations_with_replacement

import pytest
import torch

from corrigible.errors import DataError
from corrigible.metrics import quadratic_kappa
from corrigible.tasks.cut_points import class_at, kappa_cut_points


def best_by_trying(scores, y, num_classes):
    """The largest kappa of all cut points between, below and above the distinct scores."""
    distinct = scores.unique()
    places = torch.cat([distinct[:1] - 1, (distinct[:-1] + distinct[1:]) / 2, distinct[-1:] + 1]).tolist()
    tried = (torch.tensor(cuts) for cuts in combinations_with_replacement(places, num_classes - 1))
    return max(float(quadratic_kappa(class_at(scores, cuts), y)) for cuts in tried)


@pytest.mark.parametrize("num_classes", [2, 3, 4])
@pytest.mark.parametrize("seed", range(6))
def test_no_cut_points_are_better(seed, num_classes):
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(num_classes, (14,), generator=generator)
    y[:2] = torch.tensor([0, num_classes - 1])
    noise = [0.5, 2.0, 10.0][seed % 3]
    scores = y + noise * torch.randn(14, generator=generator)
    scores = (2 * scores).round() / 2 if seed > 2 else scores  # with ties
    cuts = kappa_cut_points(scores, y)
    assert cuts.shape == (num_classes - 1,) and (cuts[1:] >= cuts[:-1]).all()
    found = float(quadratic_kappa(class_at(scores, cuts), y))
    assert found == pytest.approx(best_by_trying(scores.double(), y, num_classes), abs=1e-9)


def test_a_class_that_no_row_has_may_be_named():
    scores = torch.tensor([0.1, 0.2, 0.7, 0.9])
    cuts = kappa_cut_points(scores, torch.tensor([0, 0, 2, 2]), num_classes=5)
    assert class_at(scores, cuts).tolist() == [0, 0, 2, 2]
    assert len(cuts) == 4


def test_what_has_no_kappa_is_refused():
    scores = torch.tensor([0.1, 0.2])
    for given, y, settings, message in (
        (scores, [1, 1], {}, "all labels are equal"),
        (scores, [0, 1, 2], {}, "for 3 labels"),
        (scores * torch.nan, [0, 1], {}, "expected a finite one"),
        (scores, [0, 3], {"num_classes": 2}, "y holds class 3; expected numbers below num_classes, 2"),
    ):
        with pytest.raises(DataError, match=message):
            kappa_cut_points(given, torch.tensor(y), **settings)
