"""How the objective bends at a network's weights: its Hessian, or the Gauss-Newton matrix in place of the labels' part.

Schraudolph 2002, Fast curvature matrix-vector products: the Gauss-Newton matrix is Jᵀ C J with J the outputs' Jacobian
and C the loss's Hessian by the outputs. It leaves out how the network itself bends, and has no negative eigenvalue.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vjp

from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.explanations.examples.row_gradients import pulled_back, rows_in_memory
from corrigible.models.forward import Forward, Loss
from corrigible.protocols.influence.learned import Learned
from corrigible.types import Batch

Curvature = str
"""One of the two."""
KINDS = ("hessian", "gauss_newton")
MOST_WEIGHTS = 5000
"""The most weights for which a whole matrix is made."""
VECTORS_AT_ONCE = 64


def require_curvature(kind: str) -> None:
    """Raises RecipeError for anything but one of the two."""
    if kind not in KINDS:
        raise RecipeError(f"curvature is {kind!r}; expected 'hessian' or 'gauss_newton'")


def curvature_matrix(learned: Learned, kind: Curvature) -> Float[Tensor, " weight weight"]:
    """The whole matrix, in double precision.

    Raises:
        UnsupportedModelError: more than 5,000 weights.
    """
    count = learned.weights.count
    if count > MOST_WEIGHTS:
        raise UnsupportedModelError(
            f"the model has {count:,} trainable weights; expected at most {MOST_WEIGHTS:,} for a whole Hessian: choose "
            "method 'conjugate_gradients', 'ek_fac' or 'last_layer', or freeze some with requires_grad_(False)"
        )
    eye = torch.eye(count, dtype=learned.theta.dtype, device=learned.theta.device)
    if kind == "gauss_newton":
        total = learned.weight_decay * eye.double()
        for _, rows in root_gradients(learned):
            total += rows.T.double() @ rows.double()
        if learned.without_labels is None:
            return total
        return total + _in_parts(learned.without_labels, eye) - learned.weight_decay * eye.double()
    return _in_parts(learned, eye)


def _in_parts(learned: Learned, vectors: Tensor) -> Tensor:
    found = torch.cat([learned.products(part) for part in vectors.split(VECTORS_AT_ONCE)]).double()
    symmetric: Tensor = (found + found.T) / 2
    return symmetric


def curvature_products(
    learned: Learned, kind: Curvature, vectors: Float[Tensor, " vector weight"]
) -> Float[Tensor, " vector weight"]:
    """The matrix times each of the vectors, without making it."""
    if kind == "hessian":
        return learned.products(vectors)
    rest = learned.without_labels
    total = learned.weight_decay * vectors if rest is None else rest.products(vectors)
    shares = learned.row_shares
    for index in rows_in_memory(learned.index, 1):
        batch = learned.batch(index)
        bend = output_curvature(learned.network, batch, learned.loss) * shares[index.to(shares.device), None, None]
        total = total + torch.stack([_product(learned, batch, bend, vector) for vector in vectors])
    return total


def _product(learned: Learned, batch: Batch, bend: Tensor, vector: Tensor) -> Float[Tensor, " weight"]:
    forward = Forward(learned.network, batch, track_input=False)
    read, weights = forward.task.outputs, learned.weights

    def outputs(at: dict[str, Tensor]) -> Tensor:
        found: Tensor = read(functional_call(learned.network, at, (forward.x,)))
        return found

    values = weights.named(learned.theta)
    found, pulled = vjp(outputs, values)[:2]
    # J v as the derivative of Jᵀ u by u: PyTorch's forward mode would compile its rules first.
    (moved,) = vjp(lambda u: pulled(u)[0], torch.zeros_like(found))[1](weights.named(vector))
    back = pulled(torch.einsum("nab,nb->na", bend, moved))[0]
    return torch.cat([back[name].flatten() for name in weights.names]).detach()


def root_gradients(learned: Learned) -> Iterator[tuple[Tensor, Float[Tensor, " row weight"]]]:
    """Rows whose outer products sum to the Gauss-Newton matrix of the label loss, with the positions they are of."""
    shares = learned.row_shares
    for index in rows_in_memory(learned.index, learned.weights.count):
        batch = learned.batch(index)
        roots = roots_of(output_curvature(learned.network, batch, learned.loss))
        for column in roots.unbind(dim=2):
            found = pulled_back(learned.network, learned.weights, batch, column)
            yield index, found * shares[index.to(shares.device), None].sqrt()


def output_curvature(network: nn.Module, batch: Batch, loss: Loss) -> Float[Tensor, " row output output"]:
    """The second derivatives of each row's loss by its outputs."""
    forward = Forward(network, batch, track_input=False)
    losses = loss(forward, batch)
    (slopes,) = torch.autograd.grad(losses.sum(), forward.outputs, create_graph=True)
    if not slopes.requires_grad:
        return slopes.new_zeros(*slopes.shape, slopes.shape[1])
    rows = [
        torch.autograd.grad(slope, forward.outputs, retain_graph=True, allow_unused=True)[0]
        for slope in slopes.sum(dim=0)
    ]
    return torch.stack([torch.zeros_like(slopes) if row is None else row for row in rows], dim=1).detach()


def roots_of(bend: Float[Tensor, " row output output"]) -> Float[Tensor, " row output column"]:
    """Matrices R with R Rᵀ = the given ones, whose negative eigenvalues count as 0."""
    values, vectors = torch.linalg.eigh(bend)
    roots: Tensor = vectors * values.clamp_min(0).sqrt()[:, None, :]
    return roots
