import pytest
import torch
from torch import nn

from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.explanations import explain
from literal_games import COLUMNS, Wrapped, rows, smooth_net


@pytest.mark.parametrize("wrap", [lambda model: model, Wrapped], ids=["sequence", "module"])
def test_it_is_weight_times_distance_from_the_mean(wrap):
    model, x, others = nn.Sequential(nn.Linear(5, 3)).double(), rows(4), rows(7, seed=2)
    for absent in ("marginal", "independent"):
        found = explain(wrap(model), x, 2, method="linear_shap", background=others, absent=absent)
        torch.testing.assert_close(found, model[0].weight.detach()[2] * (x - others.mean(0)))


def test_it_is_the_exact_value_of_a_sum_of_any_functions_of_the_groups():
    def additive(x):
        return x[:, 0].sin() + x[:, 1] * x[:, 2] * x[:, 3] + x[:, 4].square()

    x, others = rows(4), rows(6, seed=2)
    found = explain(additive, x, method="linear_shap", background=others, columns=COLUMNS)
    torch.testing.assert_close(found, explain(additive, x, method="exact_shapley", background=others, columns=COLUMNS))


def test_a_score_that_is_no_sum_is_refused_and_so_is_a_value_that_depends_on_what_is_present():
    with pytest.raises(UnsupportedModelError, match="the score is not a sum over the inputs .* choose kernel_shap"):
        explain(smooth_net(), rows(2), 1, method="linear_shap")
    with pytest.raises(
        RecipeError, match="setting 'absent' is 'conditional'; expected one of 'marginal', 'independent'"
    ):
        explain(nn.Linear(5, 2).double(), rows(2), 1, method="linear_shap", background=rows(4), absent="conditional")


def test_a_large_intercept_does_not_make_a_linear_model_another():
    model, x = nn.Linear(4, 1), torch.randn(5, 4)
    nn.init.constant_(model.bias, 2e5)
    found = explain(model, x, method="linear_shap")
    torch.testing.assert_close(found, model.weight.detach() * x, rtol=0, atol=0.1)
