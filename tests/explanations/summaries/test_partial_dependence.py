import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.data.original_units import Units
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.summaries import SUMMARIES, partial_dependence
from corrigible.types import Columns

COLUMNS = Columns(("a", "b=0", "b=1", "b=2"), ("a", "b", "b", "b"), (False, True, True, True))


def rows(count=12):
    generator = torch.Generator().manual_seed(0)
    category = nn.functional.one_hot(torch.randint(3, (count,), generator=generator), 3).double()
    return torch.cat([torch.randn(count, 1, generator=generator, dtype=torch.float64), category], dim=1)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Dropout(), nn.Linear(6, 3)).double()


@pytest.mark.parametrize("rows_at_once", [None, 5])
def test_each_line_is_a_row_with_its_number_set_to_each_value(rows_at_once):
    model, x = network(), rows()
    units = Units((40.0, 0.0, 0.0, 0.0), (10.0, 1.0, 1.0, 1.0))
    found = partial_dependence(
        model, x, "a", target=2, points=4, columns=COLUMNS, units=units, rows_at_once=rows_at_once
    )
    for row in range(len(x)):
        for point, value in enumerate(found.grid.points):
            changed = x[row].clone()
            changed[0] = (value - 40) / 10
            expected = model.eval()(changed[None])[0, 2]
            torch.testing.assert_close(found.lines[row, point], expected.detach())
    torch.testing.assert_close(found.mean, found.lines.mean(0))
    assert found.grid.points[[0, -1]].tolist() == pytest.approx(
        (40 + 10 * x[:, 0].min().item(), 40 + 10 * x[:, 0].max().item())
    )


def test_a_category_is_set_to_each_of_its_values():
    x = rows()
    found = partial_dependence(lambda x: x @ torch.tensor([1.0, 5.0, 6.0, 7.0]).double(), x, "b", columns=COLUMNS)
    expected = x[:, :1] + torch.tensor([[5.0, 6.0, 7.0]])
    torch.testing.assert_close(found.lines, expected)
    assert found.grid.categories == ("0", "1", "2")
    torch.testing.assert_close(found.grid.share, x[:, 1:].mean(0))


def test_a_pair_of_classes_and_any_score():
    model, x = network().eval(), rows()
    found = partial_dependence(model, x, 0, target=(0, 1), score="target_log_prob", points=3)
    apart = [partial_dependence(model, x, 0, target=t, score="target_log_prob", points=3).lines for t in (0, 1)]
    torch.testing.assert_close(found.lines, apart[0] - apart[1])


def test_the_model_is_left_as_it_was_found():
    model = network()
    partial_dependence(model, rows(), "a", target=0, columns=COLUMNS)
    assert model.training


@pytest.mark.parametrize("name", ["partial_dependence", "pair_dependence"])
@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"target": 3}, DataError, "target is 3"),
        ({}, DataError, "the model has 3 classes; name one of them as the target"),
        ({"score": "logit"}, RecipeError, "unknown score"),
        ({"points": 1}, RecipeError, "points is 1"),
        ({"units": Units((0.0,), (1.0,))}, DataError, "units are those of 1 column"),
    ],
)
def test_what_does_not_fit_is_refused(name, settings, error, message):
    feature = "a" if name == "partial_dependence" else ("a", "b")
    with pytest.raises(error, match=message):
        SUMMARIES[name](network(), rows(), feature, columns=COLUMNS, **settings)


@pytest.mark.parametrize("name", ["partial_dependence", "pair_dependence"])
def test_of_a_regression_it_is_that_of_the_number_itself_or_of_the_tasks_value(name):
    weights, x = torch.tensor([0.5, 1.0, 2.0, 3.0]).double(), rows()
    feature = "a" if name == "partial_dependence" else ("a", "b")
    y = TensorData(x, torch.arange(12.0), task="counts")
    plain = SUMMARIES[name](lambda x: x @ weights, x, feature, points=3, columns=COLUMNS).mean
    values = SUMMARIES[name](
        lambda x: x @ weights, x, feature, points=3, columns=COLUMNS, task=y.task, score="target_value"
    )
    if name == "pair_dependence":
        torch.testing.assert_close(values.mean, plain.exp())
    own = SUMMARIES[name](
        lambda x: x @ weights, x, feature, points=3, columns=COLUMNS, score=lambda outputs, target: 2 * outputs[:, 0]
    )
    torch.testing.assert_close(own.mean, 2 * plain)
    with pytest.raises(DataError, match="target is 1; expected 0 or None, the model's only output"):
        SUMMARIES[name](lambda x: x @ weights, x, feature, target=1, columns=COLUMNS)
