"""Influence against its definition: the loss of a query where a row counts for a little more or less, or not at all."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from corrigible import Feedback, TensorData
from corrigible.declarations import declared
from corrigible.errors import DataError, FeedbackError, RecipeError, TrainingDivergedError, UnsupportedModelError
from corrigible.protocols.influence.influence import influence
from corrigible.protocols.influence.influenced import Influence, pearson
from corrigible.protocols.schedule import Schedule
from fitted import DECAY, fit_to, rows

SCHEDULE = Schedule(weight_decay=DECAY)
X, Y = rows(24)
QUERY = rows(3, seed=1)
ALL = torch.ones(len(X), dtype=torch.float64)


def pairs(x, y):
    return zip(x, y, strict=True)


def losses(model):
    return cross_entropy(model(QUERY[0]), QUERY[1], reduction="none").detach()


LOOKED_AT = [0, 5, 11, 17]


def by_differences(model, *, penalty=None, step=1e-3, weight=ALL):
    """Minus the derivative of each query's loss by some rows' weights, by central differences of refitted models."""
    found = []
    for row in LOOKED_AT:
        ends = []
        for sign in (1, -1):
            moved = weight.clone()
            moved[row] += sign * step * weight[row]
            ends.append(losses(fit_to(model, X, Y, moved, penalty=penalty)))
        found.append((ends[1] - ends[0]) / (2 * step))
    return torch.stack(found, dim=1)


def agrees(found, expected):
    return torch.allclose(found.values[:, LOOKED_AT], expected, rtol=1e-4, atol=1e-7)


def network(*, hidden=3, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, hidden), nn.Tanh(), nn.Linear(hidden, 2)).double()


@pytest.fixture(scope="module")
def logistic():
    torch.manual_seed(0)
    return fit_to(nn.Linear(3, 2).double(), X, Y, ALL)


@pytest.fixture(scope="module")
def curved():
    return fit_to(network(), X, Y, ALL)


@pytest.mark.parametrize("method", ["exact", "conjugate_gradients"])
def test_influence_is_the_derivative_by_the_rows_weight(curved, method):
    found = influence(curved, TensorData(X, Y), QUERY, method=method, schedule=SCHEDULE, damping=0.0)
    assert agrees(found, by_differences(curved))
    assert found.smallest_eigenvalue is None or found.smallest_eigenvalue > 0
    assert found.relative_gradient_norm < 1e-6 and found.is_smooth and found.warnings == ()


def test_the_weights_of_rows_count(curved):
    weight = torch.linspace(0.5, 1.5, len(X), dtype=torch.float64)
    weight = weight / weight.mean()
    fitted = fit_to(curved, X, Y, weight)
    found = influence(fitted, TensorData(X, Y, weight=weight), QUERY, schedule=SCHEDULE, damping=0.0)
    assert agrees(found, by_differences(fitted, weight=weight))


@declared(rows="labelled", looks_at="nothing")
def spread(forward, batch):
    return forward.outputs.square().mean()


def test_penalties_are_part_of_what_was_learned(curved):
    def penalty(run):
        return 0.3 * run(X).square().mean()

    taught = fit_to(curved, X, Y, ALL, penalty=penalty)
    asked = {"schedule": SCHEDULE, "damping": 0.0}
    found = influence(taught, TensorData(X, Y), QUERY, penalties={spread: 0.3}, **asked)
    assert agrees(found, by_differences(taught, penalty=penalty))
    assert found.relative_gradient_norm < 1e-6
    assert influence(taught, TensorData(X, Y), QUERY, **asked).relative_gradient_norm > 0.01


def test_a_penalty_of_reviewed_rows_counts_with_its_feedback(curved):
    feedback = [Feedback(torch.tensor([False, False, True]), row=row) for row in (1, 4, 6)]

    def penalty(run):
        x = X[[1, 4, 6]].clone().requires_grad_()
        log_prob = run(x).log_softmax(dim=1).gather(1, Y[[1, 4, 6]][:, None]).sum()
        (gradient,) = torch.autograd.grad(log_prob, x, create_graph=True)
        return 2.0 * gradient[:, 2].square().mean()

    taught = fit_to(curved, X, Y, ALL, penalty=penalty)
    settings = {"weight": 2.0, "score": "target_log_prob"}
    found = influence(
        taught, (X, Y), QUERY, penalties={"right_reasons": settings}, feedback=feedback, schedule=SCHEDULE, damping=0.0
    )
    assert found.relative_gradient_norm < 1e-6
    assert agrees(found, by_differences(taught, penalty=penalty))


def test_of_a_convex_model_it_is_close_to_leaving_rows_out():
    x, y = rows(120, seed=2)
    weight = torch.ones(len(x), dtype=torch.float64)
    torch.manual_seed(0)
    model = fit_to(nn.Linear(3, 2).double(), x, y, weight)
    found = influence(model, TensorData(x, y), QUERY, schedule=SCHEDULE)
    truth = []
    for row in range(16):
        without = weight.clone()
        without[row] = 0
        truth.append(losses(fit_to(model, x, y, without)) - losses(model))
    assert pearson(found.values[:, :16], torch.stack(truth, dim=1)) > 0.99
    assert found.damping == 0 and found.smallest_eigenvalue == pytest.approx(DECAY, rel=1e-6)


def test_both_matrices_are_the_same_for_a_model_that_is_linear(logistic):
    asked = {"schedule": SCHEDULE, "damping": 0.01}
    for method in ("exact", "conjugate_gradients", "last_layer"):
        hessian, newton = (
            influence(logistic, TensorData(X, Y), QUERY, method=method, curvature=kind, **asked).values
            for kind in ("hessian", "gauss_newton")
        )
        assert torch.allclose(hessian, newton, rtol=1e-4, atol=1e-8)


def test_the_last_layer_alone_is_a_linear_model_of_what_it_sees(curved):
    found = influence(curved, TensorData(X, Y), QUERY, method="last_layer", damping=0.01, schedule=SCHEDULE).values
    seen, asked = curved[:2](X).detach(), curved[:2](QUERY[0]).detach()
    same = influence(curved[2], TensorData(seen, Y), (asked, QUERY[1]), damping=0.01, schedule=SCHEDULE).values
    assert torch.allclose(found, same)


def test_products_of_gradients_are_those_of_autograd(curved):
    found = influence(curved, TensorData(X, Y), QUERY, method="gradient_similarity")

    def gradient(x, y):
        parts = torch.autograd.grad(cross_entropy(curved(x[None]), y[None]), list(curved.parameters()))
        return torch.cat([part.flatten() for part in parts])

    expected = [[gradient(*q) @ gradient(x, y) / len(X) for x, y in pairs(X, Y)] for q in pairs(*QUERY)]
    assert torch.allclose(found.values, torch.tensor(expected, dtype=torch.float64))
    assert found.unit == "gradient product" and found.damping is None


def test_a_query_may_be_a_function_of_the_model(curved):
    asked = {"schedule": SCHEDULE, "damping": 0.0}
    each = influence(curved, TensorData(X, Y), QUERY, **asked).values
    mean = influence(curved, TensorData(X, Y), lambda model: cross_entropy(model(QUERY[0]), QUERY[1]), **asked).values
    assert torch.allclose(mean, each.mean(dim=0, keepdim=True))


def test_of_the_nearest_rows_alone_others_are_not_computed(curved):
    some = influence(curved, TensorData(X, Y), QUERY, nearest=4, schedule=SCHEDULE)
    every = influence(curved, TensorData(X, Y), QUERY, schedule=SCHEDULE)
    known = ~some.values.isnan()
    assert known.sum(dim=1).tolist() == [4, 4, 4]
    assert torch.allclose(some.values[known], every.values[known])
    assert "not computed: 60 of 72 pairs" in str(some)


def test_what_cannot_be_trusted_is_said():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.1), nn.Linear(4, 2))
    found = influence(model, (X.float(), Y), (QUERY[0].float(), QUERY[1]))
    told = " ".join(found.warnings)
    assert all(word in told for word in ("not at a minimum", "negative eigenvalue", "kinks (relu)", "drops units"))
    assert found.damping >= -2 * found.smallest_eigenvalue > 0 and found.kinks == ("relu",)


def test_the_model_is_left_as_it_is(curved):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2)).train()
    model[0].weight.requires_grad_(False)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    influence(model, (X.float(), Y), (QUERY[0].float(), QUERY[1]), method="last_layer")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training and model[1].training and [p.requires_grad for p in model.parameters()][:2] == [False, True]
    assert all(p.grad is None for p in model.parameters()) and torch.equal(torch.get_rng_state(), state)


def test_rows_are_ranked_by_sign_and_size():
    found = Influence(torch.tensor([[0.1, -0.3, 0.0, 0.5, torch.nan, -0.1]]), "exact")
    assert [row for row, _ in found.most_helpful(0)] == [3, 0]
    assert [row for row, _ in found.most_harmful(0, n=1)] == [1]
    for said in (str(found), found._repr_html_()):
        assert all(word in said for word in ("exact", "+0.500", "−0.300"))
    with pytest.raises(RecipeError, match="query is 1; expected a number from 0 to 0"):
        found.most_helpful(1)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"method": "exakt"}, RecipeError, "did you mean 'exact'"),
        ({"curvature": "fisher"}, RecipeError, "expected 'hessian' or 'gauss_newton'"),
        ({"damping": -1.0}, RecipeError, "damping is -1.0"),
        ({"damping": torch.inf}, RecipeError, "damping is inf"),
        ({"nearest": 0}, RecipeError, "nearest is 0"),
        ({"penalties": {"right_reasons": 1.0}}, FeedbackError, "sees reviewed rows, and there is no feedback"),
    ],
)
def test_what_cannot_be_answered_is_refused(curved, settings, error, message):
    with pytest.raises(error, match=message):
        influence(curved, TensorData(X, Y), QUERY, **settings)


def test_large_networks_tasks_that_compare_rows_and_other_queries_are_refused(curved):
    large = nn.Sequential(nn.Linear(3, 1500), nn.Tanh(), nn.Linear(1500, 2))
    with pytest.raises(UnsupportedModelError, match=r"has 9,002 trainable weights; expected at most 5,000"):
        influence(large, (X.float(), Y), (QUERY[0].float(), QUERY[1]))
    ranking = TensorData(X, Y.double(), extra={"query": torch.arange(24) // 4}, task="ranking")
    with pytest.raises(UnsupportedModelError, match="no row has a loss of its own"):
        influence(nn.Linear(3, 1).double(), ranking, ranking)
    with pytest.raises(RecipeError, match="as a tensor with a gradient"):
        influence(curved, TensorData(X, Y), lambda model: 1.0)
    with pytest.raises(DataError):
        influence(curved, TensorData(X, Y), (QUERY[0][:, :2], QUERY[1]))


@pytest.mark.parametrize("query", [lambda m: m(X)[:0, 0], lambda m: m(X).sum().to(torch.complex64)])
def test_a_query_that_is_no_number_is_refused(logistic, query):
    with pytest.raises(RecipeError, match="the query gave shape"):
        influence(logistic, (X, Y), query)


def test_influences_that_are_no_numbers_are_refused(logistic):
    with pytest.raises(TrainingDivergedError, match="no influence on query 0 is a finite number"):
        influence(logistic, (X, Y), lambda m: m(X[:2])[:, 0] * torch.nan)


def test_a_curvature_of_0_without_damping_is_refused():
    linear = Schedule(loss=lambda forward, batch: forward.outputs.sum(dim=1))
    with pytest.raises(TrainingDivergedError, match="give a damping above 0"):
        influence(network(), (X, Y), QUERY, method="ek_fac", damping=0.0, schedule=linear)


def test_a_query_without_a_slope_is_told(logistic):
    found = influence(logistic, (X, Y), lambda m: m(X[:2])[:, 0] * torch.tensor([1.0, 0.0]))
    assert any("all influences are 0 for 1 of 2 queries" in warning for warning in found.warnings)
