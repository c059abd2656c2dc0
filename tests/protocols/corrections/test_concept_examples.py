"""A colour that lies over the whole picture fools a network, and both concept methods reduce that."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy

from corrigible.batches import collate
from corrigible.data.dataset import TensorData
from corrigible.errors import FeedbackError
from corrigible.explanations.concepts import pooled_activations
from corrigible.feedback.masks import Marks, marks_of
from corrigible.models.concept_projection import project_out
from corrigible.objective import objective_of, terms_of
from corrigible.penalties.concept_gradient import concept_gradient
from corrigible.protocols.corrections.concept_examples import concept_examples, direction_from_marks
from corrigible.types import Feedback

NUM_ROWS, SIDE = 192, 6


def pictures(*, seed: int, confounded: bool) -> TensorData:
    """Class 1 has a vertical bar, class 0 a horizontal one, in noise; channel 1 is a tone that follows the class."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (NUM_ROWS,), generator=generator)
    x = 0.8 * torch.randn(NUM_ROWS, 2, SIDE, SIDE, generator=generator)
    x[:, 0, 2, :] += 1.0 * (y == 0)[:, None]
    x[:, 0, :, 2] += 1.0 * (y == 1)[:, None]
    tone = y.float() if confounded else torch.randint(2, (NUM_ROWS,), generator=generator).float()
    x[:, 1] = (tone - 0.5)[:, None, None] + 0.05 * x[:, 1]
    return TensorData(x, y)


def tone_marks(data: TensorData) -> Marks:
    mask = torch.zeros(2, SIDE, SIDE, dtype=torch.bool)
    mask[1] = True
    return marks_of([Feedback(mask, scope="dataset")], data)


def trained(model: nn.Module, data: TensorData, penalty_weight: float, **settings: object) -> nn.Module:
    model = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    terms = terms_of({concept_gradient: {"weight": penalty_weight, **settings}})
    batch = collate(data, torch.arange(NUM_ROWS), tone_marks(data))
    for step in range(60):
        optimizer.zero_grad()
        objective_of(
            model,
            batch,
            None,
            loss=lambda f, b: cross_entropy(f.logits, b.y, reduction="none"),
            terms=terms,
            epoch=0,
            seed=step,
        ).total.backward()
        optimizer.step()
    return model


def accuracy(model: nn.Module) -> float:
    """On pictures whose tone says nothing."""
    data = pictures(seed=9, confounded=False)
    with torch.no_grad():
        return (model(data.x).argmax(dim=1) == data.y).float().mean().item()


@pytest.fixture(scope="module")
def fooled() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(2, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 2))
    return trained(model, pictures(seed=1, confounded=True), 0.0)


def test_both_methods_recover_from_a_tone_that_fools(fooled):
    data = pictures(seed=1, confounded=True)
    direction = direction_from_marks(fooled, data, tone_marks(data), layer="0")
    _, without = concept_examples(data, tone_marks(data))
    mean = pooled_activations(fooled, without, layer="0").mean(dim=0)
    projected = project_out(fooled, "0", direction, mean)
    corrected = trained(fooled, data, 10.0)
    assert accuracy(fooled) < 0.7
    assert accuracy(projected) > accuracy(fooled) + 0.2
    assert accuracy(corrected) > accuracy(fooled) + 0.2


def test_the_direction_is_how_the_layer_sees_the_tone(fooled):
    """Raising channel 1 everywhere moves a convolution by its weights for that channel, summed over the kernel.

    Tones go up on one class and down on the other: in the mean over rows nothing moves.
    """
    data = pictures(seed=1, confounded=True)
    found = direction_from_marks(fooled, data, tone_marks(data), layer="0")
    expected = fooled[0].weight[:, 1].sum(dim=(1, 2)).detach()
    assert cosine_similarity(found, expected, dim=0).abs() > 0.99


def test_examples_differ_only_where_marked_and_are_limited():
    data = pictures(seed=1, confounded=True)
    present, absent = concept_examples(data, tone_marks(data), limit=50)
    assert len(present) == len(absent) == 50
    assert torch.equal(present[:, 0], absent[:, 0])
    assert not torch.equal(present[:, 1], absent[:, 1])
    again = concept_examples(data, tone_marks(data), limit=50)
    assert torch.equal(again[0], present)
    assert torch.equal(again[1], absent)


def test_without_marks_there_is_no_concept(fooled):
    data = pictures(seed=1, confounded=True)
    with pytest.raises(FeedbackError, match="nothing is marked irrelevant"):
        direction_from_marks(fooled, data, marks_of([], data))
