"""Clusters of explanations: planted strategies are found, and the spectrum is that of the graph."""

import numpy as np
import pytest
import torch

from corrigible.errors import DataError, RecipeError
from corrigible.regions.clusters import _spectrum, cluster_explanations, down_sampled


def strategies(*corners: int, num_rows: int = 20) -> torch.Tensor:
    """Attributions of images that lie in one of these corners, as many rows of each, with some noise everywhere."""
    noise = torch.rand(len(corners) * num_rows, 2, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.1
    for place, corner in enumerate(corners):
        down, across = divmod(corner, 2)
        noise[place * num_rows : (place + 1) * num_rows, :, 4 * down : 4 * down + 4, 4 * across : 4 * across + 4] += 1
    return noise


@pytest.mark.parametrize("corners", [(0,), (0, 3), (0, 1, 3)])
def test_as_many_clusters_are_found_as_there_are_strategies(corners):
    attribution = strategies(*corners)
    (found,) = cluster_explanations(attribution, torch.full((len(attribution),), 5))
    assert (found.label, found.sizes) == (5, (20,) * len(corners))
    strategy = torch.arange(len(corners)).repeat_interleave(20)
    pairs = {(int(a), int(b)) for a, b in zip(strategy, found.cluster, strict=True)}
    assert len(pairs) == len(corners)
    for a, b in pairs:
        assert torch.allclose(found.means[b], attribution[strategy == a].mean(dim=0))


def test_an_eigenvalue_is_0_for_each_cluster_and_the_gap_is_the_step_after_the_last():
    (found,) = cluster_explanations(strategies(0, 3), torch.zeros(40, dtype=torch.long), num_neighbours=5)
    assert found.eigenvalues[:2].abs().max() < 1e-9
    assert found.eigenvalues[2] > 0.1
    assert found.gap == pytest.approx(float(found.eigenvalues[2] - found.eigenvalues[1]))


def test_classes_are_clustered_apart_and_the_largest_cluster_comes_first():
    attribution = torch.cat([strategies(0, 3)[:25], strategies(2)])
    y = torch.tensor([1] * 25 + [7] * 20)
    one, seven = cluster_explanations(attribution, y, num_neighbours=4)
    assert (one.label, one.sizes, seven.label, seven.sizes) == (1, (20, 5), 7, (20,))
    assert torch.equal(seven.rows, torch.arange(25, 45))


def test_a_rows_scale_does_not_matter_and_neither_does_the_order():
    attribution, y = strategies(0, 3), torch.zeros(40, dtype=torch.long)
    scale = torch.rand(40, 1, 1, 1, generator=torch.Generator().manual_seed(1)) + 0.1
    order = torch.randperm(40, generator=torch.Generator().manual_seed(2))
    (first,) = cluster_explanations(attribution, y)
    (second,) = cluster_explanations((attribution * scale)[order], y)
    assert torch.allclose(first.eigenvalues, second.eigenvalues, atol=1e-9)
    together = first.cluster[:, None] == first.cluster
    assert torch.equal((second.cluster[:, None] == second.cluster), together[order][:, order])


def test_the_spectrum_is_that_of_the_laplacian_written_out():
    values = np.random.default_rng(0).normal(size=(7, 3))
    joined = np.zeros((7, 7))
    for row in range(7):
        distances = ((values - values[row]) ** 2).sum(axis=1)
        distances[row] = np.inf
        for near in distances.argsort()[:2]:
            joined[row, near] = joined[near, row] = 1
    degree = joined.sum(axis=1)
    expected = np.eye(7) - joined / np.sqrt(degree[:, None] * degree)
    eigenvalues, vectors = _spectrum(values, 2)
    assert np.allclose(eigenvalues, np.linalg.eigvalsh(expected).clip(min=0))
    assert np.allclose(expected @ vectors.numpy(), vectors.numpy() * eigenvalues.numpy(), atol=1e-9)


def test_down_sampling_averages_pixels_and_leaves_tables_alone():
    images = torch.arange(32.0).view(1, 2, 4, 4)
    summed = images[0].sum(dim=0)
    expected = [summed[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for i in range(2) for j in range(2)]
    assert down_sampled(images, 2)[0].tolist() == [float(value) for value in expected]
    assert down_sampled(torch.ones(3, 40), 2).shape == (3, 40)
    assert down_sampled(torch.ones(3, 6, 5), 2).tolist() == [[5.0] * 4] * 3


def test_small_classes_are_left_out_and_what_does_not_fit_is_refused():
    attribution = torch.rand(5, 4)
    assert [c.label for c in cluster_explanations(attribution, torch.tensor([0, 0, 0, 1, 1]))] == [0]
    with pytest.raises(DataError, match="5 attributions and 3 classes"):
        cluster_explanations(attribution, torch.zeros(3, dtype=torch.long))
    with pytest.raises(RecipeError, match="side is 0"):
        cluster_explanations(attribution, torch.zeros(5, dtype=torch.long), side=0)
