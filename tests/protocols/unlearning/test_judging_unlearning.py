"""Unlearned models beside retrained ones: KLoM, the attack with shadow models, and total variation."""

import math

import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import CorrigibleError, DataError, RecipeError
from corrigible.protocols.unlearning.judging import judge_unlearning, networks_in
from corrigible.protocols.unlearning.klom import LEAST_STD, klom, row_attack
from corrigible.protocols.unlearning.margins import margins

GENERATOR = torch.Generator().manual_seed(0)
X, Y = torch.randn(9, 3, generator=GENERATOR), torch.arange(9) % 4


def models(count: int, shift: float = 0.0) -> list[nn.Module]:
    found = []
    for seed in range(count):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = nn.Linear(3, 4)
        with torch.no_grad():
            model.bias[0] += shift
        found.append(model)
    return found


def test_margins_are_log_odds_of_the_label():
    model = models(1)[0]
    probs = model(X).detach().double().softmax(1)
    for row, margin in enumerate(margins(model, TensorData(X, Y)).tolist()):
        p = float(probs[row, Y[row]])
        assert margin == pytest.approx(math.log(p / (1 - p)), abs=1e-5)


def test_margins_of_amounts_are_minus_losses():
    data = TensorData(X, X[:, 0], task="amounts")
    model = nn.Linear(3, 1)
    torch.testing.assert_close(margins(model, data), -data.task.loss(model(X).detach().double(), data.y.double(), {}))


def test_klom_is_the_divergence_of_normal_distributions():
    mine, theirs = (torch.randn(6, 5, generator=GENERATOR, dtype=torch.float64) * s + m for s, m in ((2, 1), (1, 0)))
    for row, found in enumerate(klom(mine, theirs).tolist()):
        unlearned = torch.distributions.Normal(mine[:, row].mean(), mine[:, row].std())
        retrained = torch.distributions.Normal(theirs[:, row].mean(), theirs[:, row].std())
        assert found == pytest.approx(float(torch.distributions.kl_divergence(retrained, unlearned)))
    same = torch.zeros(3, 2, dtype=torch.float64)
    assert klom(same, same).tolist() == [0, 0]
    assert klom(same, same + 1).tolist() == pytest.approx([0.5 / LEAST_STD**2] * 2)
    with pytest.raises(DataError, match="at least two"):
        klom(same[:1], same)


def test_the_attack_holds_each_model_out_in_turn():
    mine, theirs = (torch.randn(4, 3, generator=GENERATOR, dtype=torch.float64) + m for m in (0.0, 1.0))

    def density(value, sample):
        std = max(float(sample.std()), LEAST_STD)
        return -math.log(std) - ((float(value) - float(sample.mean())) / std) ** 2 / 2

    right = []
    for row in range(3):
        for inside, outside in ((mine, theirs), (theirs, mine)):
            for held in range(4):
                others = torch.stack([inside[i, row] for i in range(4) if i != held])
                right.append(density(inside[held, row], others) > density(inside[held, row], outside[:, row]))
    assert float(row_attack(mine, theirs)) == pytest.approx(sum(right) / len(right))
    assert float(row_attack(mine, mine + 100)) == 1.0
    with pytest.raises(DataError, match="at least three"):
        row_attack(mine[:2], theirs)


def test_judging_compares_on_each_kind_of_rows():
    data = TensorData(X, Y)
    found = judge_unlearning(models(4), models(4, shift=1.0), {"forgotten": (X, Y), "test": (X[:5], Y[:5])})
    part = found["forgotten"]
    first, second = (torch.stack([margins(m, data) for m in kind]) for kind in (models(4), models(4, 1.0)))
    assert part.klom == pytest.approx(float(klom(first, second).mean()))
    assert part.klom_95 == pytest.approx(float(klom(first, second).quantile(0.95)))
    apart = [
        (a(X).detach().double().softmax(1) - b(X).detach().double().softmax(1)).abs().sum(1).mean() / 2
        for a, b in zip(models(4), models(4, 1.0), strict=True)
    ]
    assert part.total_variation == pytest.approx(float(torch.stack(apart).mean()), abs=1e-6)
    accuracies = [(m(X).argmax(1) == Y).double().mean() for m in models(4)]
    assert part.quality == pytest.approx(float(torch.stack(accuracies).mean()))
    assert (found["test"].num_rows, found.num_models) == (5, 4)
    assert "KLoM" in str(found) and "KLoM" in found._repr_html_()


def test_few_models_leave_the_attack_unmeasured():
    found = judge_unlearning(models(2), models(2), {"rows": (X, Y)})
    assert found["rows"].attack is None
    assert "attack not measured" in str(found)
    with pytest.raises(DataError, match="no rows"):
        judge_unlearning(models(2), models(2), {})
    with pytest.raises(RecipeError, match="unknown kind of rows 'row'.*rows"):
        found["row"]


def test_what_cannot_be_judged_is_refused_in_one_line():
    broken, wide = models(3), nn.Linear(3, 5)
    with torch.no_grad():
        broken[1].bias[0] = torch.nan
    for unlearned, says in (
        ([], "unlearned has 0 models; expected at least two"),
        (models(1), "unlearned has 1 models"),
        ([*models(2), wide], "models have 4 and 5 outputs"),
        (broken, "output for row 0 is NaN or infinite"),
    ):
        with pytest.raises(CorrigibleError, match=says) as refused:
            judge_unlearning(unlearned, models(3), {"rows": (X, Y)})
        assert "\n" not in str(refused.value)
    for given in (nn.Sequential(*models(2)), 3):
        with pytest.raises(DataError, match=f"retrained is of type {type(given).__name__}; expected a list of models"):
            networks_in("retrained", given)
