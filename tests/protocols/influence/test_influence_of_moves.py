"""Which feedback did a correction by moved content, against finite differences of true corrections."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

import corrigible
from corrigible import Feedback, TensorData
from corrigible.augment.left_in_place import left_in_place
from corrigible.augment.transplant import cues_of, transplant
from corrigible.declarations import declared
from corrigible.errors import RecipeError
from corrigible.feedback.masks import marks_of
from corrigible.protocols.careful import careful_step
from corrigible.protocols.corrections.swap_score import swap_log_likelihoods
from corrigible.protocols.influence.feedback_influence import NUM_DONORS, feedback_influence
from corrigible.protocols.schedule import Schedule, run
from fitted import rows

X, Y = rows(32)
TABLE = TensorData(X, Y)
ABOUT_TABLE = [
    Feedback(torch.tensor([False, False, True]), row=1),
    Feedback(torch.tensor([False, True, True]), row=4),
    Feedback(torch.tensor([False, True, False]), row=4),
    Feedback(torch.tensor([False, False, True]), scope="class", label=1),
]
IMAGES = TensorData(torch.rand(32, 1, 4, 4, generator=torch.Generator().manual_seed(0)).double(), Y)
SHORT = Schedule(epochs=2, batch_size=16, learning_rate=0.02)


def pixel(down, right):
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[down, right] = True
    return mask


ABOUT_IMAGES = [Feedback(pixel(*place), row=row) for row, place in enumerate([(0, 0), (0, 0), (3, 3), (3, 3), (1, 2)])]
CASES = {"table": (TABLE, ABOUT_TABLE), "images": (IMAGES, ABOUT_IMAGES)}


def network(data):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(data.x[0].numel(), 5), nn.Tanh(), nn.Linear(5, 2)).double()


def corrected_with(data, feedback, place, factor):
    """A true correction in which the moves that the remark of that place asks for count by its factor."""
    cues = cues_of(data, marks_of(feedback, data), 2)
    without = [one for one in left_in_place(cues, feedback, data) if place in one.remarks]

    @declared(kind="augmentation", rows="labelled", serves=("irrelevant",), looks_at="nothing")
    def moved(model, batch, generator):
        state = generator.get_state()
        extra = {}
        for number, one in enumerate(without):
            generator.set_state(state)
            extra[str(number)] = transplant(model, batch, generator, cues=one.cues).x
        generator.set_state(state)
        return replace(transplant(model, batch, generator, cues=cues), extra=extra)

    def loss(forward, batch):
        found = cross_entropy(forward.outputs, batch.y, reduction="none")
        total = found
        for number, one in enumerate(without):
            other = cross_entropy(forward.model(batch.extra[str(number)]), batch.y, reduction="none")
            total = total - (1 - factor) / len(one.remarks) * (found - other)
        return total

    model = network(data)
    for _ in run(model, data, replace(SHORT, loss=loss), augment=[moved], step=careful_step, seed=2):
        pass
    return model


def swapped(model, data, feedback):
    marks = marks_of(feedback, data)
    reviewed = marks.irrelevant.rows(data.y)
    return swap_log_likelihoods(model, data, marks, reviewed, num_donors=NUM_DONORS, seed=2)


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_derivative_of_each_rows_swapped_loss_by_the_remarks_factor(case):
    data, feedback = CASES[case]
    found = feedback_influence(network(data), data, feedback, schedule=SHORT, seed=2)
    assert bool((found.by_row != 0).any(dim=0).all())
    for place in range(len(feedback)):
        ends = [swapped(corrected_with(data, feedback, place, 1 + sign * 1e-4), data, feedback) for sign in (1, -1)]
        assert torch.allclose(found.by_row[:, place], (ends[0] - ends[1]) / 2e-4, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("case", CASES)
def test_it_replays_what_correct_does(case):
    data, feedback = CASES[case]
    settings = {"epochs": 2, "batch_size": 16, "learning_rate": 0.02, "seed": 2}
    model = corrigible.correct(network(data), data, feedback, **settings)
    found = feedback_influence(network(data), data, feedback, schedule=SHORT, corrected=model, seed=2)
    ends = [parameters_to_vector(of.parameters()).detach() for of in (model, found.corrected)]
    assert torch.allclose(*ends, atol=1e-12)


def test_moves_and_penalties_add_up():
    settings = {"penalties": {"right_reasons": 0.5}, "schedule": SHORT, "seed": 2}
    moves = {"augment": {"transplant": {}}}
    both = feedback_influence(network(TABLE), TABLE, ABOUT_TABLE, **settings, **moves)
    model = corrigible.correct(
        network(TABLE),
        TABLE,
        ABOUT_TABLE,
        **moves,
        penalties=settings["penalties"],
        epochs=2,
        batch_size=16,
        learning_rate=0.02,
        seed=2,
    )
    ends = [parameters_to_vector(of.parameters()).detach() for of in (model, both.corrected)]
    assert torch.allclose(*ends, atol=1e-12)


@declared(kind="augmentation", rows="labelled", serves=("irrelevant",), looks_at="nothing")
def own_moves(model, batch, generator):
    return batch


EVERYWHERE = [Feedback(torch.tensor([False, False, True]), scope="dataset")]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"augment": {own_moves: {}}}, "which remark changed a row is not known for the augmentation 'own_moves'"),
        ({"augment": {"transplant": {}}, "penalties": {"gradient_size": 1.0}}, "between which content is moved"),
        (
            {"augment": {"transplant": {}}, "penalties": {"right_reasons": 1.0}, "feedback": EVERYWHERE},
            "between which content is moved",
        ),
        ({"augment": {"input_noise": {"deviation": 0.1}}}, "learns from reviewed rows"),
        ({"feedback": [Feedback(torch.tensor([True, False, False]), row=1, polarity="relevant")]}, "weight 'auto'"),
    ],
)
def test_what_has_no_answer_is_refused(settings, message):
    asked = {"feedback": ABOUT_TABLE, **settings}
    with pytest.raises(RecipeError, match=message):
        feedback_influence(network(TABLE), TABLE, asked.pop("feedback"), **asked)
