"""EK-FAC against its definition: the Gauss-Newton matrix, block by block, its diagonal in a Kronecker basis."""

import pytest
import torch
from torch import nn

from corrigible import TensorData
from corrigible.errors import UnsupportedModelError
from corrigible.losses import task_loss
from corrigible.models.flat_weights import flat_weights
from corrigible.protocols.influence import ek_fac
from corrigible.protocols.influence.curvature import curvature_matrix
from corrigible.protocols.influence.ek_fac import ek_fac_inverse
from corrigible.protocols.influence.influence import influence
from corrigible.protocols.influence.learned import Learned
from fitted import rows

X, Y = rows(30)
QUERY = rows(3, seed=1)


def learned_of(model, x, y, **more):
    return Learned(model.eval(), TensorData(x, y, **more), task_loss)


def kronecker_basis(given, back):
    """The eigenvectors of the sums of outer products of a layer's inputs and of the gradients behind it."""
    vectors = [torch.linalg.eigh(sum(torch.outer(row, row) for row in part))[1] for part in (back, given)]
    return torch.kron(*vectors)


def test_a_block_is_the_diagonal_in_the_basis_of_inputs_and_gradients():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Tanh(), nn.Linear(4, 2, bias=False)).double()
    learned = learned_of(model, X, Y)
    matrix = curvature_matrix(learned, "gauss_newton")
    probs, hidden = model(X).softmax(dim=1).detach(), model[:2](X).detach()
    at_last = []
    for p in probs:
        values, vectors = torch.linalg.eigh(torch.diag(p) - torch.outer(p, p))
        at_last.append(vectors * values.clamp_min(0).sqrt())
    of_last = [root[:, k] for root in at_last for k in range(2)]
    of_first = [
        (model[2].weight.detach().T @ root[:, k]) * (1 - h.square())
        for root, h in zip(at_last, hidden, strict=True)
        for k in range(2)
    ]
    expected = torch.zeros_like(matrix)
    for start, stop, given, back in ((0, 12, X, of_first), (12, 20, hidden, of_last)):
        basis = kronecker_basis(given, back)
        block = matrix[start:stop, start:stop]
        expected[start:stop, start:stop] = basis @ torch.diag((basis.T @ block @ basis).diagonal()) @ basis.T
    vectors = torch.randn(5, 20, dtype=torch.float64)
    solved = ek_fac_inverse(learned, "gauss_newton", 0.1).solve(vectors)
    assert torch.allclose(solved @ (expected + 0.1 * torch.eye(20)), vectors, atol=1e-8)


def test_it_is_exact_for_a_linear_model_of_amounts():
    torch.manual_seed(0)
    data = TensorData(X, X[:, 0] + 0.1 * torch.randn(30).double(), task="amounts")
    query = TensorData(QUERY[0], QUERY[0][:, 1], task="amounts")
    model = nn.Linear(3, 1).double()
    found = [influence(model, data, query, method=method, damping=0.01).values for method in ("ek_fac", "exact")]
    assert torch.allclose(*found)


def test_convolutions_with_one_position_are_linear_layers():
    torch.manual_seed(0)
    images = torch.randn(30, 2, 3, 3, dtype=torch.float64)
    convolution = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Tanh(), nn.Linear(4, 2)).double()
    linear = nn.Sequential(nn.Flatten(), nn.Linear(18, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    with torch.no_grad():
        linear[1].weight.copy_(convolution[0].weight.flatten(1))
        linear[1].bias.copy_(convolution[0].bias)
        linear[3].load_state_dict(convolution[3].state_dict())
    solved = [
        ek_fac_inverse(learned_of(model, images, Y), "gauss_newton", 0.01).solve(torch.ones(1, 86, dtype=torch.float64))
        for model in (convolution, linear)
    ]
    assert torch.allclose(*solved)


def test_with_positions_the_entries_are_those_of_whole_rows():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 2, stride=2, bias=False), nn.Tanh(), nn.Flatten(), nn.Linear(8, 2)).double()
    model[3].requires_grad_(False)
    learned = learned_of(model, torch.randn(30, 1, 4, 4, dtype=torch.float64), Y)
    inverse = ek_fac_inverse(learned, "gauss_newton", 0.0)
    # The trace of the matrix is that of its diagonal in any orthogonal basis.
    eye = torch.eye(8, dtype=torch.float64)
    matrix = torch.linalg.inv(inverse.solve(eye))
    assert torch.allclose(matrix.trace(), curvature_matrix(learned, "gauss_newton").trace())


@pytest.mark.parametrize("positions", [1, 4])
def test_neither_the_division_of_rows_nor_rows_that_count_for_nothing_matter(monkeypatch, positions):
    torch.manual_seed(0)
    images = torch.randn(30, 1, 2, 2 * positions, dtype=torch.float64)
    last = nn.Linear(2 * positions, 2)
    model = nn.Sequential(nn.Conv2d(1, 2, 2, stride=2), nn.Tanh(), nn.Flatten(), last).double()
    weight, vectors = (torch.arange(30) % 3 > 0).double(), torch.randn(2, flat_weights(model).count).double()
    whole = ek_fac_inverse(learned_of(model, images, Y, weight=weight), "gauss_newton", 0.01).solve(vectors)
    counted = weight > 0
    for numbers in (2**22, 40):
        monkeypatch.setattr(ek_fac, "MOST_NUMBERS", numbers)
        kept = ek_fac_inverse(learned_of(model, images[counted], Y[counted]), "gauss_newton", 0.01).solve(vectors)
        assert torch.allclose(kept, whole)


def test_a_loss_without_curvature_leaves_the_damping_alone():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    learned = Learned(model.eval(), TensorData(X, Y), lambda forward, batch: forward.outputs.sum(dim=1))
    vectors = torch.ones(1, 26, dtype=torch.float64)
    assert torch.allclose(ek_fac_inverse(learned, "gauss_newton", 0.5).solve(vectors), 2 * vectors)


def test_other_weights_count_by_the_diagonal():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 2)).double()
    learned = learned_of(model, X, Y)
    names = flat_weights(model).names
    place = sum(dict(model.named_parameters())[name].numel() for name in names[: names.index("1.weight")])
    diagonal = curvature_matrix(learned, "gauss_newton").diagonal()[place : place + 8]
    solved = ek_fac_inverse(learned, "gauss_newton", 0.1).solve(torch.ones(1, learned.weights.count).double())
    assert torch.allclose(solved[0, place : place + 8], 1 / (diagonal + 0.1))


def test_penalties_and_shared_layers_are_refused():
    with pytest.raises(UnsupportedModelError, match="knows the curvature of label losses alone"):
        influence(nn.Linear(3, 2).double(), (X, Y), QUERY, method="ek_fac", penalties={"weight_norm": 1.0})
    inner = nn.Linear(3, 3)
    shared = nn.Sequential(inner, nn.Tanh(), inner, nn.Linear(3, 2)).double()
    with pytest.raises(UnsupportedModelError, match="runs 2 times in a pass"):
        influence(shared, (X, Y), QUERY, method="ek_fac")


def test_a_weight_of_two_layers_is_refused():
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3), nn.Linear(3, 2)).double()
    model[2].weight = model[0].weight
    with pytest.raises(UnsupportedModelError, match="'0.weight' belongs to several layers"):
        influence(model, (X, Y), QUERY, method="ek_fac")
