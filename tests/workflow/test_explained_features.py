"""How a table's strongest features act: what is computed, and that it is read as it was kept."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from corrigible.explanations.summaries.partial_dependence import partial_dependence
from corrigible.recipe import Recipe
from corrigible.study import Draft, Run
from corrigible.types import Columns
from corrigible.workflow.explained_features import (
    MOST_PAIRED,
    ExplainedFeatures,
    explained_features,
    keep_features,
    kept_features,
)
from studies import TABLE_RECIPE

TABLE = Columns(("age", "site=a", "site=b", "sex"), ("age", "site", "site", "sex"), (False, True, True, False))


class Product(nn.Module):
    """Two classes; the second one's score is 3 age · sex + site=b."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([torch.zeros(len(x)), 3 * x[:, 0] * x[:, 3] + x[:, 2]], dim=1)


def recipe() -> Recipe:
    return Recipe.parse(TABLE_RECIPE)


def rows() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(12, 4, generator=generator)
    x[:, 1:3] = nn.functional.one_hot(torch.arange(12) % 2, 2)
    sizes = torch.tensor([0.2, 0.5, 0.4, 0.1])
    return {"x": x, "target": torch.ones(12, dtype=torch.long), "attribution.0": sizes.repeat(12, 1)}


def found() -> ExplainedFeatures:
    return explained_features(recipe(), {0: Product()}, rows(), TABLE, seed=0)


def test_the_strongest_features_come_first_and_pairs_stand_in_the_order_of_the_table() -> None:
    features = found()
    assert [panel.grid.feature for panel in features.dependence[0]] == ["site", "age", "sex"]
    assert features.paired == ("age", "site", "sex")
    assert features.target == 1
    expected = partial_dependence(Product(), rows()["x"], "age", target=1, score="target_prob", columns=TABLE)
    assert torch.equal(features.dependence[0][1].lines, expected.lines)


def test_a_product_is_all_that_its_two_features_do_together() -> None:
    interactions, x = found().interactions[0], rows()["x"]
    product = 3 * (x[:, 0] * x[:, 3]).mean()
    assert interactions[0, 2] == pytest.approx(product.item() / 2, abs=1e-5)
    assert interactions[0, 1] == interactions[1, 2] == pytest.approx(0.0, abs=1e-5)


def test_weaker_features_are_one_group() -> None:
    names = tuple(f"c{k}" for k in range(MOST_PAIRED + 3))
    columns = Columns(names, names, (False,) * len(names))
    x = torch.randn(5, len(names), generator=torch.Generator().manual_seed(0))
    attribution = torch.arange(float(len(names))).repeat(5, 1)
    given = {"x": x, "target": torch.ones(5, dtype=torch.long), "attribution.0": attribution}
    features = explained_features(recipe(), {0: Product()}, given, columns, seed=0)
    assert features.paired == (*names[3:], "3 others")
    # Without an interaction of its own, each group adds its columns' share of the score and no more.
    whole = Product()(x)[:, 1].mean() - Product()(torch.zeros_like(x))[:, 1].mean()
    assert features.interactions[0].sum() == pytest.approx(whole.item(), abs=1e-4)


@pytest.mark.parametrize("places", [(0,), (0, 1)])
def test_what_is_kept_is_read_as_it_was(tmp_path: Path, places: tuple[int, ...]) -> None:
    given = rows() | {f"attribution.{place}": rows()["attribution.0"] for place in places}
    features = explained_features(recipe(), {place: Product() for place in places}, given, TABLE, seed=0)
    keep_features(Draft(tmp_path, {}), features)
    read = kept_features(Run(tmp_path, {}), {})
    assert read is not None
    assert (read.target, read.paired) == (features.target, features.paired)
    assert list(read.dependence) == list(read.interactions) == list(places)
    for place in places:
        assert torch.equal(read.interactions[place], features.interactions[place])
        for panel, kept in zip(features.dependence[place], read.dependence[place], strict=True):
            assert torch.equal(kept.lines, panel.lines)
            for field in dataclasses.fields(panel.grid):
                was, value = getattr(panel.grid, field.name), getattr(kept.grid, field.name)
                if isinstance(was, Tensor):
                    torch.testing.assert_close(value, was, rtol=0, atol=0, equal_nan=True)
                else:
                    assert value == was


def test_where_nothing_was_kept_nothing_is_read(tmp_path: Path) -> None:
    assert kept_features(Run(tmp_path, {}), {}) is None
