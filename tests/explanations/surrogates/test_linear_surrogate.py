import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.data.original_units import Units
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.question import answers, asked_of
from corrigible.explanations.surrogates import SURROGATES, linear_surrogate
from corrigible.explanations.surrogates._samples import samples_of
from corrigible.types import Columns

COLUMNS = Columns(
    ("age", "bmi", "site=0", "site=1", "site=2", "noise"),
    ("age", "bmi", "site", "site", "site", "noise"),
    (False, False, True, True, True, False),
)
UNITS = Units((40.0, 25.0, 0.0, 0.0, 0.0, 0.0), (10.0, 5.0, 1.0, 1.0, 1.0, 1.0))
FAST = {"samples": 400}


def rows(count=80):
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    site = nn.functional.one_hot(torch.randint(3, (count,), generator=generator), 3).double()
    return torch.cat([numbers[:, :2], site, numbers[:, 2:]], dim=1)


def linear(x):
    return 2 * x[:, 0] - 0.5 * x[:, 1] + 4 * x[:, 2] + x[:, 4] + 0.25


def bent(x):
    return torch.stack([torch.sin(2 * x[:, 0]), x[:, 1] * x[:, 5], x[:, 4]], dim=1)


def drawn(model, x, **settings):
    defaults = {"around": None, "columns": COLUMNS, "samples": 400, "width": 0.75, "seed": 0, "rows_at_once": None}
    return samples_of(model, x, **defaults | settings)


def test_a_linear_model_is_found_again():
    found = linear_surrogate(linear, rows(), columns=COLUMNS, fidelity=1 - 1e-9, **FAST)
    # The weights of a category are centred: (4, 0, 1) less 5/3, which moves to the intercept.
    expected = (2.0, -0.5, 4 - 5 / 3, -5 / 3, 1 - 5 / 3, 0.0)
    assert found.coefficients == pytest.approx(expected, abs=1e-9)
    assert found.intercept == pytest.approx(0.25 + 5 / 3)
    assert set(found.chosen) == {"age", "bmi", "site"}
    assert found.fidelity.is_reached
    torch.testing.assert_close(found.predict(rows()), linear(rows()))


def test_it_stops_at_the_first_feature_that_is_enough():
    found = linear_surrogate(lambda x: 10 * x[:, 1] + 0.01 * x[:, 0], rows(), columns=COLUMNS, fidelity=0.99, **FAST)
    assert found.chosen == ("bmi",)
    assert found.coefficients[0] == 0


def test_the_first_feature_is_the_one_most_correlated_with_the_score():
    points = drawn(bent, rows())
    score = points.growing.outputs[:, 0].numpy()
    correlation = [abs(np.corrcoef(column, score)[0, 1]) for column in points.growing.x.T]
    found = linear_surrogate(bent, rows(), target=0, score="target_logit", columns=COLUMNS, max_features=1, **FAST)
    assert found.chosen == (COLUMNS.feature[int(np.argmax(correlation))],)


@pytest.mark.parametrize("around", [None, rows()[5]])
def test_the_weights_are_least_squares_on_the_points_for_growing(around):
    settings = {"target": 1, "score": "target_logit", "columns": COLUMNS, "fidelity": 1.0, **FAST}
    found = linear_surrogate(bent, rows(), around=around, max_features=3, **settings)
    points = drawn(bent, rows(), around=around)
    chosen = [place for place, feature in enumerate(COLUMNS.feature) if feature in found.chosen]
    fitted = LinearRegression().fit(
        points.growing.x[:, chosen], points.growing.outputs[:, 1], sample_weight=points.growing.weight
    )
    expected = fitted.predict(points.held_out.x[:, chosen])
    torch.testing.assert_close(found.predict(torch.from_numpy(points.held_out.x)), torch.from_numpy(expected))
    r2 = r2_score(points.held_out.outputs[:, 1], expected, sample_weight=points.held_out.weight)
    assert found.fidelity.value == pytest.approx(r2)
    assert found.fidelity.num_points == 100


def test_held_out_points_have_no_part_in_growing(monkeypatch):
    monkeypatch.setattr("corrigible.explanations.surrogates._synthetic.NOISE", 0.0)
    held_out = torch.from_numpy(drawn(linear, rows()).held_out.x[:, 0])

    def disturbed(x):
        return linear(x) + 50 * torch.isin(x[:, 0], held_out)

    plain, other = (linear_surrogate(f, rows(), columns=COLUMNS, **FAST) for f in (linear, disturbed))
    assert other.coefficients == pytest.approx(plain.coefficients)
    assert other.fidelity.value < 0 < plain.fidelity.value


def test_whether_to_stop_is_decided_on_points_that_had_no_part_in_growing(monkeypatch):
    monkeypatch.setattr("corrigible.explanations.surrogates._synthetic.NOISE", 0.0)
    stopping = torch.from_numpy(drawn(linear, rows()).stopping.x[:, 0])

    def score(x):
        return x[:, 1] + torch.where(torch.isin(x[:, 0], stopping), 1.0, 0.2) * x[:, 0]

    # To the points for growing bmi alone is enough.
    found = linear_surrogate(score, rows(), columns=COLUMNS, max_features=2, **FAST)
    assert found.chosen == ("bmi", "age")


def test_around_a_row_the_weights_come_near_to_the_gradient():
    x = rows(400)[:, :2]
    around = torch.tensor([1.0, -0.5], dtype=torch.float64)
    found = linear_surrogate(
        lambda x: x[:, 0] ** 2 + 3 * x[:, 1], x, around=around, target=1, score="target_logit", width=0.1, fidelity=1.0
    )
    assert found.coefficients == pytest.approx((2.0, 3.0), abs=0.1)
    everywhere = linear_surrogate(lambda x: x[:, 0] ** 2 + 3 * x[:, 1], x, score="target_logit", fidelity=1.0)
    assert abs(everywhere.coefficients[0]) < 0.5


def test_the_score_by_default_is_the_margin_of_the_class_predicted_there():
    x = rows()
    found = linear_surrogate(bent, x, around=x[4], columns=COLUMNS, class_names=["a", "b", "c"], **FAST)
    predicted = "abc"[int(bent(x[4:5]).argmax())]
    assert found.explained == f"margin of {predicted}"
    pair = linear_surrogate(bent, x, target=(0, 2), columns=COLUMNS, score="target_logit", fidelity=1.0, **FAST)
    assert pair.explained == "logit of class 0 rather than class 2"
    points = drawn(bent, x).held_out
    contrast = asked_of(points.outputs, (0, 2)).of(points.outputs).numpy()
    predicted = pair.predict(torch.from_numpy(points.x)).numpy()
    assert pair.fidelity.value == pytest.approx(r2_score(contrast, predicted))


def test_the_rules_are_a_sum_in_original_units():
    found = linear_surrogate(linear, rows(), columns=COLUMNS, units=UNITS, fidelity=1 - 1e-9, **FAST)
    lines = found.rules().splitlines()
    # 0.25 + 5/3 − 2 · 40 / 10 + 0.5 · 25 / 5
    assert lines[0] == "value ≈ −3.583"
    assert set(lines[1:-1]) == {
        "  + 0.2 × age",
        "  − 0.1 × bmi",
        "  + 2.333 where site is 0",
        "  − 1.667 where site is 1",
        "  − 0.6667 where site is 2",
    }
    assert lines[-1] == "R² 1.000 on 100 held-out points (wanted 1: reached)"


def test_it_says_when_the_wanted_fidelity_is_not_reached():
    found = linear_surrogate(lambda x: x[:, 0] ** 2, rows(), columns=COLUMNS, **FAST)
    assert not found.fidelity.is_reached
    assert "(wanted 0.9: not reached)" in found.rules()


@pytest.mark.parametrize("constant", [0.0, 1e9])
def test_a_constant_model_needs_no_feature_to_be_met(constant):
    found = linear_surrogate(lambda x: torch.full((len(x),), constant, dtype=x.dtype), rows(), columns=COLUMNS, **FAST)
    assert found.fidelity.value == 1
    assert found.predict(rows()).numpy() == pytest.approx(constant)


def test_rows_that_do_not_vary_give_a_constant():
    found = linear_surrogate(linear, rows()[:1].expand(10, -1), columns=COLUMNS, **FAST)
    assert found.chosen == ()
    assert found.rules().splitlines()[1:] == ["R² 1.000 on 100 held-out points (wanted 0.9: reached)"]


def test_a_network_and_an_array_function_give_the_same_as_the_formula():
    network = nn.Linear(6, 1).double()
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[2.0, -0.5, 4.0, 0.0, 1.0, 0.0]]))
        network.bias.fill_(0.25)
    settings = {"columns": COLUMNS, "rows_at_once": 50, **FAST}
    expected = linear_surrogate(linear, rows(), **settings)
    for model in (network, lambda x: linear(x).numpy()):
        found = linear_surrogate(model, rows().flip(0), **settings)
        assert found.coefficients == pytest.approx(expected.coefficients)
        assert found.chosen == expected.chosen
    assert answers(network, rows()).shape == (80, 1)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"fidelity": 1.1}, RecipeError, "fidelity is 1.1"),
        ({"max_features": 0}, RecipeError, "^max_features is 0; expected at least 1$"),
        ({"score": "logit"}, RecipeError, "unknown score"),
        ({"target": 1}, DataError, "target is 1; expected 0 or None, the model's only output"),
        ({"target": 2, "task": "classes"}, DataError, "target is 2; expected 0 to 1, or two of them"),
        ({"units": Units((0.0,), (1.0,))}, DataError, "units are those of 1 column; expected 6"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        linear_surrogate(linear, rows(), **FAST, **settings)


def test_of_many_classes_one_must_be_named():
    with pytest.raises(DataError, match="has 3 classes; name one"):
        linear_surrogate(bent, rows(), **FAST)
    with pytest.raises(DataError, match="expected .* one per named column"):
        linear_surrogate(linear, rows(), columns=COLUMNS, **FAST).predict(rows()[:, :3])


def test_a_column_that_never_varies_gets_no_weight():
    x = rows()[:, :3]
    x[:, 1] = 0.0
    columns = Columns(("age", "age=missing", "bmi"), ("age", "age", "bmi"), (False,) * 3)
    found = linear_surrogate(lambda x: 2 * x[:, 0] + torch.sin(x[:, 2]), x, columns=columns, fidelity=1.0, **FAST)
    assert found.coefficients[1] == 0
    assert found.coefficients[0] == pytest.approx(2.0, abs=0.1)


def test_a_class_may_be_a_number_of_numpy():
    settings = {"columns": COLUMNS, "task": "classes", **FAST}
    found = linear_surrogate(linear, rows(), target=np.int64(1), **settings)
    assert found == linear_surrogate(linear, rows(), target=1, **settings)
    assert found.explained == "margin of class 1"


def test_around_a_row_the_effective_number_of_of_held_out_points_is_told():
    weight = drawn(linear, rows(), around=rows()[5]).held_out.weight
    found = linear_surrogate(linear, rows(), around=rows()[5], columns=COLUMNS, **FAST).fidelity
    assert found.num_effective == pytest.approx(1 / (weight @ weight)) and found.num_effective < 99
    assert f"points that tell as much as {found.num_effective:.0f} (" in str(found)


def regression():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1)).double()


@pytest.mark.parametrize("surrogate", SURROGATES.values(), ids=list(SURROGATES))
def test_a_regression_network_is_approximated_in_the_unit_of_its_task(surrogate):
    model, x = regression(), rows(300)
    y = model(x).detach()[:, 0]
    amounts = TensorData(x, y, task="amounts").task
    settings = {"columns": COLUMNS, "samples": 2000}
    plain, named = surrogate(model, x, **settings), surrogate(model, x, task=amounts, **settings)
    assert plain.predict(x).tolist() == named.predict(x).tolist()
    assert plain.explained == named.explained == "value"
    assert plain.fidelity.measure == "r2" and plain.fidelity.value > 0.6
    assert r2_score(y, plain.predict(x)) > 0.6
    rates = surrogate(
        model, x, task=TensorData(x, y.exp().round(), task="counts").task, score="target_value", **settings
    )
    assert rates.explained == "predicted value"
    assert r2_score(y.exp(), rates.predict(x)) > 0.6


@pytest.mark.parametrize("surrogate", SURROGATES.values(), ids=list(SURROGATES))
def test_of_several_outputs_that_are_no_classes_one_is_explained(surrogate):
    x = rows()
    task = TensorData(x, x[:, 0], task="quantiles").task
    settings = {"columns": COLUMNS, "task": task, "fidelity": 1.0, **FAST}
    middle, high = (
        surrogate(bent, x, **settings),
        surrogate(bent, x, target=2, class_names=["a", "b", "top"], **settings),
    )
    assert middle.explained == "predicted value of output 1"
    assert high.explained == "predicted value of top"
    assert middle.predict(x).mean() < high.predict(x).mean()
    labels = TensorData(x, torch.ones(80, 3), task="several_labels").task
    with pytest.raises(
        DataError, match="different default targets, such as 0 and 1; expected one for all rows: name a target"
    ):
        surrogate(bent, x, task=labels, columns=COLUMNS, **FAST)
    around = surrogate(bent, x, task=labels, around=x[4], columns=COLUMNS, **FAST)
    assert around.explained == f"value of output {int(bent(x[4:5]).argmax())}"
