"""Where a model looks on each row: the maps that proposals and queries start from."""

import logging
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import interpolate

from corrigible.data.dataset import TensorData, task_of
from corrigible.errors import UnsupportedModelError
from corrigible.explanations.attribution.grad_cam import class_map_of
from corrigible.explanations.explaining import Method, explain
from corrigible.explanations.features import by_feature
from corrigible.explanations.passes import pass_over, require_finite
from corrigible.explanations.words import by_token, settings_for_texts
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.modes import like_parameters, untouched
from corrigible.regions.effects import logit_of_class

log = logging.getLogger(__name__)

Sign = Literal["absolute", "positive", "negative"]
"""Which attribution counts: all of it, that for the prediction, or that against it."""
PLAIN_METHOD = "integrated_gradients"
"""The explainer of tables and texts, and of networks without a convolution."""


class ImageMaps(NamedTuple):
    """Where a network looks in images."""

    gradient: Float[Tensor, " row channel height width"]
    """The explainer's map, with its sign."""
    class_map: Float[Tensor, " row 1 height width"] | None
    """Grad-CAM without its ReLU; None where the network has no layer that gives one."""


def place_attribution(
    model: nn.Module, rows: TensorData, target: Int[Tensor, " row"], *, method: Method = PLAIN_METHOD, seed: int = 0
) -> Float[Tensor, " row *place"]:
    """The attribution of each pixel, feature or word, with its sign: sums over channels, columns and vectors.

    The shape is (row, height, width), (row, feature) or (row, word); a feature's attribution is at least 0.
    """
    settings: dict[str, Any] = {"task": task_of(rows), "columns": rows.columns, "seed": seed}
    if rows.tokens is not None and isinstance(method, str):
        settings |= settings_for_texts(method, {})
    found = explain(model, rows.x, target, method=method, **settings).cpu()
    if rows.columns is not None:
        return by_feature(found, rows.columns)
    return by_token(found) if found.ndim == 3 else found.sum(dim=1) if found.ndim == 4 else found


def image_maps(
    model: nn.Module, rows: TensorData, target: Int[Tensor, " row"], *, method: Method = "input_gradient", seed: int = 0
) -> ImageMaps:
    """The explainer's map and Grad-CAM's without its ReLU, at the images' resolution, from as few passes as it takes.

    A network without a layer for Grad-CAM is explained by ``PLAIN_METHOD`` in place of the input gradient, and a
    record of the log says so.
    """
    x = like_parameters(rows.x, model)
    size = rows_that_fit(model, x[:1])
    parts = [
        _maps(model, x[start : start + size], target[start : start + size], seed) for start in range(0, len(x), size)
    ]
    gradient = torch.cat([part.gradient for part in parts])
    class_maps = [part.class_map for part in parts if part.class_map is not None]
    class_map = torch.cat(class_maps) if class_maps else None
    if class_map is None and method == "input_gradient":
        log.info(f"this network gives no class map; {PLAIN_METHOD} alone shows where it looks")
        method = PLAIN_METHOD
    if method != "input_gradient":
        gradient = explain(model, rows.x, target, method=method, task=task_of(rows), seed=seed).cpu()
    require_finite(gradient, "input_gradient")
    return ImageMaps(gradient, class_map)


def _maps(model: nn.Module, x: Tensor, target: Tensor, seed: int) -> ImageMaps:
    with untouched(model, seed):
        forward = pass_over(model, x, target.to(x.device), seed=seed)
        gradient = forward.input_gradient(logit_of_class, forward.batch.y, create_graph=False).detach().cpu()
        try:
            found = class_map_of(forward, forward.batch.y, score=logit_of_class, create_graph=False).detach()
        except UnsupportedModelError:
            return ImageMaps(gradient, None)
        enlarged = interpolate(found, size=x.shape[2:], mode="bilinear", align_corners=False)
        return ImageMaps(gradient, enlarged.cpu())


def signed(values: Tensor, sign: Sign) -> Tensor:
    """The part of the attribution that counts, at least 0."""
    return values.abs() if sign == "absolute" else (values if sign == "positive" else -values).clamp_min(0)


def kept(values: Float[Tensor, " *place"], share: float) -> Float[Tensor, " *place"]:
    """The values, at least 0, in the smallest set of places that holds this share of their sum; 0 elsewhere."""
    flat = values.flatten()
    order = flat.argsort(descending=True, stable=True)
    sums = flat[order].double().cumsum(0)
    count = int((sums < share * sums[-1] * (1 - 1e-12)).sum()) + 1 if sums[-1] > 0 else 0
    found = torch.zeros_like(flat)
    found[order[:count]] = flat[order[:count]]
    return found.view(values.shape)
