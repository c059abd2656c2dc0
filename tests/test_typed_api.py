"""A type checker in strict mode accepts what a user writes with the public names, and finds what is wrong in it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import corrigible

RIGHT = '''
"""A network, a data set and a penalty of one's own, corrected and measured."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

import corrigible
from corrigible import Batch, Feedback, Measurement, correct, evaluate, explain, suspects
from corrigible.models.forward import Forward
from corrigible.sealing import Signing, attest


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(x.flatten(1))
        return logits


class Rows(Dataset[tuple[Tensor, int]]):
    def __len__(self) -> int:
        return 60

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return torch.full((1, 8, 8), row / 60), row % 2


def own_penalty(forward: Forward, batch: Batch, *, power: float = 2.0) -> Tensor:
    assert batch.irrelevant is not None
    gradient = forward.gradient(forward.logits.sum(), forward.x)
    return gradient[batch.irrelevant].abs().pow(power).mean()


def told(measurements: list[Measurement]) -> Iterator[str]:
    for found in measurements:
        value = "not measured" if found.value is None else f"{found.value:.3f}"
        yield f"{found.metric}: {value} on {found.count} rows {found.note}"


model, rows = Network(), Rows()
x = torch.stack([rows[row][0] for row in range(len(rows))])
y = torch.tensor([rows[row][1] for row in range(len(rows))])

attribution = explain(model, x, y, method="integrated_gradients", steps=64)
most: float = attribution.abs().flatten(1).sum(dim=1).max().item()

columns = corrigible.Columns(("a", "b"), ("a", "b"), (False, False))
changes = corrigible.counterfactuals(model, x.flatten(1)[:, :2], schema=columns, rows=x.flatten(1)[:, :2], k=2)
words: str = changes.in_words(0)
held = corrigible.nearest_unlike(model, x.flatten(1)[:, :2], x.flatten(1)[:, :2], schema=columns)
statuses: tuple[tuple[str, ...], ...] = changes.status

regions: list[str] = [f"{found.region} {found.score:.2f}" for found in suspects(model, rows, most=3)]

feedback = [
    Feedback(np.ones((8, 8), dtype=bool), row=3, author="Ada"),
    Feedback(torch.ones(1, 8, 8).bool(), polarity="relevant", scope="class", label=1),
    Feedback("age", scope="dataset"),
]
penalties = {f"{__name__}:own_penalty": {"weight": 0.1, "power": 1.0}, "right_reasons": 10.0}
corrected = correct(model, rows, feedback, penalties=penalties, epochs=1, validation=(x, y))
verdict = corrected.verdict
assert isinstance(verdict, corrigible.Verdict)
outcome: str = verdict.outcome
if verdict.outcome == "failed":
    raise SystemExit(f"{verdict.sentence} {verdict.accuracy_after:.3f}")

measured = evaluate(corrected, rows, metrics=["accuracy", "flip_rate"], feedback=feedback)
lines: list[str] = list(told(measured))
manifest = corrigible.seal(corrected, "sealed", evidence=measured, files={"notes.txt": b"reviewed"})
checked = corrigible.verify("sealed", root=manifest.root)
signed = corrigible.seal(corrected, "signed", evidence=measured, signing=Signing("key", parent="sealed"))
head: str = attest("signed", measured, key="key")
who: str = corrigible.verify("signed", key="key.pub", head=head).signer
problems: list[str] = [f"{problem.kind} {problem.path}" for problem in checked.problems]
is_unchanged: bool = checked.ok

table = corrigible.compare(model, rows, feedback, test=(x, y), methods={"own": {"right_reasons": 1.0}})
best: str = str(table.index[0])
count: int = corrigible.find_another_explanation(model, rows).count

with corrigible.FeedbackStore("feedback.sqlite") as store:
    number: int = store.add(feedback[0])
    store.retract(number, author="Ada")
    standing: list[Feedback] = [said for _, said in store.active()]

said = corrigible.text_data(["a good film", "a bad film"], ["good", "bad"])
reader = corrigible.train("text_bag", said, epochs=1)
words: list[str] = [str(found) for found in corrigible.explain_texts(reader, said)]
corrigible.review(reader, said, author="Ada")

encoder = corrigible.encoder_of(table, target="method", drop=["rank"])
names: tuple[str, ...] = corrigible.encode(table, encoder).class_names
data = corrigible.TensorData(x, y, columns=corrigible.Columns(("a",), ("a",), (False,)))
batch = Batch(torch.arange(len(data)), data.x, data.y)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in corrigible.fit(model, lambda epoch: iter([batch]), optimizer=optimizer, epochs=2):
    progress: str = f"{epoch.number} of {epoch.num_epochs}: {epoch.loss:.3f}"

classifier = corrigible.TabularClassifier(max_epochs=2, random_state=0).fit(table, table.index, feedback=feedback)
shares: float = classifier.correct(feedback).explain(table).abs().max().max()
again = corrigible.TabularClassifier.load("saved")
chances: float = again.predict_proba(table)[0, 1]
student = corrigible.distil(model, rows, model="mlp", epochs=1)
concerns: int = corrigible.audit(lambda rows: rows["a"], x, y, forbidden=["a"]).num_concerns
taught_by: list[int] = [found.row for found in corrigible.influence(model, rows, (x, y)).most_helpful(0, n=3)]
remarks: list[int] = corrigible.feedback_influence(model, rows, feedback, penalties={"right_reasons": 1.0}).order
limited = corrigible.limit_influence(model, rows, inputs=["a"])
forgetful: Network = corrigible.unlearn(model, rows, [3, 8], method="hybrid", epochs=1)
nearness: float = corrigible.judge_unlearning([forgetful] * 2, [model] * 2, {"test": (x, y)})["test"].klom
inferred: float = corrigible.attribute_inference(model, rows, "a", given=[]).gain
known: float = corrigible.membership_inference(model, rows, (x + 1, y), method="loss").auc
steady: float = corrigible.robust_accuracy(model, rows, epsilon=0.1, attack="fgsm").robust
proved: float = corrigible.certified_accuracy(model, rows, epsilon=0.1).certified
scaled = corrigible.temperature_scaled(corrected, rows, feedback, validation=(x, y))
sets: Tensor = corrigible.conformal_sets(scaled, rows, feedback, validation=(x, y), alpha=0.1).sets(x)
fair = corrigible.enforce(model, rows, "demographic_parity", gap=0.1)
price = corrigible.discrimination_free_price(lambda frame: frame["a"], table, attributes="a")
moved = corrigible.transported_prices([1.0, 2.0], ["f", "m"]).prices.max()
level: float = corrigible.predicted_over_observed([1.0], [1.0], ["f"]).total.ratio.value
raised: float = corrigible.price_changes([1.0], [1.1], ["f"]).total.change.value
amounts = corrigible.TabularRegressor(task={"name": "quantiles", "levels": [0.1, 0.9]}).fit(table, np.ones(3))
lowest: float = amounts.predict(table).min()

try:
    evaluate(model, (x, y), metrics=["acuracy"])
except corrigible.CorrigibleError as error:
    print(corrigible.__version__, error)
'''

WRONG = """
import torch

import corrigible
from corrigible import correkt  # wrong

model, rows = torch.nn.Linear(3, 2), (torch.ones(6, 3), torch.arange(6) % 2)
feedback = corrigible.Feedback("age", row=1)

corrigible.correct(model, rows, [feedback], epoch=3)  # wrong
corrigible.correct(model, rows, [feedback], epochs="3")  # wrong
corrigible.explian(model, rows[0])  # wrong
corrigible.Feedback("age", polarity="unimportant")  # wrong
corrigible.Feedback("age", row="first")  # wrong
corrigible.evaluate(model, rows)[0].value + 1.0  # wrong
corrigible.suspects(model, rows)[0].name  # wrong
corrigible.verify("sealed").okay  # wrong
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What mypy says about each file, in one run: it reads torch's annotations once."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "right.py").write_text(RIGHT, encoding="utf-8")
    (folder / "wrong.py").write_text(WRONG, encoding="utf-8")
    # On the path of Python, not on mypy's own: there the package is an installed one, which must say that it is typed.
    installed = Path(corrigible.__file__).parent.parent
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=cache", "right.py", "wrong.py"]
    ran = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(installed)}, capture_output=True, text=True
    )
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    lines = [line for line in ran.stdout.splitlines() if ": error: " in line]
    assert all(re.match(r"(right|wrong)\.py:\d+: error: ", line) for line in lines), ran.stdout
    return {name: [line for line in lines if line.startswith(name)] for name in ("right.py", "wrong.py")}


@pytest.mark.slow
def test_a_users_file_has_no_error(found: dict[str, list[str]]) -> None:
    assert found["right.py"] == []


@pytest.mark.slow
def test_every_wrong_line_is_found_and_no_other(found: dict[str, list[str]]) -> None:
    wrong = [number for number, line in enumerate(WRONG.splitlines(), 1) if line.endswith("# wrong")]
    assert [int(line.split(":")[1]) for line in found["wrong.py"]] == wrong, found["wrong.py"]


def test_the_users_file_uses_every_public_name() -> None:
    unused = [name for name in corrigible.__all__ if not re.search(rf"\b{name}\b", RIGHT)]
    assert unused == []
