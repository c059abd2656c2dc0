"""Which training rows a page lists as those that taught the model what it says of a row."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import corrigible
from corrigible.data.dataset import TensorData
from corrigible.errors import CorrigibleError
from corrigible.study import open_study
from corrigible.workflow.reviews import taught as teaching
from corrigible.workflow.reviews.subject import Subject, subject_of
from corrigible.workflow.reviews.taught import taught
from studies import corrigible as run

WRONG = 7
"""A training row with the other label, where all rows of the first class lie."""


@pytest.fixture(scope="module")
def subject():
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(60) % 2
    x = torch.randn(60, 4, generator=generator) * 0.3
    x[:, 0] += 2.0 * y - 1
    x[WRONG] = x[0] + 0.05
    data = TensorData(x, y, class_names=("low", "high"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    model = corrigible.train(network, data, epochs=30, learning_rate=0.02, progress=False)
    return Subject(model, {"train": data}, "input_gradient", {}, {"low": "little"})


def rows_in(group) -> list[int]:
    return [each["row"] for each in group["rows"]]


def test_rows_of_the_predicted_class_teach_and_a_wrong_label_teaches_against(subject):
    found = taught(subject, "train", 0)
    teach, against = found["groups"]
    assert teach["title"] == "Taught “little”; without them less sure of this"
    assert against["title"] == "Taught against it; without them surer of this"
    assert 0 not in rows_in(teach)  # The row itself.
    assert {subject.first.y[row].item() for row in rows_in(teach)} == {0}
    assert rows_in(against)[0] == WRONG
    assert against["rows"][0]["label"] == "high"
    assert against["rows"][0]["name"] == f"row {WRONG}"


def test_without_the_first_row_the_model_is_less_sure_and_without_the_wrong_one_surer(subject):
    """By the last layer trained to its minimum without each, from the weights as they are."""
    network, rows = subject.model, subject.rows("train", [0])
    taught_by, against = (rows_in(group)[0] for group in taught(subject, "train", 0)["groups"])
    with torch.no_grad():
        hidden = network[:2](subject.first.x).double()

    def chance(without: int | None) -> float:
        keep = torch.tensor([row != without for row in range(60)])
        last = nn.Linear(6, 2).double()
        last.load_state_dict({name: value.double() for name, value in network[2].state_dict().items()})
        solver = torch.optim.LBFGS(last.parameters(), max_iter=500, line_search_fn="strong_wolfe")

        def closure():
            solver.zero_grad()
            lost = nn.functional.cross_entropy(last(hidden), subject.first.y, reduction="none")[keep].sum() / 60
            squares = sum(weight.square().sum() for weight in last.parameters())
            (loss := lost + 1e-4 * squares).backward()
            return loss

        solver.step(closure)
        return last(network[:2](rows.x).double()).softmax(dim=1)[0, 0].item()

    assert chance(taught_by) < chance(None) < chance(against)


def test_where_it_cannot_be_told_the_most_alike_rows_are_listed(subject, monkeypatch):
    def refuse(*_, **__):
        raise CorrigibleError("the last layer has 9,000 weights; expected at most 5,000")

    monkeypatch.setattr(teaching, "influence", refuse)
    found = taught(subject, "train", 0)
    assert found["sentence"] == (
        "Which rows taught it cannot be told: the last layer has 9,000 weights; expected at most 5,000."
    )
    (near,) = found["groups"]
    assert near["title"] == "Most alike to the model"
    assert WRONG in rows_in(near) and 0 not in rows_in(near)


def test_of_too_many_rows_the_most_alike_are_listed(subject, monkeypatch):
    monkeypatch.setattr(teaching, "MOST_ROWS", 59)
    found = taught(subject, "train", 3)
    assert "there are 60 training rows; at most 59 are asked" in found["sentence"]
    assert len(found["groups"]) == 1


def test_of_an_amount_it_is_the_rows_own_label_that_is_asked_about():
    x = torch.linspace(-1, 1, 40)[:, None]
    data = TensorData(x, 3 * x[:, 0] + 0.1 * torch.sin(9 * x[:, 0]), task="amounts")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Linear(1, 1)
    model = corrigible.train(network, data, epochs=40, learning_rate=0.05, progress=False)
    found = taught(Subject(model, {"train": data}, "input_gradient"), "train", 5)
    assert [group["title"] for group in found["groups"]] == [
        "Taught the prediction; without them further from the label",
        "Taught against it; without them nearer to the label",
    ]


def test_what_says_how_far_to_trust_the_answer_is_told(subject):
    assert taught(subject, "train", 0)["notes"] == []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        untrained = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    notes = taught(replace(subject, model=untrained, kept={}), "train", 0)["notes"]
    assert any("gradient" in note for note in notes)


def test_forgotten_rows_taught_nothing(subject, monkeypatch):
    gone = frozenset({0, WRONG, 4})
    without = replace(subject, forgotten=gone, kept={})
    found = taught(without, "train", 0)
    assert "The strongest of the 57 training rows" in found["sentence"]
    assert gone.isdisjoint(row for group in found["groups"] for row in rows_in(group))
    kept = [row for row in range(60) if row not in gone]
    assert [rows_in(group) for group in found["groups"]] != [[], []]
    assert torch.equal(without.sample, subject.first.x[kept])
    monkeypatch.setattr(teaching, "MOST_ROWS", 5)
    (near,) = taught(without, "train", 0)["groups"]
    assert len(rows_in(near)) == teaching.MOST_SHOWN
    assert gone.isdisjoint(rows_in(near))


def test_a_subject_knows_what_its_study_has_forgotten(finished):
    assert run("forget", finished, "--rows", "2-3", "--why", "a").code == 0
    study = open_study(finished)
    assert subject_of(study, study.latest("train")).forgotten == {2, 3}


def test_of_a_corrected_model_the_page_says_what_it_leaves_out(finished):
    study = open_study(finished)
    notes = [
        taught(subject_of(study, study.run_named(name)), "test", 3)["notes"] for name in ("0001-train", "0002-correct")
    ]
    said = [note for note in notes[1] if note not in notes[0]]
    assert any("the correction learned from beside the labels is left out here" in note for note in said)
    assert not any("left out here" in note for note in notes[0])
