import numpy as np
import pytest
import torch
from scipy.stats import ttest_1samp
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.summaries import permutation_importance
from corrigible.types import Columns

COLUMNS = Columns(("a", "b=0", "b=1", "unused"), ("a", "b", "b", "unused"), (False, True, True, False))
FAST = {"num_resamples": 50}


def rows(count=40):
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(count, 2, generator=generator, dtype=torch.float64)
    category = nn.functional.one_hot(torch.randint(2, (count,), generator=generator), 2).double()
    return torch.cat([numbers[:, :1], category, numbers[:, 1:]], dim=1)


def model(x):
    return 2 * x[:, 0] + 3 * x[:, 1] - 1.5


def labels(x):
    return (model(x) + 0.5 * x[:, 3] > 0).long()


def expected_drop(x, y, places, quality):
    """The mean over all rows and all rows whose values they could take."""
    drops = torch.zeros(len(x), dtype=torch.float64)
    for row in range(len(x)):
        changed = x[row].repeat(len(x), 1)
        changed[:, places] = x[:, places]
        drops[row] = quality(model(x[row : row + 1]), y[row]) - quality(model(changed), y[row])
    return drops


def is_right(z, y):
    return ((z > 0) == y).double().mean().item()


def log_likelihood(z, y):
    return nn.functional.logsigmoid(z if y else -z).mean().item()


@pytest.mark.parametrize(("name", "quality"), [("accuracy", is_right), ("log_likelihood", log_likelihood)])
def test_the_mean_drop_is_that_over_all_rows_a_feature_could_come_from(name, quality):
    x = rows()
    found = permutation_importance(model, x, labels(x), quality=name, columns=COLUMNS, repeats=1000, **FAST)
    assert found.features == ("a", "b", "unused")
    for feature, places in enumerate(([0], [1, 2], [3])):
        expected = expected_drop(x, labels(x), places, quality).mean().item()
        assert found.drop[feature] == pytest.approx(expected, abs=0.02)
    assert found.whole == pytest.approx(np.mean([quality(model(x[i : i + 1]), labels(x)[i]) for i in range(40)]))
    assert (found.num_rows, found.repeats, found.interval_of) == (40, 1000, "rows")


def test_a_feature_the_model_does_not_use_drops_nothing_at_all():
    found = permutation_importance(model, rows(), labels(rows()), columns=COLUMNS, **FAST)
    assert (found.drop[2], found.low[2], found.high[2]) == (0, 0, 0)
    assert found.low[0] > 0


def test_the_columns_of_a_category_move_together():
    seen = []

    def watched(x):
        seen.append(x)
        return model(x)

    permutation_importance(watched, rows(), labels(rows()), columns=COLUMNS, repeats=3, **FAST)
    changed = torch.cat(seen)
    assert (changed[:, 1:3].sum(1) == 1).all()
    assert len(changed) > 9 * 40


def test_the_interval_is_that_of_a_mean_over_rows():
    x = rows(300)
    y = labels(x)
    settings = {"quality": "log_likelihood", "columns": COLUMNS, "repeats": 30}
    found = permutation_importance(model, x, y, num_resamples=2000, **settings)
    drops = expected_drop(x, y, [0], log_likelihood).numpy()
    half = 1.96 * drops.std() / 300**0.5
    assert (found.high[0] - found.low[0]) / 2 == pytest.approx(half, rel=0.2)
    assert found.low[0] < drops.mean() < found.high[0]


def test_a_quality_of_all_rows_has_students_interval_over_the_repeats():
    seen = []

    def best(logits, y):
        seen.append(((logits.argmax(1) == y).double().mean() * logits.abs().mean()).double())
        return seen[-1]

    found = permutation_importance(model, rows(), labels(rows()), quality=best, repeats=6, columns=COLUMNS)
    drops = torch.stack([seen[0] - value for value in seen[1:7]]).numpy()
    expected = ttest_1samp(drops, 0).confidence_interval(0.95)
    assert found.interval_of == "repeats"
    assert (found.low[0], found.drop[0], found.high[0]) == pytest.approx((expected.low, drops.mean(), expected.high))


def test_neither_the_order_of_rows_nor_chunks_matter():
    x, order = rows(), torch.randperm(40)
    settings = {"columns": COLUMNS, "repeats": 3, "quality": "log_likelihood", **FAST}
    whole = permutation_importance(model, x, labels(x), **settings)
    turned = permutation_importance(lambda z: model(z).numpy(), x[order], labels(x)[order], rows_at_once=7, **settings)
    assert turned.drop == pytest.approx(whole.drop)
    assert turned.low == pytest.approx(whole.low)
    assert permutation_importance(model, x, labels(x), seed=1, **settings).drop != whole.drop


def test_images_go_by_segments():
    torch.manual_seed(0)
    network, x = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.randn(20, 1, 2, 2)
    groups = torch.tensor([[[0, 0], [1, 1]]])
    found = permutation_importance(network, x, network(x).argmax(1), groups=groups, **FAST)
    assert found.features == ("group 0", "group 1")
    assert found.whole == 1
    assert max(found.drop) > 0


def test_arrays_and_single_inputs_do_as_well():
    found = permutation_importance(model, rows().numpy(), labels(rows()).numpy(), **FAST)
    assert found.features == ("input 0", "input 1", "input 2", "input 3")


def test_amounts_are_judged_by_the_share_of_the_variance_explained():
    x = rows()
    y = model(x) + x[:, 3]
    found = permutation_importance(model, x, y, task="amounts", columns=COLUMNS, repeats=1000, **FAST)

    def explained(z, y_of_row):
        return (1 - (z - y_of_row).square() / y.var(correction=0)).mean().item()

    assert found.whole == pytest.approx(np.mean([explained(model(x[[i]]), y[i]) for i in range(40)]))
    for feature, places in enumerate(([0], [1, 2])):
        assert found.drop[feature] == pytest.approx(expected_drop(x, y, places, explained).mean().item(), abs=0.05)
    assert found.drop[2] == 0
    task = TensorData(x, y, task="amounts").task
    by_task = permutation_importance(model, x, y, task=task, columns=COLUMNS, repeats=1000, **FAST)
    assert by_task == found
    likelihood = permutation_importance(model, x, y, task=task, quality="log_likelihood", columns=COLUMNS, **FAST)
    assert likelihood.whole == pytest.approx((found.whole - 1) / 2)


def test_counts_are_judged_with_their_exposure_whatever_the_order_of_rows():
    x, exposure = rows(), torch.linspace(0.5, 4, 40, dtype=torch.float64)
    y = (exposure * model(x).exp()).round()
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    settings = {"task": TensorData(x, y, task="counts").task, "columns": COLUMNS, "repeats": 3, **FAST}
    found = permutation_importance(model, x, y, extra={"exposure": exposure}, **settings)
    turned = permutation_importance(model, x[order], y[order], extra={"exposure": exposure[order]}, **settings)
    assert found.drop == pytest.approx(turned.drop)
    assert found.whole > 0.9 > permutation_importance(model, x, y, **settings).whole
    assert found.drop[0] > 0.3


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"quality": "acuracy"}, RecipeError, "did you mean 'accuracy'"),
        ({"repeats": 0}, RecipeError, "repeats is 0"),
        ({"task": "amount"}, RecipeError, "unknown task 'amount'"),
        ({"task": "amounts", "quality": "accuracy"}, RecipeError, "the task 'amounts' has no classes"),
        ({"y": torch.linspace(0, 1, 40)}, DataError, "for a regression say what y means"),
        ({"y": torch.zeros(3)}, DataError, r"y has shape \(3,\); expected one per row, \(40, …\)"),
        ({"groups": torch.zeros(40, 4, dtype=torch.long)}, DataError, "groups differ between rows"),
        ({"quality": lambda z, y: z.mean(), "repeats": 1}, RecipeError, "expected at least 2"),
        ({"quality": lambda z, y: z[:3, 0]}, DataError, r"the quality has shape \(3,\)"),
        ({"quality": lambda z, y: z}, DataError, r"the quality has shape \(40, 1\)"),
    ],
)
def test_what_does_not_fit_is_refused(settings, error, message):
    settings = dict(settings)
    y = settings.pop("y", labels(rows()))
    with pytest.raises(error, match=message):
        permutation_importance(model, rows(), y, **settings, **FAST)
