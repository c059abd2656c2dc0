"""How sure a network is before and after a correction with 20 reviewed digits, on digits whose squares tell nothing.

    apt-get install dataset-fashion-mnist
    python benchmarks/bayes.py [--seeds 5] [--rows 3500] [--resume]

LeNet, squares of four corners that tell the digit in training; all is measured on test digits under squares of random
grey, by the mean probabilities over 8 samples. Every way trains 12 epochs on what is confounded; "after" is 24 more
epochs with the masks of 20 rows: by `right_reasons` at weight 1 (of the packed ensemble 30, with the score of its
members), the Bayesian network by `no_change_evidence` at weight 1. ``nll``, ``ece`` and ``aurc`` are the metrics of the
package; ``rotated``, ``shuffled`` and ``fashion`` are the areas under the ROC curve of the entropy, of test digits
turned by 90 degrees, of their pixels in another order, and of as many pieces of clothing (Fashion-MNIST), against the
test digits themselves; ``rotated_fpr`` and the like are the shares of digits that are taken for such where 95 % of
these are found. "from scratch" compares a Bayesian with an ordinary network on digits without squares. Settings (IVON's
steps, the prior of Laplace, the weight of the packed ensemble) were fixed by the swap score of seed 100. Writes
benchmarks/results/bayes.json.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from digits import CLEAN, CORRECT, TRAIN, Digits, fresh
from runner import Numbers, Row, measure, options, rows_of, units_of
from torch import Tensor, nn

from corrigible.data.dataset import TensorData
from corrigible.feedback.masks import marks_of
from corrigible.metrics import aurc, expected_calibration_error
from corrigible.metrics.out_of_distribution import fpr_at_95_tpr, ood_auroc
from corrigible.models.bayes import bayesian, variational_last_layer
from corrigible.models.bayes.ivon import Ivon
from corrigible.models.bayes.swag import Swag
from corrigible.models.ensemble import Ensemble
from corrigible.models.networks import copied
from corrigible.models.packed import packed
from corrigible.models.predictive import Predictive, predictive
from corrigible.objective import terms_of
from corrigible.protocols.careful import careful_step
from corrigible.protocols.last_layer_laplace import last_layer_laplace
from corrigible.protocols.schedule import run
from corrigible.protocols.training_facts import Known, provided
from corrigible.types import Feedback

sys.path.append(str(Path(__file__).resolve().parent / "reproduce"))
import fashion_files

SAMPLES, MEMBERS, REVIEWED = 8, 5, 20
KL = {"kl_divergence": {"weight": 1.0, "temperature": 0.1}}
LAST_KL = {"kl_divergence": {"weight": 1.0}}
RIGHT_REASONS = {"right_reasons": 1.0}
STAGES: tuple[tuple[dict[str, Any], bool], ...] = (({}, False), (RIGHT_REASONS, True))
OF_MEMBERS = {"right_reasons": {"weight": 30.0, "score": "member_projection"}}
EVIDENCE = {**KL, "no_change_evidence": 1.0}
IVON = {"learning_rate": 0.3, "weight_decay": 1e-3}
LAPLACE_STD = 0.03


class Rows:
    """One seed's confounded rows, and the marks of the reviewed ones."""

    def __init__(self, seed: int, num_rows: int) -> None:
        self.seed, self.digits = seed, Digits(seed)
        kept = torch.randperm(len(self.digits.train.x), generator=torch.Generator().manual_seed(seed))[:num_rows]
        y = self.digits.clean_train.y[kept]
        self.confounded = TensorData(self.digits.train.x[kept], y)
        self.clean = replace(self.confounded, x=self.digits.clean_train.x[kept])
        said = [Feedback(self.digits.train.irrelevant[kept[row]].numpy(), row=row) for row in range(REVIEWED)]
        self.marks = marks_of(said, self.confounded)

    def epochs(
        self,
        network: nn.Module,
        penalties: Mapping[str, Any],
        *,
        is_corrected: bool,
        step: Any = careful_step,
        **schedule: Any,
    ) -> Iterator[int]:
        """Train the network in place on the confounded rows, with the marks if it is corrected; yields each epoch."""
        terms = provided(terms_of(dict(penalties)), Known(network, self.confounded, self.marks, self.seed))
        more: dict[str, Any] = {"marks": self.marks, "step": step} if is_corrected else {}
        how = replace(CORRECT if is_corrected else TRAIN, **schedule)
        for epoch in run(network, self.confounded, how, penalties=terms, seed=self.seed, **more):
            yield epoch.number

    def taught(self, network: nn.Module, penalties: Mapping[str, Any], **how: Any) -> nn.Module:
        """A trained copy."""
        found = copied(network)
        for _ in self.epochs(found, penalties, **how):
            pass
        return found


def main() -> None:
    parser = options(__doc__, seeds=5)
    parser.add_argument("--rows", type=int, default=3500)
    asked = parser.parse_args()
    works: dict[str, Callable[[int], Iterator[Row]]] = {
        name: partial(one_way, name, way, asked.rows) for name, way in WAYS.items()
    }
    works["from scratch"] = partial(from_scratch, asked.rows)
    epochs = [TRAIN.epochs, CORRECT.epochs]
    measure(units_of(works, asked), asked, settings={"epochs": epochs, "rows": asked.rows, "samples": SAMPLES})


def one_way(name: str, way: Callable[[Rows], tuple[nn.Module, nn.Module]], num_rows: int, seed: int) -> Iterator[Row]:
    rows = Rows(seed, num_rows)
    before, after = way(rows)
    samples = None if name in WITHOUT_SAMPLES else SAMPLES
    yield from rows_of({"before": found(before, rows, samples), "after": found(after, rows, samples)}, way=name)


def point(rows: Rows) -> tuple[nn.Module, nn.Module]:
    fooled = rows.taught(fresh(rows.seed), {}, is_corrected=False)
    return fooled, rows.taught(fooled, RIGHT_REASONS, is_corrected=True)


def with_dropout(rows: Rows) -> tuple[nn.Module, nn.Module]:
    layers: list[nn.Module] = []
    for layer in fresh(rows.seed).children():
        layers += [nn.Dropout(0.25), layer] if isinstance(layer, nn.Linear) else [layer]
    fooled = rows.taught(nn.Sequential(*layers), {}, is_corrected=False)
    return fooled, rows.taught(fooled, RIGHT_REASONS, is_corrected=True)


def ensemble(rows: Rows) -> tuple[nn.Module, nn.Module]:
    fooled = [rows.taught(fresh(1000 * rows.seed + number), {}, is_corrected=False) for number in range(MEMBERS)]
    return Ensemble(fooled), Ensemble([rows.taught(one, RIGHT_REASONS, is_corrected=True) for one in fooled])


def packed_ensemble(rows: Rows) -> tuple[nn.Module, nn.Module]:
    fooled = rows.taught(packed(fresh(rows.seed)), {}, is_corrected=False, loss="member_task_loss")
    return fooled, rows.taught(fooled, OF_MEMBERS, is_corrected=True, loss="member_task_loss")


def swag(rows: Rows) -> tuple[nn.Module, nn.Module]:
    """The weights after each epoch of the second half are collected; steps are plain ones, of the same size."""
    network, found = fresh(rows.seed), []
    for penalties, is_corrected in STAGES:
        collector = Swag(network)
        half = (CORRECT if is_corrected else TRAIN).epochs // 2
        for number in rows.epochs(network, penalties, is_corrected=is_corrected, step=None):
            if number > half:
                collector.collect()
        found.append(collector.posterior())
    return found[0], found[1]


def laplace(rows: Rows) -> tuple[nn.Module, nn.Module]:
    before, after = (last_layer_laplace(one, rows.confounded, prior_std=LAPLACE_STD) for one in point(rows))
    return before, after


def last_layer(rows: Rows) -> tuple[nn.Module, nn.Module]:
    start = variational_last_layer(fresh(rows.seed))
    how: dict[str, Any] = {"loss": "last_layer_bound"}
    fooled = rows.taught(start, LAST_KL, is_corrected=False, **how)
    return fooled, rows.taught(fooled, {**LAST_KL, **RIGHT_REASONS}, is_corrected=True, **how)


def ivon(rows: Rows) -> tuple[nn.Module, nn.Module]:
    found, network = [], fresh(rows.seed)
    for penalties, is_corrected in STAGES:
        optimizer = Ivon(num_rows=len(rows.confounded))
        network = rows.taught(network, penalties, is_corrected=is_corrected, optimizer=optimizer, **IVON)
        found.append(optimizer.posterior(network))
    return found[0], found[1]


def activations_drawn(rows: Rows) -> tuple[nn.Module, nn.Module]:
    fooled = rows.taught(bayesian(fresh(rows.seed)), KL, is_corrected=False)
    return fooled, rows.taught(fooled, EVIDENCE, is_corrected=True)


WAYS: dict[str, Callable[[Rows], tuple[nn.Module, nn.Module]]] = {
    "point": point,
    "MC dropout": with_dropout,
    "ensemble of 5": ensemble,
    "packed ensemble": packed_ensemble,
    "SWAG": swag,
    "last-layer Laplace": laplace,
    "variational last layer": last_layer,
    "IVON": ivon,
    "activations drawn": activations_drawn,
}
WITHOUT_SAMPLES = ("point", "ensemble of 5", "packed ensemble")


def from_scratch(num_rows: int, seed: int) -> Iterator[Row]:
    """A Bayesian and an ordinary network that never saw a square, on digits without any."""
    rows = Rows(seed, num_rows)
    numbers: dict[str, Numbers] = {}
    for name, network, penalties in (("ordinary", fresh(seed), {}), ("Bayesian", bayesian(fresh(seed)), KL)):
        terms = provided(terms_of(penalties), Known(network, rows.clean, marks_of([], rows.clean), seed))
        for _ in run(network, rows.clean, CLEAN, penalties=terms, seed=seed):
            pass
        probs = of(network, rows.digits.clean_test.x, SAMPLES if penalties else None).values
        numbers[name] = {"accuracy": float((probs.argmax(dim=1) == rows.digits.clean_test.y).float().mean())}
    numbers["Bayesian"]["minus ordinary"] = numbers["Bayesian"]["accuracy"] - numbers["ordinary"]["accuracy"]
    yield from rows_of(numbers, way="from scratch")


def of(model: nn.Module, x: Tensor, samples: int | None) -> Predictive:
    with torch.no_grad():
        return predictive(model.eval(), x, samples=samples)


def found(model: nn.Module, rows: Rows, samples: int | None) -> Numbers:
    """What is measured on test rows whose squares are random."""
    x, y = rows.digits.test_rows.x, rows.digits.clean_test.y
    predicted = of(model, x, samples)
    probs = predicted.values
    shuffled = x.flatten(1)[:, torch.randperm(x[0].numel(), generator=torch.Generator().manual_seed(rows.seed))]
    clothes = fashion_files.load("test").x[: len(x)]
    others = {"rotated": x.rot90(dims=(2, 3)), "shuffled": shuffled.view_as(x), "fashion": clothes}
    numbers = {
        "accuracy": float((probs.argmax(dim=1) == y).float().mean()),
        "nll": float(-probs[torch.arange(len(y)), y].clamp_min(1e-12).log().mean()),
        "ece": float(expected_calibration_error(probs, y)),
        "aurc": float(aurc(probs, y)),
    }
    for name, other in others.items():
        scores = predicted.entropy, of(model, other, samples).entropy
        numbers[name], numbers[f"{name}_fpr"] = ood_auroc(*scores), fpr_at_95_tpr(*scores)
    return numbers


if __name__ == "__main__":
    main()
