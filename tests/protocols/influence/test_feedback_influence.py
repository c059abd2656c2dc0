"""Which feedback did it, against finite differences of true corrections."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

import corrigible
from corrigible import Feedback, TensorData
from corrigible.declarations import declared
from corrigible.errors import FeedbackError, RecipeError, UnsupportedModelError
from corrigible.feedback.masks import marks_of
from corrigible.penalties import right_reasons
from corrigible.protocols.careful import careful_step
from corrigible.protocols.corrections.swap_score import swap_log_likelihoods, swap_score
from corrigible.protocols.influence.feedback_influence import NUM_DONORS, feedback_influence
from corrigible.protocols.schedule import Schedule, run
from fitted import rows

X, Y = rows(32)
DATA = TensorData(X, Y)
SHORT = Schedule(epochs=3, batch_size=16, learning_rate=0.05)
FEEDBACK = [
    Feedback(torch.tensor([False, False, True]), row=1),
    Feedback(torch.tensor([False, True, True]), row=4),
    Feedback(torch.tensor([True, False, False]), row=9),
    Feedback(torch.tensor([False, False, True]), scope="class", label=1),
]
SETTINGS = {"weight": 0.5, "score": "target_log_prob"}


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).double()


def corrected_with(place, factor):
    """A true correction whose remark of that place has this factor."""
    others = marks_of([said for number, said in enumerate(FEEDBACK) if number != place], DATA)

    @declared(rows="reviewed", looks_at="input")
    def counted(forward, batch):
        whole = right_reasons(forward, batch, score="target_log_prob")
        without = replace(batch, irrelevant=others.irrelevant.masks(batch.index, batch.y))
        return whole - (1 - factor) * (whole - right_reasons(forward, without, score="target_log_prob"))

    model, marks = network(), marks_of(FEEDBACK, DATA)
    for _ in run(model, DATA, SHORT, penalties={counted: 0.5}, marks=marks, step=careful_step, seed=2):
        pass
    return model


def swapped(model):
    marks = marks_of(FEEDBACK, DATA)
    reviewed = marks.irrelevant.rows(Y)
    return swap_log_likelihoods(model, DATA, marks, reviewed, num_donors=NUM_DONORS, seed=2)


@pytest.fixture(scope="module")
def found():
    return feedback_influence(network(), DATA, FEEDBACK, penalties={"right_reasons": SETTINGS}, schedule=SHORT, seed=2)


@pytest.mark.parametrize("place", range(4))
def test_it_is_the_derivative_of_each_rows_swapped_loss_by_the_remarks_factor(found, place):
    ends = [swapped(corrected_with(place, 1 + sign * 1e-4)) for sign in (1, -1)]
    expected = (ends[0] - ends[1]) / 2e-4
    assert torch.allclose(found.by_row[:, place], expected, rtol=1e-4, atol=1e-8)


def test_no_remark_is_judged_on_its_own_row(found):
    for place, said in enumerate(FEEDBACK):
        others = found.rows != -1 if said.row is None else found.rows != said.row
        assert found.values[place] == pytest.approx(float(found.by_row[others, place].quantile(0.5)))
    marks = marks_of(FEEDBACK, DATA)
    expected = swap_score(found.corrected, DATA, marks, found.rows, num_donors=NUM_DONORS, seed=2)
    assert found.swap_score == pytest.approx(expected)
    assert found.values[found.order].tolist() == sorted(found.values.tolist(), reverse=True)
    assert found.worst(1) == [int(found.values.argmin())] and found.worst(0) == []
    assert found.worst(4) == found.order[::-1]
    with pytest.raises(RecipeError, match="expected a whole number"):
        found.worst(5)
    for told in (str(found), found._repr_html_()):
        assert "4 remarks" in told and "on row 4" in told


def test_it_replays_what_correct_does(found):
    settings = {"epochs": 3, "batch_size": 16, "learning_rate": 0.05, "seed": 2}
    asked = {"penalties": {"right_reasons": SETTINGS}}
    model = corrigible.correct(network(), DATA, FEEDBACK, **asked, **settings)
    ends = [parameters_to_vector(of.parameters()).detach() for of in (model, found.corrected)]
    assert torch.allclose(*ends, atol=1e-12)
    again = feedback_influence(network(), DATA, FEEDBACK, **asked, schedule=SHORT, corrected=model, seed=2)
    assert torch.equal(again.values, found.values)
    with pytest.raises(UnsupportedModelError, match="ends at other weights"):
        feedback_influence(network(), DATA, FEEDBACK, **asked, schedule=SHORT, corrected=network(), seed=2)


def test_the_model_is_left_as_it_is():
    model = network()
    before = copy.deepcopy(model.state_dict())
    feedback_influence(model, DATA, FEEDBACK, penalties={"right_reasons": 1.0}, schedule=Schedule(epochs=1))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"penalties": {"weight_norm": 1.0}}, RecipeError, "no penalty here learns from reviewed rows"),
        ({"penalties": {"right_reasons": "auto"}}, RecipeError, "weight 'auto'; expected a number"),
        ({"feedback": FEEDBACK[:1], "penalties": {"right_reasons": 1.0}}, FeedbackError, "expected at least 2"),
    ],
)
def test_what_has_no_answer_is_refused(settings, error, message):
    asked = {"feedback": FEEDBACK, **settings}
    with pytest.raises(error, match=message):
        feedback_influence(network(), DATA, asked.pop("feedback"), **asked)
