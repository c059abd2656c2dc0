"""From what people said to masks: where each scope applies, and what does not fit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from corrigible.data.dataset import TensorData
from corrigible.data.tokens import Tokens
from corrigible.errors import FeedbackError
from corrigible.feedback.masks import fingerprint, marks_of, mask_of, said_about
from corrigible.types import Columns, Features, Feedback, Phrase, Pixels, region_of

COLUMNS = Columns(("age", "site=a", "site=b"), ("age", "site", "site"), (False, True, True))
Y = torch.tensor([0, 1, 0, 2, 1])


def said(region, **others) -> Feedback:
    return Feedback(region_of(region), **others)


@pytest.fixture
def table() -> TensorData:
    return TensorData(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), Y, columns=COLUMNS)


def images() -> TensorData:
    return TensorData(torch.zeros(5, 2, 3, 3), Y)


def test_each_scope_marks_its_rows(table):
    feedback = [
        said("age", row=3),
        said("site", scope="class", label=1),
        said(np.array([True, False, False]), row=4),
        said("age", polarity="relevant", scope="class", label=0),
    ]
    marks = marks_of(feedback, table)
    age, site = [True, False, False], [False, True, True]
    expected = [[False] * 3, site, [False] * 3, age, [True] * 3]
    index = torch.arange(5)
    assert marks.irrelevant.masks(index, Y).tolist() == expected
    assert marks.relevant.masks(index, Y).tolist() == [age, [False] * 3, age, [False] * 3, [False] * 3]
    assert marks.irrelevant.rows(Y).tolist() == [1, 3, 4]
    assert marks.relevant.rows(Y).tolist() == [0, 2]
    assert marks.reviewed_rows(table).tolist() == [0, 1, 2, 3, 4]


def test_rows_are_exactly_those_with_a_mark(table):
    feedback = [
        said("site", scope="class", label=1),
        said("age", row=0),
        said(np.zeros(3, dtype=bool), row=3),
        said(np.zeros(3, dtype=bool), scope="class", label=0),
        said(np.zeros(3, dtype=bool), scope="dataset"),
    ]
    masks = marks_of(feedback, table).irrelevant
    marked = masks.masks(torch.arange(5), Y).any(dim=1).nonzero().flatten()
    assert masks.rows(Y).tolist() == marked.tolist() == [0, 1, 4]


def test_a_rule_for_the_data_set_marks_every_row(table):
    masks = marks_of([said("age", scope="dataset")], table).irrelevant
    assert masks.masks(torch.tensor([4, 0]), Y[[4, 0]]).tolist() == [[True, False, False]] * 2
    assert masks.rows(Y).tolist() == [0, 1, 2, 3, 4]


def test_no_feedback_marks_nothing(table):
    marks = marks_of([], table)
    assert not marks.irrelevant.masks(torch.arange(5), Y).any()
    assert marks.reviewed_rows(table).tolist() == []


def test_masks_follow_the_order_of_the_rows_and_are_fresh(table):
    masks = marks_of([said("age", row=3), said("site", scope="dataset")], table).irrelevant
    index = torch.tensor([3, 1, 3])
    found = masks.masks(index, Y[index])
    assert found.tolist() == [[True] * 3, [False, True, True], [True] * 3]
    found[:] = True
    assert masks.masks(torch.tensor([1]), Y[[1]]).tolist() == [[False, True, True]]


def test_feedback_on_the_same_row_adds_up(table):
    masks = marks_of(iter([said("age", row=1), said("site", row=1)]), table).irrelevant
    assert masks.masks(torch.tensor([1]), Y[[1]]).all()


def test_a_mask_of_height_and_width_is_about_every_channel():
    corner = np.zeros((3, 3), dtype=bool)
    corner[0, :2] = True
    found = mask_of(Pixels(corner), (2, 3, 3), None)
    assert torch.equal(found, torch.from_numpy(np.stack([corner, corner])))
    corner[:] = False
    assert found[:, 0, 0].all()


def test_a_mask_of_one_channel_is_about_every_channel():
    corner = np.zeros((1, 3, 3), dtype=bool)
    corner[0, 0, :2] = True
    assert torch.equal(mask_of(Pixels(corner), (2, 3, 3), None), torch.from_numpy(np.concatenate([corner, corner])))


def test_a_mask_of_the_input_shape_stays_as_it_is():
    mask = np.zeros((2, 3, 3), dtype=bool)
    mask[1, 2, 0] = True
    assert torch.equal(mask_of(Pixels(mask), (2, 3, 3), None), torch.from_numpy(mask))


def test_a_feature_is_all_of_its_columns():
    assert mask_of(Features(("site",)), (3,), COLUMNS).tolist() == [False, True, True]
    assert mask_of(Features(("age", "site")), (3,), COLUMNS).tolist() == [True] * 3


@pytest.mark.parametrize("shape", [(3, 4), (3,), (3, 3, 1), (2, 2, 3, 3)])
def test_a_mask_of_another_shape_is_refused(shape):
    with pytest.raises(
        FeedbackError, match=r"mask of shape .*; expected \(2, 3, 3\), .*, or \(3, 3\), height and width"
    ):
        marks_of([said(np.ones(shape, dtype=bool), row=0)], images())


@pytest.mark.parametrize(
    ("feedback", "message"),
    [
        (said("site"), "names no row; give row=… or scope='dataset'"),
        (said("site", scope="class"), "names no class; give label=…"),
        (said("site", row=5), "feedback on row 5; the data set has rows 0 to 4"),
        (said("site", row=-1), "row is -1; expected a whole number from 0"),
        (said("sites", row=0), "unknown feature 'sites': did you mean 'site'"),
        (said("site=a", row=0), "unknown feature 'site=a'"),
        (said("site", row=2, fingerprint="0" * 16), "row 2 has fingerprint .*changed or was reordered"),
        (said("site", row=2, fingerprint="0" * 16, scope="dataset"), "row 2 has fingerprint"),
    ],
)
def test_feedback_that_does_not_fit_is_refused(feedback, message, table):
    with pytest.raises(FeedbackError, match=message):
        marks_of([said("age", row=0), feedback], table)


def test_names_for_data_without_named_features_are_refused():
    with pytest.raises(FeedbackError, match="without named features; give a boolean mask"):
        marks_of([said("site", row=0)], images())


def test_feedback_with_the_right_fingerprint_is_taken(table):
    feedback = [said("site", row=2, fingerprint=fingerprint(table.x[2]))]
    assert marks_of(feedback, table).irrelevant.rows(Y).tolist() == [2]


def test_fingerprint_is_of_the_values_and_the_shape_alone():
    x = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    assert fingerprint(x) == fingerprint(x.clone().requires_grad_()) == fingerprint(x.double())
    assert fingerprint(x) == fingerprint(x.T.contiguous().T)
    changed = x.clone()
    changed[1, 2] += 1e-6
    assert len({fingerprint(x), fingerprint(x.flatten()), fingerprint(x.T), fingerprint(changed)}) == 4


def test_a_region_stays_as_it_was_when_the_array_is_used_again():
    buffer = np.array([True, False])
    for given in (buffer, torch.from_numpy(buffer)):
        said = Feedback(given, row=0)
        buffer[:] = ~buffer
        assert said.region.mask.tolist() == (~buffer).tolist()


def test_a_rule_made_on_a_row_of_another_split_comes_without_that_row():
    rule = Feedback("site", row=900, split="test", scope="dataset", fingerprint="0" * 16)
    other = Feedback("site", row=1, split="test")
    own = Feedback("site", row=1, fingerprint="0" * 16)
    assert said_about([rule, other, own], "train") == [replace(rule, row=None, fingerprint=None), own]
    assert said_about([rule, other, own], "test") == [rule, other]


TEXTS = ("good film", "bad film here", "good bad good film", "here")
WORDS = ("good", "bad", "film", "here")


def texts() -> TensorData:
    ids = torch.full((4, 5), -1)
    for row, text in enumerate(TEXTS):
        ids[row, : len(text.split())] = torch.tensor([WORDS.index(word) for word in text.split()])
    x = torch.cat([torch.eye(4, 3) + 1, torch.zeros(1, 3)])[ids]
    return TensorData(x, torch.tensor([0, 1, 0, 1]), tokens=Tokens(ids, WORDS))


def marked_words(feedback) -> list[str]:
    """What is marked of each text; every word as a whole."""
    data, index = texts(), torch.arange(4)
    masks = marks_of(feedback, data).irrelevant
    found = masks.masks(index, data.y)
    assert torch.equal(found, found[..., :1].expand_as(found))
    assert masks.rows(data.y).tolist() == found.flatten(1).any(dim=1).nonzero().flatten().tolist()
    words = [(*data.tokens.row(row), "", "", "", "", "") for row in range(4)]
    return [" ".join(w for w, m in zip(words[row], found[row, :, 0], strict=False) if m) for row in range(4)]


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({"scope": "dataset"}, ["good film", "", "good film", ""]),
        ({"scope": "class", "label": 0}, ["good film", "", "good film", ""]),
        ({"scope": "class", "label": 1}, ["", "", "", ""]),
        ({"row": 2}, ["", "", "good film", ""]),
    ],
)
def test_a_phrase_is_marked_wherever_it_stands_in_the_rows_it_is_about(others, expected):
    assert marked_words([said(Phrase(("good", "film")), **others)]) == expected


def test_marks_of_words_add_up_and_places_are_whole_words():
    places = np.array([True, False, False, False, False])
    feedback = [said(Phrase(("film",)), scope="dataset"), said(places, row=2), said(Phrase(("here",)), row=1)]
    assert marked_words(feedback) == ["film", "film here", "good film", ""]


def test_marked_words_are_kept_once_for_all_numbers_of_their_vectors():
    feedback = [said(Phrase((word,)), scope="dataset") for word in ("film", "good")]
    for mask in marks_of(feedback, texts()).irrelevant.by_row.values():
        assert mask.stride() == (1, 0)


@pytest.mark.parametrize(
    ("phrase", "others", "message"),
    [
        ("god film", {"scope": "dataset"}, "no word 'god' in the vocabulary: did you mean 'good'"),
        ("film here", {"row": 0}, "row 0 does not hold 'film here'; it reads: good film"),
    ],
)
def test_a_phrase_that_does_not_fit_is_refused(phrase, others, message):
    with pytest.raises(FeedbackError, match=message):
        marks_of([said(Phrase(tuple(phrase.split())), **others)], texts())


def test_a_text_as_region_is_a_phrase_of_texts_and_a_feature_of_a_table(table):
    for text in ("good film", "Good  FILM"):
        asked = marked_words([said(text, scope="dataset")])
        assert asked == marked_words([said(Phrase(("good", "film")), scope="dataset")])
    both = marked_words([said(("film", "good"), scope="dataset")])
    assert both == marked_words([said(Phrase((word,)), scope="dataset") for word in ("film", "good")])
    with pytest.raises(FeedbackError, match="holds no words"):
        marked_words([said(" ", scope="dataset")])
    with pytest.raises(FeedbackError, match="feature 'good film'"):
        marks_of([said("good film", scope="dataset")], table)


def test_a_phrase_about_data_without_words_is_refused(table):
    with pytest.raises(FeedbackError, match="'good film' is about texts, and this data has no words"):
        marks_of([said(Phrase(("good", "film")), scope="dataset")], table)


MARKED = np.array([[True, False], [False, True]])


@pytest.mark.parametrize(
    "mask",
    [
        MARKED.astype(np.uint8) * 255,
        MARKED.astype(np.float32),
        MARKED.tolist(),
        MARKED.astype(int).tolist(),
        torch.from_numpy(MARKED),
        torch.from_numpy(MARKED).to(torch.bfloat16),
        Image.fromarray(MARKED.astype(np.uint8) * 255),
        Image.fromarray(MARKED),
    ],
)
def test_a_mask_of_two_values_is_true_above_0(mask):
    assert np.array_equal(region_of(mask).mask, MARKED)


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (MARKED * 0.3, "numbers such as 0.3; expected True and False: write mask > 0"),
        (MARKED + 254, "numbers such as 254; .* mask > 0"),
        (MARKED * np.nan, "numbers such as nan"),
        ([0, 1], "may be positions; write mask > 0"),
        ([], "an empty list"),
        (None, "a NoneType"),
        (7, "a int"),
        ([[True], [False, True]], "ragged list"),
        (Image.new("RGB", (2, 2)), r"mode 'RGB'; .*image.convert\('L'\)\) > 0"),
    ],
)
def test_a_region_that_could_mean_something_else_is_refused(region, message):
    with pytest.raises(FeedbackError, match=message):
        Feedback(region, row=0)


def test_names_in_any_sequence_are_features():
    for names in (["age", "site"], ("age", "site"), np.array(["age", "site"]), pd.Index(["age", "site"])):
        assert region_of(names) == Features(("age", "site"))


def misspelt(name, word) -> Feedback:
    found = said("age", row=1)
    object.__setattr__(found, name, word)  # The type checker of the tests would not let it pass.
    return found


@pytest.mark.parametrize(
    ("feedback", "message"),
    [
        (misspelt("polarity", "irrelevent"), "unknown polarity 'irrelevent': did you mean 'irrelevant'"),
        (misspelt("scope", "all"), "unknown scope 'all': .*class, dataset, row"),
        (said("age", scope="dataset", label=1), "class 1 has scope 'dataset'.*say scope='class'"),
        ("age", "entry 1 is a str; expected Feedback"),
    ],
)
def test_a_slip_is_answered_with_the_remedy(feedback, message, table):
    with pytest.raises(FeedbackError, match=message):
        marks_of([feedback], table)


@pytest.mark.parametrize("feedback", [None, said("age", row=1), "age", {"row": 1}])
def test_feedback_that_is_no_list_is_refused(feedback, table):
    with pytest.raises(FeedbackError, match=r"expected a list of Feedback, such as \[Feedback"):
        marks_of(feedback, table)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"row": 1}, {"row": 1}),
        ({"scope": "dataset"}, {"row": 1}),
        ({"scope": "class", "label": int(Y[1])}, {"row": 1}),
        ({"scope": "dataset"}, {"scope": "class", "label": 0}),
        ({"scope": "dataset"}, {"scope": "dataset"}),
    ],
)
@pytest.mark.parametrize("is_reversed", [False, True])
def test_an_input_cannot_be_both_irrelevant_and_relevant(first, second, is_reversed, table):
    names = ("relevant", "irrelevant") if is_reversed else ("irrelevant", "relevant")
    others = [said("age", row=0), said("site", row=2, polarity="relevant")]
    pair = [said("site", polarity=name, **where) for name, where in zip(names, (first, second), strict=True)]
    if is_reversed:
        others = [replace(one, row=3) for one in others]
    with pytest.raises(
        FeedbackError, match=r"'irrelevant in .*: site' and 'relevant in .*: site' contradict each other"
    ):
        marks_of([*others, *pair], table)


def test_what_concerns_other_rows_or_inputs_is_no_contradiction(table):
    other = 1 - int(Y[1])
    feedback = [
        said("site", row=1, polarity="relevant"),
        said("age", row=1),
        said("site", row=0),
        said("site", scope="class", label=other),
    ]
    assert marks_of(feedback, table).irrelevant.by_row.keys() == {0, 1}


def test_saying_the_same_twice_changes_nothing(table):
    feedback = [said("age", row=1), said("site", scope="class", label=1)]
    once, twice = (marks_of(feedback * times, table) for times in (1, 2))
    rows = torch.arange(len(Y))
    assert torch.equal(once.irrelevant.masks(rows, Y), twice.irrelevant.masks(rows, Y))


def test_true_is_no_row():
    with pytest.raises(FeedbackError, match="row is True; expected a whole number"):
        marks_of([Feedback(np.array([True, False]), row=True)], TensorData(torch.zeros(3, 2), torch.tensor([0, 1, 0])))


def test_rows_of_two_splits_are_refused():
    mask, data = np.array([True, False]), TensorData(torch.zeros(3, 2), torch.tensor([0, 1, 0]))
    with pytest.raises(FeedbackError, match="the splits 'train' and 'test'; expected one"):
        marks_of([Feedback(mask, row=1), Feedback(mask, row=1, split="test")], data)
    marks_of([Feedback(mask, row=1, split="test"), Feedback(mask, scope="dataset")], data)
