"""On real digits: a decoy that fools a plain network, and a correction that removes it."""

from dataclasses import replace

import pytest
import torch

import corrigible
from corrigible.demos.digits_data import irrelevant, load
from corrigible.feedback.masks import fingerprint
from corrigible.models import lenet
from corrigible.protocols.schedule import Schedule, run


def part(split, count):
    """The first rows of each class, and where their squares are."""
    data, masks = load(split), irrelevant(split)
    rows = torch.cat([(data.y == digit).nonzero().flatten()[: count // 10] for digit in range(10)])
    return replace(data, x=data.x[rows], y=data.y[rows]), masks[rows]


@pytest.fixture(scope="module")
def digits():
    return {split: part(split, count) for split, count in (("train", 1500), ("validation", 200), ("test", 400))}


@pytest.fixture(scope="module")
def fooled(digits):
    torch.manual_seed(0)
    model = lenet()
    for _ in run(model, digits["train"][0], Schedule(epochs=10), seed=0):
        pass
    return model


def accuracy_and_flip_rate(model, digits):
    test, masks = digits["test"]
    about_test = [corrigible.Feedback(mask, row=row) for row, mask in enumerate(masks)]
    found = corrigible.evaluate(
        model, test, metrics=["accuracy", "flip_rate"], feedback=about_test, num_donors=10, num_resamples=0
    )
    return tuple(measurement.value for measurement in found)


@pytest.mark.slow
def test_the_decoy_fools_a_plain_network_and_twenty_rows_correct_it(digits, fooled, tmp_path):
    train, masks = digits["train"]
    (with_decoy,) = corrigible.evaluate(fooled, digits["validation"][0], metrics=["accuracy"], num_resamples=0)
    accuracy, flip_rate = accuracy_and_flip_rate(fooled, digits)
    assert accuracy < with_decoy.value - 0.2 and flip_rate > 0.2

    rows = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:20].tolist()
    said = [corrigible.Feedback(masks[row], row=row, fingerprint=fingerprint(train.x[row])) for row in rows]
    with corrigible.FeedbackStore(tmp_path / "feedback.sqlite") as store:
        store.add_all(said)
    with corrigible.FeedbackStore(tmp_path / "feedback.sqlite") as store:
        stored = [feedback for _, feedback in store.active()]
    corrected = corrigible.correct(fooled, train, stored, penalties={"right_reasons": 5.0}, epochs=14, seed=0)

    corrected_accuracy, corrected_flip_rate = accuracy_and_flip_rate(corrected, digits)
    assert corrected_accuracy > accuracy + 0.75 * (with_decoy.value - accuracy)
    assert corrected_flip_rate < 0.1
