"""How many rows must be reviewed, which ones, and does a remark apply to its row or to the whole data set?

    python benchmarks/reproduce/annotation_efficiency.py [--seeds 3] [--methods right_reasons]

Digits with a grey square in one random corner that tells the digit in training (3,500 rows, Ross's network). 5 to 500
training rows are reviewed: drawn at random, or suggested by the fooled network. A suggestion looks at training rows
alone, at the sizes of each row's gradient × input, added up over 4 × 4 pixels, as shares of their sum: first the most
concentrated row, then always the one whose shares are farthest from those of all rows suggested before. A remark holds
for its row, or for every row. Writes benchmarks/results/reproduce_annotation_efficiency.json and
docs/images/annotation_efficiency.png.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from few_digits import PLAN, case, few_digits
from runner import Figures
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from cases import Said, about_rows, drawn_rows, options, over_seeds
from corrigible import explain
from corrigible.data.dataset import TensorData

REVIEWED = (5, 10, 20, 50, 100, 500)
IMAGE = Path(__file__).resolve().parents[2] / "docs" / "images" / "annotation_efficiency.png"
FOLDED = 4
"""Pixels on a side that count as one place."""


def suggested_rows(model: nn.Module, data: TensorData, num_rows: int) -> list[int]:
    """Positions of rows whose attributions differ most; nested as the number grows."""
    attribution = explain(model, data.x, data.y, method="gradient_x_input").abs().detach()
    shares = avg_pool2d(attribution, FOLDED).flatten(1)
    shares = shares / shares.sum(dim=1, keepdim=True).clamp_min(1e-12)
    chosen = [int(shares.square().sum(dim=1).argmax())]
    distance = _distance(shares, chosen[0])
    while len(chosen) < num_rows:
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, _distance(shares, chosen[-1]))
    return chosen


def _distance(shares: Tensor, row: int) -> Tensor:
    return (shares - shares[row]).square().sum(dim=1)


def reviews(model: nn.Module, data: TensorData, irrelevant: Tensor, seed: int, numbers: tuple[int, ...]) -> Said:
    """Both ways to choose rows, both scopes, each number of rows."""
    chosen = {
        "random": drawn_rows(len(data), max(numbers), seed),
        "suggested": suggested_rows(model, data, max(numbers)),
    }
    return {
        f"{way} rows, {scope} scope, {num_rows}": about_rows(irrelevant, rows[:num_rows], scope=scope)
        for way, rows in chosen.items()
        for scope in ("row", "dataset")
        for num_rows in numbers
    }


def annotation_efficiency(seed: int, quick: bool):
    """Everything is chosen when the network has been fooled."""
    digits = few_digits(seed)
    numbers = REVIEWED[:1] if quick else REVIEWED
    return case(digits, lambda fooled: reviews(fooled, digits.train_rows, digits.train.irrelevant, seed, numbers))


def draw(found: Mapping[str, Figures]) -> None:
    """Accuracy against the number of reviewed rows, a line with a band of ± sd for each way."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    ways = dict.fromkeys(name.rsplit(", ", 1)[0] for name in found if " scope, " in name)
    for way in ways:
        points = [found[f"{way}, {num_rows}"]["accuracy"] for num_rows in REVIEWED]
        mean, sd = (torch.tensor([point[key] for point in points]) for key in ("mean", "sd"))
        (line,) = axes.plot(REVIEWED, mean, marker="o", label=way)
        axes.fill_between(REVIEWED, mean - sd, mean + sd, alpha=0.15, color=line.get_color())
    for height, names in _without_reviews(found).items():
        axes.axhline(height, linestyle=":", color="grey")
        axes.text(REVIEWED[0], height, ", ".join(names), va="bottom", fontsize=8, color="grey")
    axes.set(xscale="log", xlabel="reviewed rows of 3,500", ylabel="accuracy on squares of random grey")
    axes.set_xticks(REVIEWED, list(map(str, REVIEWED)))
    axes.minorticks_off()
    axes.legend(fontsize=8)
    IMAGE.parent.mkdir(exist_ok=True)
    figure.savefig(IMAGE, dpi=130, metadata={"Software": None})


def _without_reviews(found: Mapping[str, Figures]) -> dict[float, list[str]]:
    """What needs no reviewed rows, by accuracy in tenths of a point; the clean reference's on clean rows."""
    names: dict[float, list[str]] = {}
    for name in ("clean reference", "masked inputs", "fine-tuned without feedback"):
        key = "clean_accuracy" if name == "clean reference" else "accuracy"
        names.setdefault(round(found[name][key]["mean"], 3), []).append(name)
    return names


if __name__ == "__main__":
    over_seeds("annotation_efficiency", annotation_efficiency, PLAN, options(__doc__, PLAN).parse_args(), draw=draw)
