"""What private steps refuse: all that lets a row reach the weights beside its own clipped gradient."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

import corrigible
from corrigible.augment import input_noise
from corrigible.data.dataset import TensorData
from corrigible.declarations import declared
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.feedback.masks import marks_of
from corrigible.models.bayes import bayesian
from corrigible.objective import terms_of
from corrigible.protocols.baselines.just_train_twice import just_train_twice
from corrigible.protocols.privacy import spent
from corrigible.protocols.schedule import Schedule, result_of, run
from corrigible.protocols.training_facts import Known, augments_of, changes_of, provided
from corrigible.types import Feedback

NUM_ROWS = 24
DATA = TensorData(torch.randn(NUM_ROWS, 4, generator=torch.Generator().manual_seed(0)), torch.arange(NUM_ROWS) * 7 % 3)
FEEDBACK = [Feedback(torch.tensor([True, False, True, False]), row=row) for row in (2, 5, 11, 12)]
MARKS = marks_of(FEEDBACK, DATA)
PRIVATE = Schedule(
    epochs=1, batch_size=8, step={"name": "private", "noise_multiplier": 1.0, "delta": 1e-3, "is_seeded": True}
)


@pytest.fixture(autouse=True)
def uncounted(monkeypatch):
    """What steps cost is tested elsewhere, with Opacus."""
    monkeypatch.setattr(spent, "epsilon_of", lambda history, delta, accountant: float(len(history)))


def network(*between: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), *between, nn.Tanh(), nn.Linear(6, 3))


def trained(model: nn.Module, *, data=DATA, schedule=PRIVATE, penalties=(), augment=None, **settings) -> nn.Module:
    known = Known(model, data, MARKS, 0)
    terms = provided(terms_of(dict(penalties)), known)
    changes = augments_of(changes_of(augment or {}), known)
    list(run(model, data, schedule, penalties=terms, augment=changes, marks=MARKS if terms else None, **settings))
    return model


@declared(rows="labelled", looks_at="nothing")
def spread(forward, batch):
    """How far the rows' outputs lie apart, which no row has alone."""
    return forward.outputs.var(dim=0, unbiased=False).sum()


@declared(rows="labelled", looks_at="nothing")
def size(forward, batch):
    """A mean over rows."""
    return forward.outputs.square().mean()


@declared(rows="labelled", looks_at="weights")
def says_weights(forward, batch):
    """It says that it looks at no row, and does."""
    return forward.outputs.square().sum(dim=1).mean()


@declared(kind="augmentation", rows="labelled", looks_at="nothing")
def mixed(model, batch, generator):
    return replace(batch, x=(batch.x + batch.x.flip(0)) / 2)


@declared(kind="augmentation", rows="labelled")
def doubled(model, batch, generator):
    return replace(batch, x=2 * batch.x)


class Counting(nn.Module):
    """A layer that keeps the mean of what passes."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(6))

    def forward(self, x):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
        return x


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (nn.BatchNorm1d(6), r"layer '1' \(BatchNorm1d\) mixes the rows.*GroupNorm or LayerNorm"),
        (Counting(), r"buffer '1.mean' changes when rows pass in training"),
    ],
)
def test_layers_that_mix_rows_or_keep_facts_about_them(layer, said):
    with pytest.raises(UnsupportedModelError, match=said):
        trained(network(layer))


def test_layer_norm_and_dropout_are_trained():
    assert hasattr(trained(network(nn.LayerNorm(6), nn.Dropout(0.2))), "privacy")


@pytest.mark.parametrize(
    ("penalty", "said"),
    [
        ("counterexamples", "takes (donors|background|input_range|class_means) from other rows"),
        ("expected_gradients_on_marks", "takes background from other rows.*right_reasons"),
        (spread, r"penalty 'spread' is .* for 6 rows and 0 in the mean of each alone: it compares rows"),
    ],
)
def test_penalties_that_are_made_of_other_rows(penalty, said):
    with pytest.raises(RecipeError, match=said):
        trained(network(), penalties={penalty: 1.0})


@pytest.mark.parametrize("penalty", ["right_reasons", "energy_outside", "gradient_size", "weight_norm", size])
def test_penalties_of_one_row_or_of_no_row_are_trained(penalty):
    assert len(trained(network(), penalties={penalty: 1.0}).privacy.history) == 1


def test_a_penalty_that_says_it_looks_at_no_row_and_does():
    with pytest.raises(RecipeError, match=r"declares looks_at=\"weights\", and is .* with rows and .* without"):
        trained(network(), penalties={says_weights: 1.0})


def test_gaps_between_groups():
    data = replace(DATA, group=torch.arange(NUM_ROWS) % 2, y=DATA.y % 2)
    with pytest.raises(RecipeError, match="compares groups of rows"):
        trained(network(), data=data, penalties={"demographic_parity": 1.0})


def test_moved_content_and_mixed_rows():
    with pytest.raises(RecipeError, match=r"'transplant' moves content between rows.*right_reasons"):
        trained(network(), augment={"transplant": {}})
    with pytest.raises(RecipeError, match=r"'mixed' gives a row something of other rows.*input_noise"):
        trained(network(), augment={mixed: {}})
    with pytest.raises(RecipeError, match=r"'adversarial_rows' gives 12 rows for 6"):
        trained(network(), augment={"adversarial_rows": {}})


def test_changes_of_each_row_alone_are_trained():
    for augment in ({"input_noise": {"deviation": 0.1}}, {doubled: {}}):
        assert hasattr(trained(network(), augment=augment), "privacy")
    assert partial(input_noise, deviation=0.1).keywords  # As recipes fill settings in.


def test_a_loss_that_looks_at_other_rows():
    def ranked(forward, batch):
        losses = forward.task.loss(forward.outputs, batch.y, batch.extra)
        return losses / losses.detach().sum()

    with pytest.raises(RecipeError, match=r"loss 'ranked' gives a row another value beside other rows"):
        trained(network(), schedule=replace(PRIVATE, loss=ranked))


def test_what_epsilon_would_not_count():
    taught = replace(DATA, extra={"teacher": torch.zeros(NUM_ROWS, 3)})
    for settings, said in (
        ({"rows": torch.arange(10)}, "trains on some of the rows"),
        ({"loss": PRIVATE.label_loss}, "has a label loss of its own"),
        ({"schedule": replace(PRIVATE, representative=True)}, "leave out representative"),
        ({"data": taught}, "what the teacher learned"),
    ):
        with pytest.raises(RecipeError, match=said):
            trained(network(), **settings)
    with pytest.raises(RecipeError, match="just_train_twice takes more from the rows"):
        result_of(just_train_twice(network(), DATA, schedule=replace(PRIVATE, epochs=2)))


def test_a_bayesian_network_is_trained_with_its_divergence():
    model = bayesian(network())
    assert hasattr(trained(model, penalties={"kl_divergence": 1.0}), "privacy")


def test_a_correction_needs_a_private_training_and_a_number_as_weight_and_adds_to_what_was_spent():
    how = {"epochs": 1, "batch_size": 8, "step": PRIVATE.step}
    with pytest.raises(RecipeError, match="was not trained with private steps"):
        corrigible.correct(network(), DATA, FEEDBACK, penalties={"right_reasons": 1.0}, **how)
    model = trained(network())
    with pytest.raises(RecipeError, match="'auto', chosen by trials"):
        corrigible.correct(model, DATA, FEEDBACK, penalties={"energy_outside": "auto"}, **how)
    with pytest.raises(RecipeError, match="moves content between rows"):
        corrigible.correct(model, DATA, FEEDBACK, **how)
    corrected = corrigible.correct(model, DATA, FEEDBACK, penalties={"right_reasons": 1.0}, **how)
    assert len(corrected.privacy.history) == 2
    assert len(corrected.privacy.reviewed_history) == 3
    assert len(model.privacy.history) == 1
