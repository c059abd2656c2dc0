"""What `explain.py` times: each case is the same work done here and by a peer."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import captum.attr as captum
import numpy as np
import shap
import torch
from explain_subjects import Subject, digits, table
from lime.lime_image import LimeImageExplainer
from torch import Tensor

from corrigible import explain
from corrigible.explanations.groups import by_group

SAMPLES = 50
SEGMENT = 4
"""Pixels to a side; 49 segments to a digit."""


class Case(NamedTuple):
    name: str
    peer: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    agreement: Callable[[], dict[str, float]]
    at_least: float
    """The ratio to reach."""
    share: float = 1.0
    """Part of the rows that the peer explains."""


def ours(subject: Subject, method: str, **settings: Any) -> Callable[[], Tensor]:
    return partial(explain, subject.model, subject.x, subject.target, method=method, **settings)


def peer(method: str, subject: Subject, **settings: Any) -> Callable[[], Tensor]:
    """captum's method of that name; it wants the rows to ask for gradients."""
    explainer = getattr(captum, method)(subject.model)
    return lambda: explainer.attribute(subject.x.clone().requires_grad_(), target=subject.target, **settings).detach()


def table_cases() -> Iterator[Case]:
    subject = table()
    gradients = (
        ("input_gradient", {}, "Saliency", {"abs": False}),
        ("integrated_gradients", {"steps": SAMPLES}, "IntegratedGradients", {"n_steps": SAMPLES}),
    )
    for method, settings, name, theirs in gradients:
        yield same_work(f"table: {method}", subject, method, settings, name, theirs, 8)
    yield Case(
        f"table: expected_gradients, {SAMPLES} samples", "captum GradientShap",
        ours(subject, "expected_gradients", samples=SAMPLES, background=subject.background),
        peer("GradientShap", subject, n_samples=SAMPLES, stdevs=0.0, baselines=subject.background),
        lambda: correlated(
            ours(subject, "expected_gradients", samples=SAMPLES, background=subject.background)(),
            peer("GradientShap", subject, n_samples=SAMPLES, stdevs=0.0, baselines=subject.background)(),
        ), 8,
    )  # fmt: skip
    reference = explain(subject.model, subject.x[:100], subject.target[:100], method="permutation_shapley", samples=400)
    yield sampled_by_captum("table: kernel_shap, n = 256", subject, reference, {}, num_rows=4, at_least=500)
    yield kernel_by_shap(subject, reference)
    yield permutations_by_shap(subject, reference)
    yield exact_by_captum(subject)


def image_cases() -> Iterator[Case]:
    subject = digits()
    occlusion = {"sliding_window_shapes": (1, SEGMENT, SEGMENT), "strides": (1, SEGMENT, SEGMENT)}
    exact = (
        ("input_gradient", {}, "Saliency", {"abs": False}, 1),
        ("occlusion", {"patch": SEGMENT}, "Occlusion", occlusion, 1),
        ("deep_lift", {}, "DeepLift", {}, 1),
        ("integrated_gradients", {"steps": SAMPLES}, "IntegratedGradients", {"n_steps": SAMPLES}, 2),
    )
    for method, settings, name, theirs, at_least in exact:
        yield same_work(f"images: {method}", subject, method, settings, name, theirs, at_least)
    yield smooth_grad(subject)
    yield grad_cam(subject)
    segments = segments_of(subject.x)
    reference = explain(
        subject.model, subject.x[:32], subject.target[:32], method="permutation_shapley", samples=400, groups=segments
    )
    mask = {"feature_mask": segments[None]}
    yield sampled_by_captum("images: kernel_shap, n = 256", subject, reference, mask, num_rows=8, at_least=12)
    yield lime_images(subject, segments)


def same_work(
    name: str, subject: Subject, method: str, settings: dict[str, Any], theirs: str, their_settings: dict[str, Any],
    at_least: float,
) -> Case:  # fmt: skip
    exact = subject.double().first(64)
    return Case(
        name, f"captum {theirs}", ours(subject, method, **settings), peer(theirs, subject, **their_settings),
        lambda: differing(ours(exact, method, **settings)(), peer(theirs, exact, **their_settings)()), at_least,
    )  # fmt: skip


def sampled_by_captum(
    name: str, subject: Subject, reference: Tensor, mask: dict[str, Tensor], *, num_rows: int, at_least: float
) -> Case:
    """captum explains one row at a time, one coalition at a time, as its defaults have it."""
    groups = {"groups": mask["feature_mask"][0]} if mask else {}
    mine = ours(subject, "kernel_shap", samples=256, **groups)
    few = subject.first(num_rows)
    theirs = peer("KernelShap", few, n_samples=256, **mask)

    def agreement() -> dict[str, float]:
        sizes = 1.0 if not mask else SEGMENT**2
        return {
            "correlation": correlation(mine()[: len(reference)], reference),
            "peer_correlation": correlation(theirs() / sizes, reference[:num_rows]),
        }

    return Case(name, "captum KernelShap", mine, theirs, agreement, at_least, num_rows / len(subject.x))


def kernel_by_shap(subject: Subject, reference: Tensor) -> Case:
    num_rows, samples = 4, 2048
    mine = ours(subject, "kernel_shap", samples=samples)
    explainer = shap.KernelExplainer(numpy_logits(subject), np.zeros((1, subject.x.shape[1])))

    def theirs() -> Tensor:
        few = subject.x[:num_rows].numpy()
        return of_target(explainer.shap_values(few, nsamples=samples, l1_reg=False, silent=True), subject)

    def agreement() -> dict[str, float]:
        found = mine()[: len(reference)]
        return {
            "correlation": correlation(found, reference),
            "peer_correlation": correlation(theirs(), reference[:num_rows]),
        }

    name = f"table: kernel_shap, n = {samples}"
    return Case(name, "shap KernelExplainer", mine, theirs, agreement, 50, num_rows / len(subject.x))


def permutations_by_shap(subject: Subject, reference: Tensor) -> Case:
    """At equal correlation with the reference: as many orders as give at least the peer's."""
    num_rows = 20
    explainer = shap.PermutationExplainer(numpy_logits(subject), np.zeros((1, subject.x.shape[1])), seed=0)

    def theirs() -> Tensor:
        return of_target(explainer(subject.x[:num_rows].numpy(), silent=True).values, subject)

    peers = correlation(theirs(), reference[:num_rows])
    samples = next(
        count
        for count in range(1, 100)
        if correlation(ours(subject.first(len(reference)), "permutation_shapley", samples=count, seed=1)(), reference)
        >= peers
    )
    mine = ours(subject, "permutation_shapley", samples=samples, seed=1)

    def agreement() -> dict[str, float]:
        found = correlation(mine()[: len(reference)], reference)
        return {"correlation": found, "peer_correlation": peers, "samples": samples}

    share = num_rows / len(subject.x)
    return Case("table: permutation_shapley", "shap PermutationExplainer", mine, theirs, agreement, 8, share)


def exact_by_captum(subject: Subject) -> Case:
    groups = torch.arange(subject.x.shape[1]) * 6 // subject.x.shape[1]
    mine = ours(subject, "exact_shapley", groups=groups)
    theirs = peer("ShapleyValues", subject, feature_mask=groups[None])
    exact = subject.double().first(16)

    def agreement() -> dict[str, float]:
        found = by_group(ours(exact, "exact_shapley", groups=groups)(), groups)
        first = [int((groups == group).nonzero()[0]) for group in range(6)]
        return differing(found, peer("ShapleyValues", exact, feature_mask=groups[None])()[:, first])

    return Case("table: exact_shapley, 6 groups", "captum ShapleyValues", mine, theirs, agreement, 500)


def smooth_grad(subject: Subject) -> Case:
    """Digits lie between 0 and 1, so that a share of the range is a standard deviation."""
    noise = 0.15
    tunnel = captum.NoiseTunnel(captum.Saliency(subject.model))

    def theirs() -> Tensor:
        x = subject.x.clone().requires_grad_()
        settings = {"nt_type": "smoothgrad", "nt_samples": SAMPLES, "stdevs": noise, "abs": False}
        return tunnel.attribute(x, target=subject.target, **settings).detach()

    mine = ours(subject, "smooth_grad", samples=SAMPLES, noise=noise)
    name = f"images: smooth_grad, {SAMPLES} samples"
    return Case(name, "captum NoiseTunnel", mine, theirs, lambda: correlated(mine(), theirs()), 1)


def grad_cam(subject: Subject) -> Case:
    layer = subject.model[3]

    def heat(of: Subject) -> Tensor:
        found = captum.LayerGradCam(of.model, of.model[3]).attribute(of.x, target=of.target, relu_attributions=True)
        return captum.LayerAttribution.interpolate(found, (28, 28), interpolate_mode="bilinear").detach()

    assert isinstance(layer, torch.nn.Conv2d)
    exact = subject.double().first(64)
    return Case(
        "images: grad_cam", "captum LayerGradCam", ours(subject, "grad_cam"), lambda: heat(subject),
        lambda: differing(ours(exact, "grad_cam")(), heat(exact)), 1,
    )  # fmt: skip


def lime_images(subject: Subject, segments: Tensor) -> Case:
    num_rows, samples = 2, 1000
    mine = ours(subject, "lime", samples=samples, groups=segments)

    def grey(images: Any) -> Any:
        with torch.no_grad():
            return subject.model(torch.tensor(images[..., :1]).permute(0, 3, 1, 2).float()).numpy()

    def theirs() -> Tensor:
        found = []
        for image, target in zip(subject.x[:num_rows, 0].numpy(), subject.target[:num_rows].tolist(), strict=True):
            explained = LimeImageExplainer(random_state=0).explain_instance(
                image.astype(np.double), grey, labels=(target,), top_labels=None, hide_color=0, num_features=49,
                num_samples=samples, segmentation_fn=lambda image: segments[0].numpy()
            )  # fmt: skip
            values = dict(explained.local_exp[target])
            found.append([values[segment] for segment in range(49)])
        return torch.tensor(found)

    def agreement() -> dict[str, float]:
        return correlated(by_group(mine()[:num_rows], segments), theirs())

    share = num_rows / len(subject.x)
    return Case("images: lime, n = 1000", "lime LimeImageExplainer", mine, theirs, agreement, 1, share)


def segments_of(x: Tensor) -> Tensor:
    """A grid of squares, numbered."""
    place = torch.arange(x.shape[-1]) // SEGMENT
    return (place[:, None] * (int(place.max()) + 1) + place).expand(x.shape[1:])


def numpy_logits(subject: Subject) -> Callable[[Any], Any]:
    def logits(rows: Any) -> Any:
        with torch.no_grad():
            return subject.model(torch.from_numpy(np.asarray(rows, dtype=np.float32))).numpy()

    return logits


def of_target(values: Any, subject: Subject) -> Tensor:
    """Of (row, feature, class) the explained class's."""
    return torch.stack([torch.tensor(row[:, target]) for row, target in zip(values, subject.target, strict=False)])


def differing(found: Tensor, expected: Tensor) -> dict[str, float]:
    return {"difference": float((found - expected).abs().max() / expected.abs().max())}


def correlated(found: Tensor, expected: Tensor) -> dict[str, float]:
    return {"correlation": correlation(found, expected)}


def correlation(found: Tensor, expected: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([found.flatten(), expected.flatten()]).double())[0, 1])
