"""Changed rows with something marked left in place, by the same draws."""

import torch

from corrigible import Feedback, TensorData
from corrigible.augment.left_in_place import left_in_place
from corrigible.augment.transplant import cues_of, transplant
from corrigible.batches import collate
from corrigible.feedback.masks import marks_of
from cue_data import CLASSES, cue_data, ids_of, phrase_ids


def changed(cues, dataset):
    batch = collate(dataset, torch.arange(len(dataset)))
    return transplant(torch.nn.Identity(), batch, torch.Generator().manual_seed(3), cues=cues).x


def found_for(dataset, feedback):
    """How rows are changed, and how without each set of remarks."""
    cues = cues_of(dataset, marks_of(feedback, dataset), 0)
    return changed(cues, dataset), {
        one.remarks: changed(one.cues, dataset) for one in left_in_place(cues, feedback, dataset)
    }


def images(count=40, size=8):
    x = torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(0))
    return TensorData(x, torch.arange(count) % 2)


def square(top, left):
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[top : top + 2, left : left + 2] = True
    return mask


IMAGES = images()
CORNERS = [
    Feedback(square(0, 0), row=0),
    Feedback(square(0, 0), row=1),
    Feedback(square(6, 6), row=2),
    Feedback(square(6, 6), row=3),
]


def test_only_the_content_of_that_remark_is_left_in_place():
    with_all, without = found_for(IMAGES, CORNERS)
    assert set(without) == {(0,), (1,), (2,), (3,)}
    for (remark,), x in without.items():
        mine, others = ((0, 3), (5, 8)) if remark < 2 else ((5, 8), (0, 3))
        other_corner = x[:, :, slice(*others), slice(*others)]
        assert torch.equal(other_corner, with_all[:, :, slice(*others), slice(*others)])
        differs = (x != with_all).flatten(1).any(dim=1)
        assert 0 < int(differs.sum()) < len(x)
        here = (slice(None), slice(None), slice(*mine), slice(*mine))
        differs[:4] = False  # Their own corners are replaced for other remarks.
        assert torch.equal(x[here][differs], IMAGES.x[here][differs])


def test_rows_are_as_found_where_the_only_remark_is_left_in_place():
    rule = [Feedback(square(0, 0), scope="class", label=1)]
    with_all, without = found_for(IMAGES, rule)
    assert not torch.equal(with_all, IMAGES.x)
    assert torch.equal(without[0,], IMAGES.x)


def test_a_cue_that_moves_about_is_left_where_it_is_found_again():
    x = 0.1 * torch.rand(40, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    sticker = torch.tensor([[1.0, 0.0], [0.5, 1.0]])
    places = torch.randint(2, 12, (40, 2), generator=torch.Generator().manual_seed(2)).tolist()
    for row, (top, left) in enumerate(places):
        x[row, 0, top : top + 2, left : left + 2] = sticker
    data, feedback = TensorData(x, torch.arange(40) % 2), []
    for row in range(8):
        mask = torch.zeros(16, 16, dtype=torch.bool)
        top, left = places[row]
        mask[top : top + 2, left : left + 2] = True
        feedback.append(Feedback(mask, row=row))
    with_all, without = found_for(data, feedback)
    assert set(without) == {(remark,) for remark in range(8)}
    differs = torch.stack([(found != with_all).flatten(1).any(dim=1) for found in without.values()])
    # The one that the sticker is found again by changes many rows, and the others those that got their content.
    assert (differs.sum(dim=1) > 0).all() and int(differs.sum(dim=1).max()) > 20 and not differs.all(dim=1).any()
    template = list(without.values())[int(differs.sum(dim=1).argmax())]
    assert wearing(with_all, places, sticker) + 10 < wearing(template, places, sticker)


def wearing(x, places, sticker):
    """On how many rows the sticker is still in its place."""
    return sum(
        torch.equal(image[0, top : top + 2, left : left + 2], sticker)
        for image, (top, left) in zip(x, places, strict=True)
    )


def test_remarks_that_mark_the_same_feature_share_its_moves():
    data = TensorData(torch.rand(40, 3, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 2)
    first, both = torch.tensor([True, False, False]), torch.tensor([True, True, False])
    feedback = [Feedback(first, row=0), Feedback(both, row=1), Feedback(~both, row=2, polarity="relevant")]
    with_all, without = found_for(data, feedback)
    assert set(without) == {(0, 1), (1,)}
    assert torch.equal(without[0, 1][:, 0], data.x[:, 0]) and torch.equal(without[0, 1][:, 1:], with_all[:, 1:])
    assert torch.equal(without[1,][:, 1], data.x[:, 1]) and torch.equal(without[1,][:, ::2], with_all[:, ::2])
    assert not torch.equal(with_all[:, 0], data.x[:, 0])


def test_phrases_are_left_in_place():
    case = cue_data("texts", cued=CLASSES)
    feedback = case.said
    with_all, without = found_for(case.data, feedback)
    by_label = {
        tuple(r for r, said in enumerate(feedback) if case.data.y[said.row] == label): label for label in CLASSES
    }
    assert set(without) == set(by_label)
    for remarks, label in by_label.items():
        of_label = torch.tensor(phrase_ids(label))
        others = torch.tensor([word for other in CLASSES if other != label for word in phrase_ids(other)])
        for after, before, found in zip(*map(ids_of, (without[remarks], case.data.x, with_all)), strict=True):
            assert torch.isin(after, of_label).sum() == torch.isin(before, of_label).sum()
            assert torch.isin(after, others).sum() == torch.isin(found, others).sum()
    assert not torch.equal(with_all, case.data.x)
