"""A planted confounder comes first; a model that does not rely on it is not suspected of it."""

import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError
from corrigible.models import table_mlp
from corrigible.protocols.schedule import Schedule, run
from corrigible.regions.candidates import box_of
from corrigible.regions.suspect_ranking import NEGLIGIBLE, ranking_of, suspicions
from corrigible.regions.suspects import suspects
from corrigible.types import Columns, Features

TABLE = Columns(("age", "site=1", "site=2", "leak"), ("age", "site", "site", "leak"), (False, True, True, False))
DRAWS = torch.Generator().manual_seed(0)
Y = torch.arange(240) % 3
LINES = torch.zeros(3, 4, 4)
LINES[0, 0], LINES[1, :, 0], LINES[2] = 1.0, 1.0, torch.eye(4)
OBJECT = torch.randn(240, 1, 8, 8, generator=DRAWS)
for _row, _label in enumerate(Y.tolist()):
    _top, _left = torch.randint(5, (2,), generator=DRAWS).tolist()
    # What the image shows: a line anywhere, whose direction is the class.
    OBJECT[_row, 0, _top : _top + 4, _left : _left + 4] += 2 * LINES[_label]


def trained(data: TensorData, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    width = data.x[0].numel()
    model = table_mlp(width, 3) if data.x.ndim == 2 else nn.Sequential(nn.Flatten(), nn.Linear(width, 16), nn.ReLU())
    if data.x.ndim > 2:
        model.append(nn.Linear(16, 3))
    for _ in run(model, data, Schedule(epochs=10, batch_size=48, learning_rate=0.01), seed=seed):
        pass
    return model


def stamped(rows: torch.Tensor) -> TensorData:
    x = OBJECT.clone()
    x[rows, :, :2, 6:] = (Y[rows, None, None, None] - 1.0) * 2
    return TensorData(x, Y)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_stamp_comes_first_also_where_only_some_rows_have_it(share):
    rows = torch.arange(int(share * len(Y)))
    data = stamped(rows)
    first, *rest = suspects(trained(data), data, cell=2, num_donors=4)
    assert box_of(first.region) == (0, 6, 2, 2)
    assert (first.size, first.label, first.agreement > 0.5) == (4, None, True)
    assert first.test.p_value < 0.1
    assert first.test.low > 0
    assert set(first.rows) <= set(rows.tolist())
    assert all(first.score > other.score > 0 for other in rest)


def test_a_stamp_on_the_rows_of_one_class_is_about_that_class():
    data = stamped((Y == 2).nonzero().flatten())
    data.x[Y != 2, :, :2, 6:] = torch.randn(160, 1, 2, 2, generator=torch.Generator().manual_seed(3)) * 0.3
    first = suspects(trained(data), data, cell=2, num_donors=4)[0]
    assert (box_of(first.region), first.label) == ((0, 6, 2, 2), 2)
    assert set(Y[list(first.rows)].tolist()) == {2}


def test_a_model_trained_without_the_stamp_is_not_suspected_of_it():
    model = trained(TensorData(OBJECT, Y))
    found = suspects(model, TensorData(OBJECT, Y), cell=2, num_donors=4)
    assert all(box_of(suspect.region) != (0, 6, 2, 2) for suspect in found[:3])


def test_a_leaking_column_comes_first_and_all_columns_of_a_category_go_together():
    site = torch.nn.functional.one_hot(torch.randint(2, (240,), generator=DRAWS), 2).float()
    x = torch.cat([Y[:, None] + 1.5 * torch.randn(240, 1, generator=DRAWS), site, Y[:, None] + 0.1 * site[:, :1]], 1)
    data = TensorData(x, Y, columns=TABLE)
    first, *rest = suspects(trained(data), data, num_donors=4)
    assert first.region == Features(("leak",))
    assert {suspect.region for suspect in rest} <= {Features(("age",)), Features(("site",))}


def test_rows_and_seed_repeat_and_settings_are_checked():
    data = stamped(torch.arange(240))
    model = trained(data)
    found = suspects(model, data, cell=2, num_rows=40, num_donors=2, most=3, seed=5)
    assert found == suspects(model, data, cell=2, num_rows=40, num_donors=2, most=3, seed=5)
    assert len(found) <= 3
    with pytest.raises(RecipeError, match="most is 0"):
        suspects(model, data, most=0)
    with pytest.raises(RecipeError, match="unknown explainer"):
        suspects(model, data, method="nonsense")


def test_places_of_a_sequence_are_looked_at():
    x = torch.randn(240, 5, 2, generator=DRAWS)
    x[:, 3] = Y[:, None].float()
    data = TensorData(x, Y)
    first = suspects(trained(data), data, num_donors=4)[0]
    assert first.region.mask.tolist() == [[False] * 2] * 3 + [[True] * 2] + [[False] * 2]


def test_a_single_row_is_refused():
    with pytest.raises(DataError, match="the data has 1 row; expected at least 2"):
        suspects(nn.Linear(3, 2), (torch.zeros(1, 3), torch.tensor([0])))


CALLS = torch.Generator().manual_seed(5)
TRUTH = torch.randn(240, generator=CALLS)
LABELS = {
    "several_labels": torch.stack([TRUTH > 0, TRUTH > 1], dim=1).float(),
    "amounts": 100 * TRUTH + 20,
    "counts": torch.poisson((TRUTH - 0.5).exp(), generator=CALLS),
    "positive_amounts": (TRUTH + 3).exp(),
    "quantiles": TRUTH,
    "ordered_classes": torch.bucketize(TRUTH, torch.tensor([-0.7, 0.7])),
    "ranking": TRUTH,
}
"""Labels of every other task."""


def named(*names: str) -> Columns:
    return Columns(names, names, (False,) * len(names))


def reading(weights: list[float], num_outputs: int = 1) -> nn.Module:
    """A linear model with the same weights for each of its outputs."""
    model = nn.Linear(len(weights), num_outputs, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor(weights).expand(num_outputs, -1))
    return model


@pytest.mark.parametrize("task", LABELS)
def test_a_leaking_column_comes_first_whatever_the_labels_are(task):
    y = LABELS[task]
    leak = TRUTH if task != "counts" else y  # A rate tells a count only roughly.
    x = torch.stack([TRUTH + 2 * torch.randn(240, generator=CALLS), leak, torch.randn(240, generator=CALLS)], dim=1)
    extra = {"exposure": torch.rand(240, generator=CALLS) + 0.5} if task == "counts" else {}
    data = TensorData(x, y, columns=named("true", "leak", "noise"), task=task, extra=extra)
    in_unit = 80.0 if task == "amounts" else 0.8
    first, *rest = suspects(reading([in_unit, in_unit, in_unit], data.task.num_outputs), data, num_donors=4)
    assert first.region == Features(("leak",))
    assert all(first.score > 2 * other.score for other in rest)
    assert 0 < first.test.low < first.test.effect <= 1
    assert first.agreement > 0.5
    assert first.label is None


def test_what_the_model_does_not_use_is_not_suspected_whatever_the_labels_are():
    x = torch.stack([TRUTH + torch.randn(240, generator=CALLS), TRUTH], dim=1)
    data = TensorData(x, LABELS["amounts"], columns=named("true", "leak"), task="amounts")
    found = suspects(reading([100.0, 0.0]), data, num_donors=4)
    assert [suspect.region for suspect in found] == [Features(("true",))]


def test_the_unit_of_amounts_does_not_matter():
    x = torch.stack([TRUTH + torch.randn(240, generator=CALLS), TRUTH], dim=1)
    small, large = (
        suspects(reading([unit, unit]), TensorData(x, unit * TRUTH, task="amounts"), num_donors=4)
        for unit in (1.0, 1000.0)
    )
    assert [suspect.score for suspect in small] == pytest.approx([suspect.score for suspect in large], rel=1e-4)
    in_unit = suspects(reading([1000.0, 1000.0]), TensorData(x, 1000 * TRUTH, task="amounts"), score="target_value")
    assert in_unit[0].score > 100


def test_a_single_logit_speaks_for_class_1_and_against_class_0():
    y = torch.arange(240) % 2
    x = torch.randn(240, 3, generator=CALLS)
    x[:, 2] = 0.1 * x[:, 2] + y
    single = nn.Linear(3, 1)
    single.weight.data, single.bias.data = torch.tensor([[1.0, 1.0, 5.0]]), torch.tensor([-2.5])
    both = nn.Linear(3, 2)
    both.weight.data, both.bias.data = torch.cat([-single.weight, single.weight]), torch.tensor([2.5, -2.5])
    data = TensorData(x, y, columns=named("a", "b", "cue"))
    first, *_ = found = suspects(single, data, num_donors=4)
    assert first.region == Features(("cue",))
    for one, other in zip(found, suspects(both, data, num_donors=4), strict=True):
        assert (one.region, one.rows, one.score) == (other.region, other.rows, pytest.approx(other.score, rel=1e-4))


def test_clusters_of_images_with_amounts_are_looked_at():
    x = 0.1 * torch.randn(240, 1, 8, 8, generator=CALLS)
    x[:, :, :2, 6:] = TRUTH[:, None, None, None]
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    with torch.no_grad():
        model[1].weight.zero_()[0, [6, 7, 14, 15]] = 20.0
    first = suspects(model, TensorData(x, 80 * TRUTH, task="amounts"), cell=1, num_donors=4)[0]
    assert box_of(first.region) == (0, 6, 2, 2)


@pytest.mark.parametrize("task", ["amounts", "positive_amounts", "quantiles", "ranking"])
def test_the_labels_themselves_tell_the_label_entirely_whatever_they_are(task):
    y = LABELS[task][:60].float()  # So few that twenty neighbours lie in several quarters.
    x = torch.stack([y / y.std(), torch.randn(60, generator=CALLS)], dim=1)
    data = TensorData(x, y, columns=named("leak", "noise"), task=task)
    first = suspects(reading([1.0, 0.5], data.task.num_outputs), data, num_donors=4)[0]
    assert first.region == Features(("leak",))
    assert first.tells_label and first.agreement > 0.7


def test_suspects_are_relied_on_and_ordered_by_the_suspicion_that_is_shown():
    data = stamped(torch.arange(240))
    found = suspects(trained(data), data, cell=2, num_donors=4)
    largest = max(suspect.test.effect for suspect in found)
    assert all(suspect.test.low > 0 and suspect.test.effect >= NEGLIGIBLE * largest for suspect in found)
    shown = [line.rpartition("suspicion ")[2] for line in repr(found).splitlines()[:-1]]
    assert shown[0] == "100 %" and shown == suspicions(found)
    assert [suspect.score for suspect in found] == sorted((suspect.score for suspect in found), reverse=True)


def test_examples_come_from_all_classes_in_turn_and_of_one_class_stand_beside_others():
    strata, index = torch.arange(12) % 3, torch.arange(100, 112)
    everywhere = ranking_of(torch.linspace(1.5, 2, 12), torch.ones(12), strata, index, are_classes=True)
    assert everywhere["label"] is None and everywhere["beside"] == ()
    assert everywhere["rows"] == (111, 110, 109, 108, 107)
    in_one = ranking_of(torch.ones(12), (strata == 1).float(), strata, index, are_classes=True)
    assert in_one["label"] == 1 and set(in_one["rows"]) == {101, 104, 107, 110}
    assert len(in_one["beside"]) == 5 and all(strata[row - 100] != 1 for row in in_one["beside"])
