"""Effects against their definition, and what they are compared with."""

import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import FeedbackError, RecipeError
from corrigible.regions.effects import region_effects
from corrigible.regions.region_test import compared_with_others, region_test


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 6), nn.BatchNorm1d(6), nn.Dropout(), nn.Tanh(), nn.Linear(6, 3))


def images(num_rows: int = 7) -> torch.Tensor:
    return torch.randn(num_rows, 1, 4, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("score", ["target_prob", "target_logit", "margin"])
def test_effects_are_the_scores_less_the_mean_over_donors_written_out(score):
    model, x, donors = network(), images(), images(10)[7:]
    target = torch.tensor([0, 1, 2, 0, 1, 2, 0])
    masks = torch.rand(4, 1, 4, 4, generator=torch.Generator().manual_seed(2)) > 0.5
    state = {name: value.clone() for name, value in model.state_dict().items()}
    found = region_effects(model, x, target, masks, donors, score=score)
    assert model.training
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    model.eval()

    def scored(row: torch.Tensor, label: int) -> torch.Tensor:
        logits = model(row[None])[0]
        other = torch.cat([logits[:label], logits[label + 1 :]]).max()
        return {
            "target_prob": logits.softmax(0)[label],
            "target_logit": logits[label],
            "margin": logits[label] - other,
        }[score]

    for row in range(len(x)):
        for place, mask in enumerate(masks):
            after = [scored(torch.where(mask, donor, x[row]), int(target[row])) for donor in donors]
            expected = scored(x[row], int(target[row])) - sum(after) / len(donors)
            assert found[row, place].item() == pytest.approx(expected.item(), abs=1e-5)


def test_donors_that_lend_to_some_rows_each_give_the_mean_over_these():
    model, x, donors = network(), images(), images(10)[7:]
    target, mask = torch.zeros(7, dtype=torch.long), torch.rand(1, 1, 4, 4) > 0.5
    found = region_effects(model, x, target, mask, donors, donors_per_row=2)[:, 0]
    # Rows 0, 1, 2, … get the donors (0, 1), (2, 0), (1, 2), …
    lenders = [[(2 * row + k) % 3 for k in range(2)] for row in range(7)]
    for row, some in enumerate(lenders):
        alone = region_effects(model, x[row][None], target[:1], mask, donors[some])
        assert found[row].item() == pytest.approx(alone.item(), abs=1e-5)


def test_a_region_the_model_does_not_see_has_no_effect_and_one_it_looks_at_alone_has_all():
    x = images(60)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].weight[1, :2] = 3.0
    seen, unseen = torch.zeros(4, 4, dtype=torch.bool), torch.zeros(4, 4, dtype=torch.bool)
    seen[0, :2] = unseen[3, 2:] = True
    data = TensorData(x, torch.arange(60) % 2)
    nothing = region_test(model, data, unseen)
    assert [nothing.effect, nothing.low, nothing.high, nothing.ratio] == pytest.approx([0, 0, 0, 0], abs=1e-6)
    assert nothing.p_value > 0.5
    found = region_test(model, data, seen)
    assert found.low > 0.1
    assert found.p_value == pytest.approx(1 / (1 + found.num_elsewhere))
    assert found.ratio_high >= found.ratio >= found.ratio_low > 2
    assert region_test(model, data, seen) == found


def test_the_comparison_is_that_of_a_hand_worked_table():
    effect, others = torch.tensor([1.0, 3.0]), torch.tensor([[0.0, 2.0, -4.0], [2.0, 2.0, 0.0]])
    found = compared_with_others(effect, others)
    assert (found.effect, found.elsewhere) == (2.0, pytest.approx(1 / 3))
    assert found.ratio == pytest.approx(2 / ((1 + 2 + 2) / 3))
    assert (found.p_value, found.num_elsewhere) == (0.5, 3)
    assert (found.low, found.high) == (1.0, 3.0)


def test_a_region_or_setting_that_does_not_fit_is_refused():
    data = TensorData(images(), torch.arange(7) % 3)
    with pytest.raises(FeedbackError, match="feature names"):
        region_test(network(), data, "age")
    with pytest.raises(RecipeError, match="num_donors is 0"):
        region_test(network(), data, torch.ones(4, 4, dtype=torch.bool), num_donors=0)
    with pytest.raises(RecipeError, match="unknown score 'random'"):
        region_test(network(), data, torch.eye(4).bool(), score="random")


def test_the_effect_on_an_amount_is_how_far_it_moves_written_out():
    x, donors = images(), images(10)[7:]
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    task = TensorData(x, torch.arange(7.0), task="amounts").task
    masks = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(2)) > 0.5
    target = torch.zeros(7, dtype=torch.long)
    moved = region_effects(model, x, target, masks, donors, task=task)
    changed = region_effects(model, x, target, masks, donors, task=task, score="target_value")
    for row in range(len(x)):
        for place, mask in enumerate(masks):
            changed_rows = torch.where(mask, donors, x[row])
            gaps = (model(x[[row]]) - model(changed_rows)).abs().flatten().tolist()
            assert changed[row, place].item() == pytest.approx(sum(gaps) / len(gaps), abs=1e-5)
            # The standard deviation of 0, 1, …, 6 is 2.
            assert moved[row, place].item() == pytest.approx(sum(min(gap / 2, 1) for gap in gaps) / len(gaps), abs=1e-5)


def test_a_region_of_rows_with_amounts_is_tested():
    x = images(60)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    with torch.no_grad():
        model[1].weight.zero_()[0, :2] = 3.0
    seen = torch.zeros(4, 4, dtype=torch.bool)
    seen[0, :2] = True
    found = region_test(model, TensorData(x, model(x)[:, 0].detach(), task="amounts"), seen)
    assert 0.3 < found.low < found.effect <= 1 and found.p_value < 0.2
