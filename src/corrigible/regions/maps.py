"""Where a model looks on each row, from one pass where that is possible: what proposals and queries start from."""

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
from corrigible.explanations.reading import meaning_of
from corrigible.explanations.scores import score_named
from corrigible.explanations.words import by_token, settings_for_texts
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.forward import Forward
from corrigible.models.modes import like_parameters, untouched
from corrigible.outputs import class_logits
from corrigible.regions.effects import logit_of_class, predicted

Sign = Literal["absolute", "positive", "negative"]
"""Which attribution counts: all of it, that for the prediction, or that against it."""
CLASS_MAP = "input_gradient x class map"
"""The name of the map of images: the input gradient times Grad-CAM without its ReLU."""
PLAIN_METHOD = "integrated_gradients"
"""The explainer of tables, texts and sequences, and of networks that give no class map."""


class LookedAt(NamedTuple):
    """Where a model looks on some rows."""

    target: Int[Tensor, " row"]
    """What is explained of each row: for classes, the predicted one."""
    places: Float[Tensor, " row *place"]
    """How much each pixel, feature or word counts, at least 0."""
    method: str
    """The name of the explainer that says so."""


def places_looked_at(
    model: nn.Module, rows: TensorData, *, method: Method | None = None, sign: Sign = "absolute", seed: int = 0
) -> LookedAt:
    """What is explained of each row, how much each pixel, feature or word counts for it, and by which explainer.

    The places are (height, width), (feature,) or (word,). Images are explained by ``PLAIN_METHOD`` where the network
    gives no class map, as one without a convolution.

    Args:
        method: an explainer; None for ``CLASS_MAP`` of images, and ``PLAIN_METHOD`` of other data.

    Raises:
        RecipeError: an unknown method.
        DataError: an attribution that is NaN or infinite.
    """
    if rows.x.ndim == 4 and method is None:
        found = _class_maps(model, rows, sign, seed)
        if found is not None:
            return LookedAt(*found, CLASS_MAP)
    target, chosen = predicted(model, rows.x, task_of(rows), None, seed=seed), method or PLAIN_METHOD
    places = _attribution(model, rows, target, method=chosen, sign=sign, seed=seed)
    return LookedAt(
        target, places, chosen if isinstance(chosen, str) else getattr(chosen, "__name__", type(chosen).__name__)
    )


def _attribution(
    model: nn.Module, rows: TensorData, target: Tensor, *, method: Method, sign: Sign, seed: int
) -> Float[Tensor, " row *place"]:
    settings: dict[str, Any] = {"task": task_of(rows), "columns": rows.columns, "seed": seed}
    if rows.tokens is not None and isinstance(method, str):
        settings |= settings_for_texts(method, {})
    found = explain(model, rows.x, target, method=method, **settings).cpu()
    if rows.columns is not None:
        return by_feature(signed(found, sign), rows.columns)
    if found.ndim == 3:
        return signed(by_token(found), sign)
    return signed(found, sign).sum(dim=1) if found.ndim == 4 else signed(found, sign)


def _class_maps(
    model: nn.Module, rows: TensorData, sign: Sign, seed: int
) -> tuple[Int[Tensor, " row"], Float[Tensor, " row height width"]] | None:
    """The prediction and the map of each image from one pass; None where the network gives no class map."""
    x, parts = like_parameters(rows.x, model), []
    size = rows_that_fit(model, x[:1]) if len(x) > 1 else 1
    with untouched(model, seed):
        for part in x.split(size):
            forward = pass_over(model, part, torch.zeros(len(part), dtype=torch.long, device=part.device), seed=seed)
            try:
                parts.append(_class_map(forward, rows, sign))
            except UnsupportedModelError:
                return None
    target, maps = (torch.cat(both) for both in zip(*parts, strict=True))
    require_finite(maps, CLASS_MAP)
    return target, maps


def _class_map(forward: Forward, rows: TensorData, sign: Sign) -> tuple[Tensor, Tensor]:
    task, outputs = task_of(rows), forward.outputs
    meaning = meaning_of(task, outputs, None, of_classes=logit_of_class)
    is_classes = task.name == "classes"
    target = class_logits(outputs).argmax(dim=1) if is_classes else meaning.target(outputs)
    score = score_named(meaning.score, forward)
    found = class_map_of(forward, target, score=score, create_graph=False)
    gradient = forward.input_gradient(score, target, create_graph=False).detach()
    enlarged = interpolate(found.detach(), size=gradient.shape[2:], mode="bilinear", align_corners=False)
    product = signed(gradient, sign).sum(dim=1) * signed(enlarged[:, 0], sign)
    return target.detach().cpu(), product.cpu()


def signed(values: Tensor, sign: Sign) -> Tensor:
    """The part of the attribution that counts, at least 0."""
    return values.abs() if sign == "absolute" else (values if sign == "positive" else -values).clamp_min(0)


def kept(values: Float[Tensor, " *place"], share: float) -> Float[Tensor, " *place"]:
    """The values, at least 0, in the smallest set of places that holds this share of their sum; 0 elsewhere."""
    flat = values.flatten()
    order = flat.argsort(descending=True, stable=True)
    sums = flat[order].double().cumsum(0)
    count = int((sums < share * sums[-1] * (1 - 1e-12)).sum()) + 1 if len(flat) and sums[-1] > 0 else 0
    found = torch.zeros_like(flat)
    found[order[:count]] = flat[order[:count]]
    return found.view(values.shape)
