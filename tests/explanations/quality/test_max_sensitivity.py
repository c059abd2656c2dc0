import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError
from corrigible.explanations import explain
from corrigible.explanations.quality import max_sensitivity

X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
TARGET = torch.tensor([1, 0, 1, 1])


class Square(nn.Module):
    """Σ x²/2, whose gradient is x."""

    def forward(self, x):
        return x.square().sum(dim=1, keepdim=True) / 2


def small_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)).double()


def test_a_gradient_that_moves_with_the_input_moves_as_far():
    # The farthest corner of the cube is √3 · radius away; many draws come near it.
    found = max_sensitivity(Square(), X, None, radius=0.2, samples=2000, relative=False)
    assert bool((found <= 0.2 * 3**0.5).all())
    assert bool((found > 0.9 * 0.2 * 3**0.5).all())
    relative = max_sensitivity(Square(), X, None, radius=0.2, samples=2000)
    torch.testing.assert_close(relative, found / X.norm(dim=1))


def test_a_task_says_what_is_explained():
    task = TensorData(X, torch.arange(4.0), task="counts").task
    settings = {"task": task, "explainer_settings": {"score": "target_value"}, "relative": False, "samples": 3}
    rates = max_sensitivity(nn.Sequential(Square()), X / 3, None, **settings)
    own = max_sensitivity(lambda x: Square()(x).exp(), X / 3, None, relative=False, samples=3)
    torch.testing.assert_close(rates, own)


def test_the_gradient_of_a_linear_model_never_moves():
    assert max_sensitivity(nn.Linear(3, 2), X, TARGET).tolist() == [0, 0, 0, 0]


def test_equals_a_loop_over_rows_and_samples():
    model, samples = small_net(), 5
    generator = torch.Generator().manual_seed(3)
    moves = [0.3 * (2 * torch.rand(3, generator=generator).double() - 1) for _ in range(samples)]
    found = max_sensitivity(
        model, X, TARGET, method="integrated_gradients", explainer_settings={"steps": 6},
        radius=0.3, samples=samples, relative=False, seed=3,
    )  # fmt: skip
    for row in range(4):
        x, label = X[[row]], TARGET[[row]]
        original = explain(model, x, label, method="integrated_gradients", steps=6)
        distances = [
            (explain(model, x + m, label, method="integrated_gradients", steps=6) - original).norm() for m in moves
        ]
        assert found[row].item() == pytest.approx(max(distances).item())


@pytest.mark.parametrize("method", ["input_gradient", lambda model, x, target: x.sin()])
def test_how_many_rows_at_once_and_their_order_change_nothing(method):
    order = torch.tensor([2, 0, 3, 1])
    whole = max_sensitivity(small_net(), X, TARGET, method=method)
    found = max_sensitivity(small_net(), X[order], TARGET[order], method=method, rows_at_once=3)
    torch.testing.assert_close(found, whole[order])


def test_the_class_stays_that_of_the_row():
    model = small_net()
    predicted = model(X).argmax(dim=1)
    generator = torch.Generator().manual_seed(0)
    moved = [X + 3 * (2 * torch.rand(3, generator=generator) - 1) for _ in range(10)]
    assert any(not torch.equal(model(near).argmax(dim=1), predicted) for near in moved)
    torch.testing.assert_close(
        max_sensitivity(model, X, None, radius=3.0), max_sensitivity(model, X, predicted, radius=3.0)
    )


def test_a_function_explains_like_the_method_of_its_name():
    def gradient(model, x, target, *, score="target_logit"):
        return explain(model, x, target, method="input_gradient", score=score)

    for settings in ({}, {"score": "target_prob"}):
        torch.testing.assert_close(
            max_sensitivity(small_net(), X, TARGET, method=gradient, explainer_settings=settings),
            max_sensitivity(small_net(), X, TARGET, method="input_gradient", explainer_settings=settings),
        )


def test_pairs_of_classes_are_set_against_each_other():
    pairs = torch.stack([TARGET, 1 - TARGET], dim=1)
    found = max_sensitivity(small_net(), X, pairs, method="input_gradient", relative=False)
    difference = nn.Sequential(*small_net()[:2], nn.Linear(8, 1)).double()
    last = small_net()[2]
    difference[2].weight.data = last.weight.data[[1]] - last.weight.data[[0]]
    expected = max_sensitivity(difference, X, None, relative=False)
    torch.testing.assert_close(found, expected)


def test_without_any_attribution_the_relative_one_is_undefined():
    def first_rows_alone(model, x, target):
        return x * (x[:, :1] > 100)

    x = torch.tensor([[0.0, 1.0], [200.0, 1.0]])
    found = max_sensitivity(nn.Linear(2, 2), x, 0, method=first_rows_alone)
    assert found.isnan().tolist() == [True, False]
    assert max_sensitivity(nn.Linear(2, 2), x, 0, method=first_rows_alone, relative=False)[0] == 0


def test_what_does_not_fit_is_refused():
    model = small_net()
    for name, value in (("samples", 0), ("radius", 0.0), ("radius", float("nan"))):
        with pytest.raises(RecipeError, match=f"^{name} is {value}; expected"):
            max_sensitivity(model, X, TARGET, **{name: value})
    with pytest.raises(RecipeError, match="explainer '<lambda>': unknown setting 'steps'"):
        max_sensitivity(model, X, TARGET, method=lambda model, x, target: x, explainer_settings={"steps": 3})
    with pytest.raises(DataError, match="row 0 by .* is NaN"):
        max_sensitivity(model, X, TARGET, method=lambda model, x, target: x * torch.nan)
