"""A Bayesian network is corrected by evidence at weight 1, and stays one."""

import pytest
import torch
from torch import nn

from corrigible import Feedback, TensorData, correct, train
from corrigible.batches import collate
from corrigible.data.swapping import some_rows
from corrigible.feedback.masks import marks_to_swap
from corrigible.losses import LOSSES
from corrigible.models import mlp
from corrigible.models.bayes import bayesian, bayesian_layers, deterministic
from corrigible.models.forward import Forward
from corrigible.models.predictive import predictive
from corrigible.objective import terms_of
from corrigible.protocols.corrections.judge import build_judge
from corrigible.protocols.corrections.starting_weight import starting_weight
from corrigible.protocols.corrections.swap_score import swapped_batches
from corrigible.protocols.schedule import Schedule
from corrigible.protocols.training_facts import Known
from cue_data import cue_data


def test_evidence_corrects_a_network_that_went_by_a_cue():
    torch.manual_seed(0)
    y = torch.arange(96) % 2
    x = torch.stack([4.0 * y - 2, y - 0.5 + 0.15 * torch.randn(96)], dim=1)
    fooled = train(mlp(2, 2, hidden=(8,)), TensorData(x, y), epochs=5, learning_rate=0.02)
    said = [Feedback(torch.tensor([True, False]).numpy(), row=row) for row in range(8)]
    penalties = {"kl_divergence": {"weight": 1.0, "temperature": 0.1}, "no_change_evidence": 1.0}
    model = bayesian(fooled, prior_std=1.0)
    corrected = correct(model, TensorData(x, y), said, penalties=penalties, epochs=12, learning_rate=0.02)
    swapped = torch.stack([x[:, 0].roll(1), x[:, 1]], dim=1)

    def accuracy(network: torch.nn.Module) -> float:
        return float((network.eval()(swapped).argmax(1) == y).float().mean())

    assert accuracy(fooled) < 0.2
    assert accuracy(corrected) > 0.9
    assert corrected.verdict is not None
    assert [name for name, _ in bayesian_layers(corrected)] == ["1", "3"]
    assert predictive(corrected, swapped, samples=4).mutual_information.mean() > 0


def wide_network() -> nn.Module:
    """Weights of the size of 1, each with a standard deviation of about 0.4."""
    torch.manual_seed(0)
    model = bayesian(nn.Sequential(nn.Linear(5, 4), nn.Softplus(), nn.Linear(4, 3)), prior_std=0.5)
    for _, layer in bayesian_layers(model):
        nn.init.constant_(layer.weight_log_std, -1.0)
    return model


def test_the_starting_weight_compares_gradients_averaged_over_eight_draws():
    case, model = cue_data("numbers", num_reviewed=12), wide_network().eval()
    known = Known(model, case.data, case.marks, 3)
    (term,) = terms_of({"gradient_size": "auto"}, may_be_auto=True)
    found = starting_weight(term, known, Schedule())
    assert not any(layer.training for _, layer in bayesian_layers(model))
    swaps = marks_to_swap(case.marks, case.data.y)
    rows = some_rows(swaps.irrelevant.rows(case.data.y), 64, 3)
    reviewed, norms = collate(case.data, rows, case.marks), []
    model.train()
    batches = list(swapped_batches(case.data, swaps, rows, num_donors=10, seed=3))
    for losses in (
        lambda seed: [term.value(Forward(model, reviewed, seed=seed), reviewed)],
        lambda seed: [
            LOSSES["task_loss"](Forward(model, batch, seed=seed), batch).mean() / len(batches) for batch in batches
        ],
    ):
        total = sum(sum(losses(3 + number)) for number in range(8)) / 8
        found_gradients = torch.autograd.grad(total, list(model.parameters()), allow_unused=True)
        norms.append(sum(float(g.square().sum()) for g in found_gradients if g is not None) ** 0.5)
    assert found == pytest.approx(norms[1] / norms[0], rel=1e-4)


def test_swap_scores_are_of_the_mean_prediction_over_draws():
    case, model = cue_data("numbers", num_rows=30, num_reviewed=6), wide_network()
    judge = build_judge(case.data, case.marks)
    at_the_means = judge.score(deterministic(model))
    expected = [
        predictive(model, rows.scored.flatten(0, 1), samples=8).values.log().unflatten(0, rows.scored.shape[:2])
        for rows in judge.exchanges.rows()
    ]
    found = judge.judged(model)
    for part, log_probs in zip(judge.exchanges.rows(), expected, strict=True):
        of_label = log_probs.gather(2, part.y[:, None, None].expand(-1, log_probs.shape[1], 1))[..., 0].mean(dim=1)
        torch.testing.assert_close(
            found.log_likelihood[found.part == part.part].float(), of_label, rtol=1e-4, atol=1e-4
        )
    assert judge.score(model) != pytest.approx(at_the_means, abs=1e-3)


def test_dropout_is_off_while_a_bayesian_network_is_judged():
    case, model = cue_data("numbers", num_rows=30, num_reviewed=6), wide_network()
    for _, layer in bayesian_layers(model):
        nn.init.constant_(layer.weight_log_std, -12.0)
    judge = build_judge(case.data, case.marks)
    dropping = nn.Sequential(*model[:2], nn.Dropout(0.5), model[2])
    assert judge.score(dropping) == pytest.approx(judge.score(deterministic(model)), abs=1e-3)


@pytest.mark.parametrize(
    ("penalties", "is_said"),
    [({"right_reasons": 1.0}, True), (None, True), ({"right_reasons": 1.0, "kl_divergence": 1.0}, False)],
)
def test_without_the_divergence_it_is_said_that_nothing_keeps_weights_near_the_prior(penalties, is_said, caplog):
    x = torch.randn(24, 2, generator=torch.Generator().manual_seed(0))
    data, said = TensorData(x, torch.arange(24) % 2), [Feedback(torch.tensor([True, False]).numpy(), row=0)]
    correct(bayesian(mlp(2, 2, hidden=(4,))), data, said, penalties=penalties, epochs=1, progress=False)
    assert ("expected kl_divergence among the penalties" in caplog.text) == is_said
    caplog.clear()
    correct(mlp(2, 2, hidden=(4,)), data, said, penalties={"right_reasons": 1.0}, epochs=1, progress=False)
    assert "kl_divergence" not in caplog.text
