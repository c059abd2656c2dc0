"""What a correction makes of wrong feedback, and whether anything warns of it.

    python benchmarks/reproduce/wrong_feedback.py [--seeds 3] [--methods right_reasons]

Digits with a grey square in one random corner that tells the digit in training (3,500 rows, Ross's network), 500 rows
reviewed. In 0 to 50 % of the reviewed rows the mask is wrong: misplaced (as large, at a drawn place that leaves the
square free), or reversed (everything but the square, so that the digit itself must not matter). Two signals may warn,
neither of which needs more than the feedback:

* ``not_used``: the fooled network hardly minds when the marked inputs give way to other rows' values;
* ``contradicts``: the corrected network finds the label unlikely when they do: without what was marked, the label can
  no longer be told.

For each: the area under its ROC curve, wrong masks against right ones, and its mean over all reviewed rows. Writes
benchmarks/results/reproduce_wrong_feedback.json and docs/images/wrong_feedback.png.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from digits import Digits
from few_digits import PLAN, case, few_digits
from jaxtyping import Bool, Float
from runner import Figures, Numbers
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cases import Case, drawn_rows, options, over_seeds
from corrigible.data.dataset import TensorData
from corrigible.data.decoys import corner_mask
from corrigible.data.swapping import draw_donors, swapped
from corrigible.metrics import METRICS
from corrigible.types import Feedback

SHARES = (0, 10, 20, 30, 40, 50)
"""Per cent of the reviewed rows whose mask is wrong."""
NUM_REVIEWED, NUM_DONORS = 500, 20
IMAGE = Path(__file__).resolve().parents[2] / "docs" / "images" / "wrong_feedback.png"


def misplaced(irrelevant: Bool[Tensor, " row 1 28 28"], seed: int) -> Bool[Tensor, " row 1 28 28"]:
    """As many pixels as a square has, anywhere away from the corners."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.randint(4, 21, (len(irrelevant), 2), generator=generator)
    square = corner_mask((1, 28, 28), corners=(0,))
    return torch.stack([square.roll((int(down), int(right)), dims=(1, 2)) for down, right in place])


def with_wrong(irrelevant: Tensor, rows: list[int], kind: str, per_cent: int, seed: int) -> dict[int, Tensor]:
    """Row -> mask, the first rows' masks being wrong."""
    wrong = ~irrelevant if kind == "reversed" else misplaced(irrelevant, seed)
    num_wrong = len(rows) * per_cent // 100
    return {row: (wrong if place < num_wrong else irrelevant)[row] for place, row in enumerate(rows)}


def losses_when_swapped(model: nn.Module, data: TensorData, masks: Mapping[int, Tensor]) -> Float[Tensor, " row"]:
    """Mean label loss of each row with other rows' values where it is marked."""
    rows = torch.tensor(list(masks))
    donors = data.x[draw_donors(len(data), NUM_DONORS, 0)]
    with torch.no_grad():
        x = swapped(data.x[rows], torch.stack(list(masks.values())), donors).flatten(0, 1)
        losses = cross_entropy(model(x), data.y[rows].repeat_interleave(NUM_DONORS), reduction="none")
    return losses.reshape(-1, NUM_DONORS).mean(dim=1)


def signals(
    digits: Digits, said: Mapping[str, Mapping[int, Tensor]], name: str, fooled: nn.Module, corrected: nn.Module
) -> Numbers:
    """How well each signal tells wrong masks from right ones."""
    data, masks = digits.train_rows, said[name]
    is_wrong = torch.tensor([not torch.equal(mask, digits.train.irrelevant[row]) for row, mask in masks.items()]).long()
    rows = {row: torch.zeros_like(mask) for row, mask in masks.items()}
    suspicion = {
        "not_used": losses_when_swapped(fooled, data, rows) - losses_when_swapped(fooled, data, masks),
        "contradicts": losses_when_swapped(corrected, data, masks),
    }
    found = {f"{signal}_mean": float(value.mean()) for signal, value in suspicion.items()}
    if is_wrong.any():
        # The ranking alone counts: any increasing function of the signal will do as a probability.
        found |= {
            f"{signal}_auc": float(METRICS["auc"](torch.stack([-value, value], dim=1), is_wrong))
            for signal, value in suspicion.items()
        }
    return found


def wrong_feedback(seed: int, quick: bool) -> Case:
    """Every kind and share of wrong masks."""
    digits = few_digits(seed)
    irrelevant = digits.train.irrelevant
    rows = drawn_rows(len(irrelevant), NUM_REVIEWED, seed)
    said = {
        f"{kind}, {per_cent} %": with_wrong(irrelevant, rows, kind, per_cent, seed)
        for kind in ("misplaced", "reversed")
        for per_cent in (SHARES[-1:] if quick else SHARES)
    }
    feedback = {name: [Feedback(mask.numpy(), row=row) for row, mask in masks.items()] for name, masks in said.items()}
    bare = (TensorData(digits.clean_train.x * ~irrelevant, digits.clean_train.y), _bare_test(digits))
    return case(digits, feedback, signals=partial(signals, digits, said), masked=bare)


def _bare_test(digits: Digits) -> TensorData:
    return TensorData(digits.clean_test.x * ~digits.test.irrelevant, digits.clean_test.y)


def draw(found: Mapping[str, Figures]) -> None:
    """Accuracy, and how well the signals warn, against the share of wrong masks."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    accuracy, warning = figure.subplots(1, 2)
    names = dict.fromkeys(name.rsplit(", ", 1)[0] for name in found if name.endswith(" %"))
    for name in names:
        points = [found[f"{name}, {per_cent} %"]["accuracy"] for per_cent in SHARES]
        accuracy.errorbar(SHARES, [p["mean"] for p in points], [p["sd"] for p in points], marker="o", label=name)
        for signal in ("not_used", "contradicts"):
            areas = [found[f"{name}, {per_cent} %"][f"{signal}_auc"]["mean"] for per_cent in SHARES[1:]]
            warning.plot(SHARES[1:], areas, marker="o", label=f"{name}: {signal}")
    accuracy.axhline(found["fine-tuned without feedback"]["accuracy"]["mean"], linestyle=":", color="grey")
    accuracy.set(xlabel="wrong masks, %", ylabel="accuracy on squares of random grey")
    warning.set(xlabel="wrong masks, %", ylabel="area under ROC: wrong or right mask", ylim=(0, 1.02))
    for axes in (accuracy, warning):
        axes.legend(fontsize=7)
    figure.savefig(IMAGE, dpi=130, metadata={"Software": None})


if __name__ == "__main__":
    over_seeds("wrong_feedback", wrong_feedback, PLAN, options(__doc__, PLAN).parse_args(), draw=draw)
