"""Accuracy under attacks and what is certified, on models whose margins are known."""

from functools import partial

import pytest
import torch
from torch import nn

from corrigible.augment import auto_projected_gradient, fgsm, square_attack
from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.protocols.robustness.certified_accuracy import certified_accuracy
from corrigible.protocols.robustness.masked_gradients import fooled_less_by_more, right_everywhere
from corrigible.protocols.robustness.robust_accuracy import robust_accuracy, wrong_class
from corrigible.types import Columns

QUICK = {
    "fgsm": fgsm,
    "climbing": partial(auto_projected_gradient, loss="margin", steps=12),
    "square_attack": partial(square_attack, queries=20),
}


class Quantised(nn.Module):
    """Sees inputs in steps of 1/10: its gradient is 0 everywhere."""

    def __init__(self, inside):
        super().__init__()
        self.inside = inside

    def forward(self, x):
        return self.inside((10 * x).round() / 10)


def threshold():
    """Predicts 1 where x is above one half."""
    model = nn.Linear(1, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[-1.0], [1.0]]))
        model.bias.copy_(torch.tensor([0.5, -0.5]))
    return model


DATA = (torch.tensor([[0.05], [0.25], [0.45], [0.65], [0.99], [0.2]]), torch.tensor([0, 0, 0, 1, 1, 1]))


def network(num_inputs=6, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Flatten(), nn.Linear(num_inputs, 12), nn.ReLU(), nn.Linear(12, 3)).double()
        x = torch.rand(60, num_inputs).double()
    y = model(x).argmax(1)
    y[::10] = (y[::10] + 1) % 3
    return model, x, y


@pytest.mark.parametrize(
    "settings", [{"attack": "fgsm"}, {"attack": "projected_gradient", "steps": 5}, {"attack": QUICK}]
)
def test_a_row_falls_when_the_attack_reaches_its_margin(settings):
    for targeted in (False, True):
        shares = [
            robust_accuracy(threshold(), DATA, epsilon=size, targeted=targeted, **settings).robust
            for size in (0.0, 0.1, 0.2, 0.4, 0.48, 0.6)
        ]
        assert [round(6 * share) for share in shares] == [5, 4, 3, 2, 1, 0]


def test_the_default_is_several_attacks():
    found = robust_accuracy(threshold(), DATA, epsilon=0.6)
    assert list(found.fooled) == [
        *("fgsm", "projected_gradient", "auto_projected_gradient", "auto_projected_gradient, margin"),
        "square_attack",
    ]
    assert found.robust == 0 and found.warnings == ()


def test_all_that_stands_of_a_linear_model_is_certified():
    certified = certified_accuracy(threshold(), DATA, epsilon=0.2)
    found = robust_accuracy(threshold(), DATA, epsilon=0.2, attack=QUICK)
    assert found.stands.tolist() == certified.is_certified.tolist() == [True, True, False, False, True, False]
    assert found.won == (None, None, "fgsm", "fgsm", None, None)
    assert (found.clean, found.robust, certified.certified) == (5 / 6, 0.5, 0.5)
    assert found.warnings == ()


def test_the_strongest_is_the_worst_of_all_attacks_on_each_row():
    model, x, y = network()
    found = robust_accuracy(model, (x, y), epsilon=0.05, attack=QUICK)
    for name, attack in QUICK.items():
        right = found.is_right.nonzero().flatten()
        own = {"index": right} if name != "fgsm" else {}
        moved = attack(model, x[right], y[right], epsilon=0.05, **own)
        fooled = model(moved).argmax(1) != y[right]
        assert found.fooled[name][right].tolist() == fooled.tolist()
        assert not found.fooled[name][~found.is_right].any()
    stands = [
        bool(right) and not any(f[row] for f in found.fooled.values()) for row, right in enumerate(found.is_right)
    ]
    assert found.stands.tolist() == stands
    assert found.robust <= min(found.under.values()) <= found.clean
    for row, won in enumerate(found.won):
        assert won == next((name for name, fooled in found.fooled.items() if fooled[row]), None)
    assert sum(found.alone.values()) == sum(sum(f[row] for f in found.fooled.values()) == 1 for row in range(60))


def test_order_of_rows_changes_nothing_but_the_draws_of_their_places():
    model, x, y = network()
    attack = {"climbing": QUICK["climbing"]}
    order = torch.randperm(60)
    first, second = (
        robust_accuracy(model, rows, epsilon=0.05, attack=attack) for rows in ((x, y), (x[order], y[order]))
    )
    assert torch.equal(first.stands[order], second.stands)


@pytest.mark.parametrize("epsilon", [0.0, 0.01, 0.05, 0.2])
def test_what_is_certified_no_attack_changes(epsilon):
    for seed in range(2):
        model, x, y = network(seed=seed)
        certified = certified_accuracy(model, (x, y), epsilon=epsilon)
        found = robust_accuracy(model, (x, y), epsilon=epsilon, attack=QUICK)
        assert not bool((certified.is_certified & ~found.stands).any())
        assert certified.clean == found.clean
        if epsilon == 0:
            assert certified.certified == found.robust == found.clean
        drawn = (x[None] + epsilon * (2 * torch.rand(200, *x.shape).double() - 1)).clamp(0, 1)
        kept = (model(drawn.flatten(0, 1)).argmax(1).view(200, -1) == y).all(dim=0)
        assert not bool((certified.is_certified & ~kept).any())


def test_less_is_certified_the_larger_the_change():
    model, x, y = network()
    shares = [certified_accuracy(model, (x, y), epsilon=size).certified for size in (0.0, 0.01, 0.05, 0.2)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[1] > shares[3]


def test_a_network_without_gradients_is_found_out():
    model, x, _ = network()
    hidden = Quantised(model)
    y = hidden(x).argmax(1)
    found = robust_accuracy(hidden, (x, y), epsilon=0.3, attack=QUICK)
    assert found.under["climbing"] > 0.9 and found.under["square_attack"] < 0.5
    assert "gradients are masked: square_attack" in found.warnings[0]
    assert "with every input anywhere in its range" in found.warnings[1]
    assert "Careful: gradients are masked" in str(found)
    assert "gradients are masked" in found.measurements()[-1].note
    without = robust_accuracy(hidden, (x, y), epsilon=0.3, attack={"climbing": QUICK["climbing"]})
    assert len(without.warnings) == 1 and "anywhere" in without.warnings[0]


def test_a_network_that_is_certain_is_no_reason_for_a_warning():
    """Its probabilities are 0 and 1, and so the gradient of its loss is 0; that of the log-odds is not."""
    model, x, y = network()
    plain = robust_accuracy(model, (x, y), epsilon=0.05, attack=QUICK)
    with torch.no_grad():
        for parameter in model[3].parameters():
            parameter.mul_(1e7)
    certain = robust_accuracy(model, (x, y), epsilon=0.05, attack=QUICK)
    assert model(x).softmax(1).amax(1).min() == 1
    assert certain.warnings == plain.warnings == ()
    assert abs(certain.robust - plain.robust) <= 1 / 60


def test_success_that_shrinks_is_found_out_and_chance_is_not():
    some, none = torch.arange(20) < 10, torch.zeros(20, dtype=torch.bool)
    assert (
        "at most 0.2 fool the model on 0 of 20 rows, those of at most 0.1 on 10"
        in fooled_less_by_more(some, none, 0.1)[0]
    )
    assert fooled_less_by_more(none, some, 0.1) == fooled_less_by_more(some, some, 0.1) == []
    assert fooled_less_by_more(torch.arange(20) < 2, none, 0.1) == []
    assert right_everywhere(~none) == [] and "leave 20 of 20 rows right" in right_everywhere(none)[0]


def test_categories_stay_as_they_are():
    columns = Columns(("a", "b=0", "b=1"), ("a", "b", "b"), (False, True, True))
    model = nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.1, 5.0, 0.0], [0.0, 0.0, 5.0]]))
        model.bias.zero_()
    x, y = torch.tensor([[0.5, 1.0, 0.0], [0.5, 0.0, 1.0]]), torch.tensor([0, 1])
    named = TensorData(x, y, columns=columns)
    assert robust_accuracy(model, named, epsilon=1.0, attack=QUICK).robust == 1
    assert certified_accuracy(model, named, epsilon=1.0).certified == 1
    assert robust_accuracy(model, (x, y), epsilon=1.0, attack=QUICK).robust == 0
    assert certified_accuracy(model, (x, y), epsilon=1.0).certified == 0


def test_it_is_shown_with_intervals():
    found = robust_accuracy(threshold(), DATA, epsilon=0.1, attack=QUICK)
    certified = certified_accuracy(threshold(), DATA, epsilon=0.1)
    measured = found.measurements()
    assert [(m.metric, m.part) for m in measured][::4] == [("accuracy", ""), ("robust_accuracy", "")]
    assert measured[0].value == 5 / 6 and measured[-1].value == 4 / 6 and measured[1].part == "fgsm"
    assert all(m.low <= m.value <= m.high and m.count == 6 for m in measured)
    assert certified.measurements()[1].metric == "certified_accuracy"
    assert str(found).splitlines()[1].startswith("Under attack, each input moved by at most 0.1: 0.667 (")
    assert "fgsm: 0.667" in str(found) and "fgsm" in found._repr_html_()
    assert str(certified).splitlines()[1].startswith("Certified, each input moved by at most 0.1: 0.667 (")


def test_targets_are_wrong_classes_and_all_of_them():
    y = torch.arange(4).repeat(50)
    target = wrong_class(torch.arange(200), y, 4, 0)
    assert set(((target - y) % 4).tolist()) == {1, 2, 3}


def test_the_model_is_left_as_it_was(resnet_case):
    model, batch = resnet_case.model.train(), resnet_case.batch
    state, random = {key: value.clone() for key, value in model.state_dict().items()}, torch.get_rng_state()
    rows = (batch.x.clamp(0, 1), batch.y)
    assert robust_accuracy(model, rows, epsilon=0.1, attack=QUICK).is_right.shape == (4,)
    certified_accuracy(model, rows, epsilon=0.1)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_what_cannot_be_measured_is_refused():
    model, (x, y) = threshold(), DATA
    for measure in (robust_accuracy, certified_accuracy):
        with pytest.raises(RecipeError, match=r"epsilon is -0.1; expected a number of at least 0"):
            measure(model, DATA, epsilon=-0.1)
        with pytest.raises(DataError, match=r"x holds 2\.\d+, beyond low and high; give the range"):
            measure(model, (x + 2, y), epsilon=0.1)
        with pytest.raises(UnsupportedModelError, match="the task of the data is 'amounts'"):
            measure(nn.Linear(1, 1), TensorData(x, y.float(), task="amounts"), epsilon=0.1)
    for settings, message in (
        ({"attack": "fgms"}, "unknown attack 'fgms'"),
        ({"attack": "fgsm", "steps": 3}, "unknown setting 'steps'"),
        ({"steps": 3}, "settings belong to one attack"),
        ({"attack": {}}, "no attacks"),
        ({"attack": "square_attack", "norm": "l2"}, "'square_attack' does not know the norm 'l2'"),
    ):
        with pytest.raises(RecipeError, match=message):
            robust_accuracy(model, DATA, epsilon=0.1, **settings)


def test_several_attacks_by_l2_all_follow_gradients():
    found = robust_accuracy(threshold(), DATA, epsilon=0.5, norm="l2")
    assert list(found.fooled) == ["projected_gradient", "auto_projected_gradient", "auto_projected_gradient, margin"]
    assert found.robust == 0


def test_categories_that_are_held_are_no_sign_of_masked_gradients():
    """Rows of one category stay right wherever their number goes."""
    model = nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, 9.0, 0.0], [1.0, 0.0, 0.0]]))
        model.bias.zero_()
    columns = Columns(("age", "kind=a", "kind=b"), ("age", "kind", "kind"), (False, True, True))
    kind = torch.arange(40) % 2
    x = torch.cat([torch.rand(40, 1), nn.functional.one_hot(kind, 2).float()], dim=1)
    data = TensorData(x, model(x).argmax(dim=1), columns=columns)
    assert robust_accuracy(model, data, epsilon=0.1, attack="projected_gradient").warnings == ()


def test_an_attack_that_counts_costs_is_named_so():
    def costly(model, x, y, *, epsilon: float = 1.0):
        return x

    rows = torch.rand(4, 3), torch.zeros(4, dtype=torch.long)
    found = robust_accuracy(nn.Linear(3, 2), rows, epsilon=2.0, attack=costly)
    assert found.norm == "cost" and "changes that cost together at most 2" in str(found)
