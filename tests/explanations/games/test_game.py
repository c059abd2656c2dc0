import pytest
import torch
from torch import nn

from corrigible.errors import DataError, RecipeError
from corrigible.explanations import explain
from corrigible.explanations.games.evaluate import evaluated
from corrigible.explanations.games.game import Plan, all_coalitions, game_of
from corrigible.explanations.question import Question
from literal_games import LABELS, Wrapped, coalitions, conditional_value, filled_value, logit, rows, smooth_net

SETTINGS = {
    "columns": None,
    "baseline": None,
    "background": None,
    "absent": "marginal",
}


def values(model, x, target, labels, seed=0, rows_at_once=16, **settings):
    """The value of every coalition, for each row."""
    question = Question(model, x, target, "target_logit", seed, rows_at_once)
    game = game_of(question, groups=labels, **SETTINGS | settings)
    present = all_coalitions(game.num_groups)
    return present, evaluated(game, [Plan(present, torch.eye(len(present)))])


@pytest.mark.parametrize("rows_at_once", [1, 3, 16, 1000])
@pytest.mark.parametrize("absent", ["fixed", "marginal", "conditional"])
@pytest.mark.parametrize("wrap", [lambda model: model, Wrapped], ids=["sequence", "module"])
def test_the_value_of_a_coalition_is_the_score_with_the_rest_filled_in(wrap, absent, rows_at_once):
    model, x, others, target = smooth_net(), rows(3), rows(10, seed=2), torch.tensor([0, 2, 1])
    data = {"baseline": others[0]} if absent == "fixed" else {"background": others, "absent": absent}
    present, found = values(wrap(model), x, target, LABELS, rows_at_once=rows_at_once, **data)
    literal = conditional_value if absent == "conditional" else filled_value
    fillings = others[:1] if absent == "fixed" else others
    for place, chosen in enumerate(present):
        coalition = frozenset(chosen.nonzero().flatten().tolist())
        expected = [
            literal(logit(model, t), row, LABELS, coalition, fillings)
            for row, t in zip(x, target.tolist(), strict=True)
        ]
        torch.testing.assert_close(found[:, place].tolist(), expected)


def test_all_coalitions_are_all_subsets():
    found = [frozenset(chosen.nonzero().flatten().tolist()) for chosen in all_coalitions(4)]
    assert len(found) == 16
    assert set(found) == set(coalitions(4))


def with_one_hot(count, seed):
    return torch.cat(
        [rows(count, 1, seed), torch.eye(3).double()[torch.arange(count) % 3], rows(count, 1, seed + 9)], 1
    )


def test_independent_rows_have_each_groups_values_once_in_an_order_of_its_own():
    others = with_one_hot(30, 2)
    settings = SETTINGS | {"background": others, "absent": "independent"}
    question = Question(smooth_net(), rows(1), torch.tensor([0]), "target_logit", 0, 16)
    game = game_of(question, groups=LABELS, **settings)
    mixed = game.removal.rows
    assert sorted(mixed[:, 0].tolist()) == sorted(others[:, 0].tolist())
    assert sorted(mixed[:, 4].tolist()) == sorted(others[:, 4].tolist())
    assert mixed[:, 1:4].sum(1).tolist() == [1.0] * 30 and torch.equal(mixed[:, 1:4].sum(0), others[:, 1:4].sum(0))
    assert not torch.equal(mixed, others)
    pairs = set(zip(others[:, 0].tolist(), others[:, 4].tolist(), strict=True))
    assert len(pairs & set(zip(mixed[:, 0].tolist(), mixed[:, 4].tolist(), strict=True))) < 8


def test_what_the_three_ways_make_of_two_inputs_that_are_always_equal():
    z = rows(2000, 1)
    others = torch.cat([z, z], dim=1)
    x, product = torch.tensor([[2.0, 2.0]]).double(), lambda x: x[:, 0] * x[:, 1]
    target, labels = torch.tensor([1]), torch.tensor([0, 1])
    square, mean = z.square().mean().item(), z.mean().item()
    for absent, nothing, first_alone in [
        ("marginal", square, 2 * mean),
        ("independent", mean**2, 2 * mean),
        ("conditional", square, 4.0),
    ]:
        _, found = values(Wrapped(product), x, target, labels, background=others, absent=absent, rows_at_once=500)
        assert found[0, 0].item() == pytest.approx(nothing, abs=0.08), absent
        assert found[0, 1].item() == pytest.approx(first_alone, abs=0.2), absent
        assert found[0, 3].item() == pytest.approx(4.0), absent


def test_rows_that_are_equally_near_are_chosen_by_the_seed_not_by_their_place():
    others = torch.cat([torch.zeros(100, 1), torch.arange(100.0)[:, None]], dim=1)
    game = Wrapped(lambda x: x[:, 1]), torch.zeros(1, 2), torch.tensor([1]), torch.tensor([0, 1])
    chosen = []
    for seed in range(40):
        _, found = values(*game, background=others, absent="conditional", seed=seed)
        chosen.append(found[0, 1].item())
    # Ten of a hundred equally near rows, with values 0 to 99.
    assert len(set(chosen)) > 30
    assert sum(chosen) / 40 == pytest.approx(49.5, abs=6)


@pytest.mark.parametrize("starts_with", [[], [nn.Flatten()]])
def test_a_sequence_that_begins_with_a_linear_layer_is_explained_as_any_other_network(starts_with):
    model, x = nn.Sequential(*starts_with, *smooth_net(), nn.ReLU(inplace=True)), rows(3)
    others = rows(4, seed=3)
    for settings in ({}, {"baseline": 1.5}, {"background": others}, {"background": others, "absent": "independent"}):
        for method in ("exact_shapley", "kernel_shap", "feature_ablation"):
            found = explain(model, x, 2, method=method, groups=LABELS, rows_at_once=9, **settings)
            expected = explain(Wrapped(model), x, 2, method=method, groups=LABELS, rows_at_once=9, **settings)
            torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


def test_images_and_inputs_with_several_axes_go_the_same_way():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    x, segments = rows(3, 12).reshape(3, 1, 3, 4), torch.arange(12).reshape(1, 3, 4) // 3
    found = explain(model, x, 1, method="exact_shapley", groups=segments)
    torch.testing.assert_close(found, explain(Wrapped(model), x, 1, method="exact_shapley", groups=segments))


def test_a_linear_layer_over_the_last_axis_of_several_is_no_affine_start():
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(9, 2)).double()
    x = rows(2, 12).reshape(2, 3, 4)
    found = explain(model, x, 1, method="feature_ablation")
    torch.testing.assert_close(found, explain(Wrapped(model), x, 1, method="feature_ablation"))


@pytest.mark.parametrize("place", [None, 0])
def test_whoever_has_hooked_into_the_first_layer_still_sees_every_point(place):
    model, seen = smooth_net(), []
    watched = model if place is None else model[place]
    handle = watched.register_forward_hook(lambda module, arguments, output: seen.append(len(output)))
    found = explain(model, rows(3), 1, method="exact_shapley", groups=LABELS)
    handle.remove()
    assert sum(seen) >= 3 * 8
    torch.testing.assert_close(found, explain(model, rows(3), 1, method="exact_shapley", groups=LABELS))


def test_a_linear_model_has_nothing_after_its_first_layer():
    model, x = nn.Sequential(nn.Linear(5, 2, bias=False)).double(), rows(3)
    torch.testing.assert_close(explain(model, x, 1, method="exact_shapley"), model[0].weight.detach()[1] * x)


BACKGROUND = torch.zeros(4, 5, dtype=torch.float64)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"background": BACKGROUND[:, :3]}, r"background has shape \(4, 3\); expected at least one row, \(n, 5\)"),
        ({"background": BACKGROUND[:0]}, r"background has shape \(0, 5\); expected at least one row"),
        ({"background": BACKGROUND * torch.nan}, "background is NaN or infinite"),
        ({"background": BACKGROUND, "baseline": 0.0}, "both a baseline and a background are given"),
        ({"absent": "conditional"}, "absent='conditional' takes its values from data; give rows of it as background"),
        ({"absent": "independent"}, "absent='independent' takes its values from data"),
        (
            {"background": BACKGROUND, "absent": "conditional", "groups": LABELS.expand(3, 5)},
            "needs groups that are the same in all rows; use 'marginal'",
        ),
        ({"groups": LABELS[:3]}, r"groups have shape \(3,\); expected \(5,\), or \(3, 5\) where rows differ"),
        ({"groups": LABELS - 1}, "groups hold -1; expected numbers from 0 to 4"),
        ({"groups": LABELS + 3}, "groups hold 5; expected numbers from 0 to 4"),
        ({"groups": LABELS.double()}, "groups hold torch.float64 values"),
        ({"baseline": torch.zeros(4)}, "the baseline has shape"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(settings, message):
    with pytest.raises(DataError, match=message) as refused:
        explain(smooth_net(), rows(3), 0, method="exact_shapley", **settings)
    assert "\n" not in str(refused.value)


def test_single_pixels_of_a_photograph_are_too_many_groups():
    pixels = torch.arange(4107).reshape(3, 37, 37)
    with pytest.raises(RecipeError, match="4107 groups; expected at most 4096: form groups"):
        explain(lambda x: x.flatten(1).sum(1), torch.ones(1, 3, 37, 37), method="lime", groups=pixels)


def test_a_function_that_loses_rows_is_refused():
    with pytest.raises(DataError, match="the model gives 1 row of scores for [0-9]+ rows of x; expected one for each"):
        explain(lambda x: x.mean()[None], rows(3), method="exact_shapley", rows_at_once=1000)
