"""Daxberger et al. 2021, Laplace redux: a normal distribution for the last layer of a network that was trained already.

Its mean are the trained weights, its precision is the curvature of the label losses and the prior there (section 2).
Outputs are linear in the last layer, so the curvature in full is that of each row's loss by its outputs, spread over
the layer's inputs.
"""

import logging
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.batches import collate
from corrigible.data.dataset import as_dataset, labelled, task_of
from corrigible.data.protocol import Dataset
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.figures import number
from corrigible.models.bayes.gaussian_weights import GaussianWeights
from corrigible.models.bayes.last_layer import last_linear
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.networks import copied, network_of
from corrigible.protocols.schedule import require_fit
from corrigible.types import Batch, Task

log = logging.getLogger(__name__)
ROWS_AT_ONCE = 256
PRIORS = (-3, 3)
"""Powers of ten between which the standard deviation of the prior is looked for."""


def last_layer_laplace(model: nn.Module, data: Any, *, prior_std: float | None = None) -> GaussianWeights:
    """A copy of the model whose last layer has a normal distribution, for `predictive`.

    The covariance is the inverse of the Hessian of the summed label losses and of the prior N(0, prior_std²), over all
    weights and biases of the layer. It costs one pass over the rows and the inverse of a matrix of that size.

    Args:
        data: the training rows, as `correct` takes them.
        prior_std: None for the one that makes the labels most likely (section 3: the marginal likelihood), logged.

    Raises:
        UnsupportedModelError: a task without classes, or outputs that are not those of the last linear layer.
        RecipeError: a ``prior_std`` that is not above 0.
    """
    if prior_std is not None and not (isinstance(prior_std, int | float) and prior_std > 0):
        raise RecipeError(f"prior_std is {prior_std!r}; expected a number above 0, or None")
    dataset, network = labelled(as_dataset(data)), copied(network_of(model))
    require_fit(network, dataset)
    if task_of(dataset).logits is None:
        raise UnsupportedModelError(
            f"the task is {task_of(dataset).name!r}; the Laplace approximation here is of classes"
        )
    name = last_linear(network)
    layer: Any = network.get_submodule(name)
    with evaluating(network):
        precision = _hessian(network, name, dataset)
    if prior_std is None:
        prior_std = _likeliest_prior(layer, precision)
        log.info(f"the prior of layer {name!r} has standard deviation {number(prior_std)}")
    precision.diagonal().add_(prior_std**-2)
    root, problem = torch.linalg.cholesky_ex(precision)
    if problem:
        raise UnsupportedModelError("the label losses are not curved upwards at these weights; train the model first")
    # With precision = L Lᵀ, the columns of L⁻ᵀ are directions whose outer products sum to the covariance.
    eye = torch.eye(len(root), dtype=root.dtype, device=root.device)
    columns = torch.linalg.solve_triangular(root, eye, upper=False).to(layer.weight.dtype)
    per_output = columns.reshape(len(columns), layer.out_features, -1)
    directions = {f"{name}.weight" if name else "weight": per_output[:, :, : layer.in_features]}
    if layer.bias is not None:
        directions[f"{name}.bias" if name else "bias"] = per_output[:, :, -1]
    return GaussianWeights(network, {}, directions)


def _likeliest_prior(layer: Any, hessian: Float[Tensor, " weight weight"]) -> float:
    """The standard deviation σ of the prior with the largest marginal likelihood of the labels at these weights θ.

    Its logarithm is -|θ|² / 2σ² - P log σ - ½ Σ log(λ + σ⁻²) and what does not depend on σ, with λ the P eigenvalues of
    the Hessian.
    """
    squares = sum(float(p.detach().double().square().sum()) for p in (layer.weight, layer.bias) if p is not None)
    curvatures = torch.linalg.eigvalsh(hessian).clamp_min(0.0)
    stds = torch.logspace(*PRIORS, 601, dtype=hessian.dtype, device=hessian.device)
    volumes = (curvatures + stds[:, None] ** -2).log().sum(dim=1) / 2
    likelihoods = -squares / (2 * stds.square()) - len(curvatures) * stds.log() - volumes
    best = int(likelihoods.argmax())
    if best in (0, len(stds) - 1):
        found = f"no prior from {float(stds[0]):g} to {float(stds[-1]):g} makes the labels most likely"
        raise UnsupportedModelError(f"{found}: the last layer's weights are all but 0, or huge; give prior_std")
    return float(stds[best])


def _hessian(network: nn.Module, name: str, dataset: Dataset) -> Float[Tensor, " weight weight"]:
    """Of the sum of the label losses by the layer's weights, with each output's bias behind its weights."""
    layer: Any = network.get_submodule(name)
    sizes = layer.out_features, layer.in_features + (layer.bias is not None)
    total = torch.zeros(*sizes, *sizes, dtype=torch.float64, device=layer.weight.device)
    for index in torch.arange(len(dataset)).split(ROWS_AT_ONCE):
        batch = collate(dataset, index).to(layer.weight.device)
        features, outputs = _last_layer(network, layer, like_parameters(batch.x, network), name)
        if layer.bias is not None:
            features = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
        total += torch.einsum("nab,ni,nj->aibj", _curvature(outputs, batch, task_of(dataset)), features, features)
    return total.flatten(2).flatten(0, 1)


def _last_layer(network: nn.Module, layer: nn.Module, x: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """The layer's inputs and its outputs, which must be the model's, in double precision."""
    seen: list[tuple[Tensor, Tensor]] = []
    hook = layer.register_forward_hook(lambda _, given, found: seen.append((given[0], found)))
    try:
        with torch.no_grad():
            outputs = network(x.clone())
    finally:
        hook.remove()
    if len(seen) != 1 or seen[0][0].ndim != 2 or not torch.equal(seen[0][1], outputs):
        raise UnsupportedModelError(f"the outputs are not those of layer {name!r}; expected it to be the last")
    return seen[0][0].double(), outputs.double()


def _curvature(outputs: Tensor, batch: Batch, task: Task) -> Float[Tensor, " batch output output"]:
    """The second derivatives of each row's weighted loss by its outputs."""
    with torch.enable_grad():
        outputs = outputs.requires_grad_()
        losses = task.loss(task.outputs(outputs), batch.y, batch.extra)
        total = losses.sum() if batch.weight is None else (losses * batch.weight).sum()
        (slopes,) = torch.autograd.grad(total, outputs, create_graph=True)
        rows = [torch.autograd.grad(slope, outputs, retain_graph=True)[0] for slope in slopes.sum(dim=0)]
    return torch.stack(rows, dim=1)
