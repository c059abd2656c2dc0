"""Regions are named by where they lie in the picture."""

import numpy as np
import pytest

from corrigible.said import Features, Phrase, Pixels
from corrigible.workflow.region_titles import region_title


@pytest.mark.parametrize(
    ("rows", "columns", "title"),
    [
        ((9, 12), (0, 4), "lower left corner"),
        ((8, 11), (0, 4), "lower left"),
        ((0, 3), (0, 12), "upper centre"),
        ((5, 7), (5, 7), "centre"),
        ((5, 7), (9, 12), "middle right"),
        ((0, 12), (0, 7), "most of the picture"),
    ],
)
def test_a_place_is_named_by_its_middle_and_a_corner_by_its_edges(
    rows: tuple[int, int], columns: tuple[int, int], title: str
) -> None:
    mask = np.zeros((12, 12), dtype=bool)
    mask[slice(*rows), slice(*columns)] = True
    assert region_title(Pixels(mask), {}) == title
    assert region_title(Pixels(np.stack([mask, mask & False])), {}) == title


def test_other_regions_are_named_as_people_name_them() -> None:
    assert region_title(Features(("age", "site")), {"site": "hospital"}) == "age, hospital"
    assert region_title(Phrase(("zeb", "one")), {}) == "“zeb one”"
    assert region_title(Pixels(np.array([False, True, True])), {}) == "word 2, 3"
