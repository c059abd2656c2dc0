"""What transplanting must obey, on images, tables and texts."""

import copy
from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from corrigible import Feedback
from corrigible.augment import transplant
from corrigible.augment.columns import FAR
from corrigible.augment.transplant import Cues, cues_of
from corrigible.batches import collate
from corrigible.data.dataset import TensorData
from corrigible.errors import DataError
from corrigible.feedback.masks import marks_of
from corrigible.types import Batch
from cue_data import CLASSES, KINDS, CueData, cue_data

every_kind = pytest.mark.parametrize("kind", KINDS)
IN_PLACE = ("image_in_place", "numbers", "categories")
cued_classes = pytest.mark.parametrize("cued", [CLASSES, (0,), (0, 1)], ids=["all classes", "one class", "two classes"])
MODEL = nn.Identity()


def changed(cues: Cues, batch: Batch, seed: int = 0) -> Batch:
    return transplant(MODEL, batch, torch.Generator().manual_seed(seed), cues=cues)


def cues_and_batch(kind: str, **settings) -> tuple[CueData, Cues, Batch]:
    """All rows of a data set, with their marks."""
    case = cue_data(kind, **settings)
    marks = case.marks
    return case, cues_of(case.data, marks, 0), collate(case.data, torch.arange(len(case.data)), marks)


@every_kind
def test_rows_keep_everything_but_their_inputs(kind):
    _, cues, batch = cues_and_batch(kind)
    batch = replace(batch, weight=torch.rand(len(batch.x)), group=batch.y)
    found = changed(cues, batch)
    assert found.x.shape == batch.x.shape
    assert found.x.dtype == batch.x.dtype
    assert not torch.equal(found.x, batch.x)
    for name in {field.name for field in fields(Batch)} - {"x", "irrelevant"}:
        assert getattr(found, name) is getattr(batch, name)


@every_kind
def test_in_double_precision_rows_stay_double(kind):
    _, cues, batch = cues_and_batch(kind, num_rows=30, num_reviewed=6)
    assert changed(cues, replace(batch, x=batch.x.double())).x.dtype == torch.float64


@every_kind
def test_the_batch_that_was_given_and_the_cues_stay_as_they_are(kind):
    _, cues, batch = cues_and_batch(kind)
    before = copy.deepcopy((batch, cues))
    changed(cues, batch)
    for given, kept in ((batch, before[0]), (cues.content, before[1].content)):
        for name, value in vars(given).items():
            assert not isinstance(value, Tensor) or torch.equal(value, getattr(kept, name)), name


@every_kind
def test_changes_come_from_the_generator_alone(kind):
    _, cues, batch = cues_and_batch(kind)
    state = torch.get_rng_state()
    assert torch.equal(changed(cues, batch, seed=1).x, changed(cues, batch, seed=1).x)
    assert not torch.equal(changed(cues, batch, seed=1).x, changed(cues, batch, seed=2).x)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", IN_PLACE)
def test_what_lies_outside_of_the_marked_place_stays(kind):
    case, cues, batch = cues_and_batch(kind)
    near = case.place.any(dim=0)
    if near.ndim == 3:  # An image's edge of a patch may be soft, by one pixel.
        near = max_pool2d(near[None].float(), 3, stride=1, padding=1)[0].bool()
    found = changed(cues, batch).x
    assert torch.equal(found[:, ~near], batch.x[:, ~near])
    assert not torch.equal(found[:, near], batch.x[:, near])


@every_kind
@cued_classes
@pytest.mark.every(3)
def test_the_cue_does_not_tell_the_label_any_more(kind, cued):
    """Each class's cue is as frequent in every class, over 2,000 rows; before, it is in all or none of a class."""
    case = cue_data(kind, cued=cued)
    marks, rows = case.marks, torch.randint(len(case.data), (2000,), generator=torch.Generator().manual_seed(0))
    cues, generator = cues_of(case.data, marks, 0), torch.Generator().manual_seed(1)
    batches = [transplant(MODEL, collate(case.data, index, marks), generator, cues=cues) for index in rows.split(50)]
    has_cue, y = case.cue(torch.cat([batch.x for batch in batches])), torch.cat([batch.y for batch in batches])
    share = torch.stack([has_cue[y == label].mean(dim=0) for label in CLASSES])[:, list(cued)]
    assert bool((share > 0.02).all())
    assert float((share.amax(dim=0) - share.amin(dim=0)).max()) < 0.1


def test_one_hot_columns_stay_one_hot_and_come_from_rows_of_the_data():
    _, cues, batch = cues_and_batch("categories", cued=(0, 2))
    found = changed(cues, batch).x[:, :4]
    assert bool(((found == 0) | (found == 1)).all())
    assert bool((found.sum(dim=1) == 1).all())
    assert not bool(found[:, 1].any())  # No row has that site.


@pytest.mark.parametrize("num_partly", [1, 30])
def test_a_category_that_is_marked_in_part_moves_as_a_whole(num_partly):
    """Whether few rows mark it so or all."""
    case = cue_data("categories")
    place = torch.zeros_like(case.place)
    place[:num_partly, 0] = True
    place[num_partly:, 4] = True
    marks = case.with_masks(place).marks
    cues, batch = cues_of(case.data, marks, 0), collate(case.data, torch.arange(240), marks)
    for seed in range(5):
        assert bool((changed(cues, batch, seed).x[:, :4].sum(dim=1) == 1).all())


@pytest.mark.parametrize(("kind", "feature"), [("numbers", "scanner"), ("categories", "site")])
def test_a_rule_on_a_feature_gives_every_row_a_value_of_another(kind, feature):
    """A category as it is; a number, for half of the rows, further from the mean."""
    case = cue_data(kind)
    marks = marks_of([Feedback(feature, scope="dataset")], case.data)
    cues, batch = cues_of(case.data, marks, 0), collate(case.data, torch.arange(240), marks)
    found, width = changed(cues, batch).x, case.data.columns.feature.count(feature)
    values, middle = batch.x[:, :width].unique(dim=0), cues.content.donors[:, :width].mean(dim=0)

    def is_one_of(values: Tensor) -> Tensor:
        return ((found[:, None, :width] - values).abs() < 1e-5).all(dim=2).any(dim=1)

    is_near, is_far = is_one_of(values), is_one_of(middle + FAR * (values - middle))
    assert bool((is_near | is_far).all())
    share = float(is_near.float().mean())  # A value that is the mean, as a third are, stays so.
    assert share == 1 if kind == "categories" else 0.5 < share < 0.8
    assert float((found[:, :width] == batch.x[:, :width]).all(dim=1).float().mean()) < 0.5
    assert torch.equal(found[:, width:], batch.x[:, width:])


def test_features_of_half_of_the_rows_come_from_one_row_together():
    """Two marked columns that are the same in every row: half of the rows keep them so, others only by chance."""
    x = torch.rand(300, 3, generator=torch.Generator().manual_seed(0))
    x[:, 1] = x[:, 0]
    data = TensorData(x, torch.arange(300) % 2)
    marks = marks_of([Feedback(torch.tensor([True, True, False]), scope="dataset")], data)
    found = changed(cues_of(data, marks, 0), collate(data, torch.arange(300), marks)).x
    assert 0.4 < float((found[:, 0] == found[:, 1]).float().mean()) < 0.6


def test_what_few_rows_mark_moves_seldom():
    """One of twenty masks lies on another column: that one is nearly always left alone where nobody marked it."""
    case = cue_data("numbers", num_reviewed=20)
    place = case.place.clone()
    place[0] = False
    place[0, 1] = True
    case = case.with_masks(place)
    rows = torch.arange(30, 240)
    found = changed(cues_of(case.data, case.marks, 0), collate(case.data, rows, case.marks)).x
    kept = (found == case.data.x[rows]).float().mean(dim=0)
    assert kept[0] < 0.6
    assert 0.8 < kept[1] < 1


def test_rows_of_another_shape_are_refused():
    data = TensorData(torch.rand(6, 4, 5), torch.arange(6) % 2)
    marks = marks_of([Feedback(torch.ones(4, 5, dtype=torch.bool), row=0)], data)
    with pytest.raises(DataError, match=r"rows have shape \(4, 5\); .* name a penalty instead"):
        cues_of(data, marks, 0)
