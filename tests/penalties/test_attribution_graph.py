"""The graph prior, against its sum over edges and its Laplacian."""

import pytest
import torch

from corrigible.errors import RecipeError
from corrigible.explanations.attribution.expected_gradients import expected_gradients_of
from corrigible.explanations.features import mean_sizes
from corrigible.models.forward import Forward
from corrigible.objective import terms_of
from corrigible.penalties import PENALTIES
from corrigible.penalties.attribution_graph import attribution_graph

EDGES = [[0, 1], [1, 3], [2, 0]]


def sizes_of(case, background) -> list[float]:
    forward = Forward(case.model, case.batch)
    found = expected_gradients_of(forward, case.batch.y, background=background, score="target_log_prob")
    return mean_sizes(found, case.batch.columns).tolist()


def test_is_the_mean_over_edges_of_squared_differences(case):
    background = case.batch.x.flip(0)
    sizes = sizes_of(case, background)
    expected = sum((sizes[a] - sizes[b]) ** 2 for a, b in EDGES) / 3
    found = attribution_graph(Forward(case.model, case.batch), case.batch, edges=EDGES, background=background)
    assert found.item() == pytest.approx(expected)


def test_with_weights_it_is_the_form_of_the_laplacian(table_case):
    """φᵀ (D − W) φ over the sum of the edges' weights."""
    sizes = torch.tensor(sizes_of(table_case, None), dtype=torch.float64)
    weights = [0.5, 2.0, 3.0]
    adjacency = torch.zeros(4, 4, dtype=torch.float64)
    for (a, b), weight in zip(EDGES, weights, strict=True):
        adjacency[a, b] = adjacency[b, a] = weight
    laplacian = torch.diag(adjacency.sum(1)) - adjacency
    forward = Forward(table_case.model, table_case.batch)
    found = attribution_graph(forward, table_case.batch, edges=EDGES, edge_weights=weights)
    torch.testing.assert_close(found, sizes @ laplacian @ sizes / 5.5)


def test_is_zero_where_an_edge_joins_a_feature_to_itself(table_case):
    forward = Forward(table_case.model, table_case.batch)
    assert attribution_graph(forward, table_case.batch, edges=[[2, 2]]) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "edges are None; expected pairs"),
        ({"edges": []}, "expected pairs"),
        ({"edges": [[0, 1, 2]]}, "expected pairs"),
        ({"edges": [[0, 4]]}, "the rows have 0 to 3"),
        ({"edges": [[-1, 2]]}, "the rows have 0 to 3"),
        ({"edges": [[0, 1]], "edge_weights": [1.0, 2.0]}, "expected 1 numbers"),
        ({"edges": [[0, 1]], "edge_weights": [-1.0]}, "at least 0"),
        ({"edges": [[0, 1]], "edge_weights": [0.0]}, "not all 0"),
    ],
)
def test_edges_that_do_not_fit_are_refused(settings, message, table_case):
    with pytest.raises(RecipeError, match=message):
        attribution_graph(Forward(table_case.model, table_case.batch), table_case.batch, **settings)


def test_a_recipe_gives_edges_as_lists(monkeypatch):
    monkeypatch.setitem(PENALTIES, "attribution_graph", attribution_graph)
    terms_of({"attribution_graph": {"weight": 1.0, "edges": [[0, 1]], "edge_weights": [2]}})
    for wrong in ([0, 1], [[0.5, 1]], 3):
        with pytest.raises(RecipeError, match="setting 'edges'"):
            terms_of({"attribution_graph": {"weight": 1.0, "edges": wrong}})
