import numpy as np
import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError
from corrigible.explanations import explain
from corrigible.explanations.attribution.input_gradient import input_gradient
from corrigible.explanations.concepts import concept_sensitivity
from corrigible.explanations.explaining import attribution_of
from corrigible.explanations.interactions import input_hessian, integrated_hessians, shapley_interactions
from corrigible.explanations.layers import layer_attribution
from corrigible.explanations.quality import infidelity
from corrigible.explanations.question import answers, answers_to, asked_of, question_of
from corrigible.explanations.scores import margin, target_logit

MODEL = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
X = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


def rows():
    return torch.randn(7, 3, generator=torch.Generator().manual_seed(0))


def test_answers_are_the_logits_in_eval_mode_and_leave_the_model_alone():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2))
    found = answers(model, rows(), rows_at_once=2)
    assert model.training
    assert not model[1].num_batches_tracked
    assert not found.requires_grad
    torch.testing.assert_close(found, model.eval()(rows()).detach())


@pytest.mark.parametrize("rows_at_once", [1, 3, None])
def test_rows_are_made_when_their_turn_comes(rows_at_once):
    asked = []

    def made(place):
        asked.append(len(place))
        return rows()[place % 7]

    model = nn.Linear(3, 2)
    found = answers_to(model, made, 14, rows_at_once=rows_at_once)
    torch.testing.assert_close(found, model(rows()).repeat(2, 1).detach())
    assert max(asked) == (rows_at_once or 14)


def test_to_a_score_of_classes_a_function_with_one_score_per_row_is_the_logit_of_class_1():
    found = answers(lambda x: x.numpy()[:, 0] * 2, rows())
    torch.testing.assert_close(asked_of(found, 1, score="target_logit").of(found), 2 * rows()[:, 0])
    torch.testing.assert_close(asked_of(found, (1, 0), score="target_logit").of(found), 2 * rows()[:, 0])
    torch.testing.assert_close(asked_of(found, 0, score="target_logit").of(found), torch.zeros(7))


def test_a_model_that_works_in_place_does_not_change_the_rows():
    x = rows()
    answers(lambda x: x.mul_(2), x)
    assert torch.equal(x, rows())


@pytest.mark.parametrize(("target", "classes"), [(2, [2] * 7), ((0, 1), [[0, 1]] * 7)])
def test_the_score_is_that_of_the_same_class_in_every_row(target, classes):
    logits = answers(nn.Linear(3, 4), rows())
    torch.testing.assert_close(
        asked_of(logits, target, score="margin").of(logits), margin(logits, torch.tensor(classes))
    )
    torch.testing.assert_close(asked_of(logits, target).of(logits), target_logit(logits, torch.tensor(classes)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda logits: asked_of(logits, 2), DataError, "target is 2; expected 0 to 1"),
        (lambda logits: asked_of(logits, (0, -1)), DataError, r"target is \(0, -1\)"),
        (lambda logits: asked_of(logits, 0, score="random_projection"), RecipeError, "unknown score"),
        (lambda logits: answers(nn.Linear(3, 2), rows(), rows_at_once=0), RecipeError, "rows_at_once is 0"),
        (lambda logits: answers(nn.Linear(5, 2), rows()), DataError, r"x has shape \(7, 3\)"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(torch.zeros(3, 2))


def test_arrays_come_back_as_tensors():
    assert isinstance(answers(lambda x: np.ones((len(x), 3)), rows()), torch.Tensor)


def test_the_target_is_what_the_model_predicts_unless_it_is_given():
    question = question_of(MODEL, X.double().numpy())
    assert question.x.dtype == torch.float32
    assert torch.equal(question.target, MODEL(X).argmax(1))
    assert question_of(MODEL, X, 1).target.tolist() == [1] * 5


def test_without_a_target_a_single_score_is_asked_about_whatever_its_sign():
    model = nn.Linear(3, 1, bias=False)
    model.weight.data = torch.tensor([[1.0, 2.0, 4.0]])
    x = torch.tensor([[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]])
    question = question_of(model, x)
    assert question.target.tolist() == [0, 0]
    assert attribution_of("input_gradient", model, question.x, question.target).tolist() == [[1, 2, 4], [1, 2, 4]]


def test_pairs_of_classes_ask_why_the_one_rather_than_the_other():
    pairs = question_of(MODEL, X, [[0, 1]] * 5).target
    first, second = (explain(MODEL, X, chosen, method="input_gradient") for chosen in (0, 1))
    for method in ("input_gradient", input_gradient):
        torch.testing.assert_close(attribution_of(method, MODEL, X, pairs), first - second)
    with pytest.raises(DataError, match="target of row 0 is 7"):
        question_of(MODEL, X, [[0, 7]] * 5)


def test_every_explanation_of_a_model_and_rows_reads_a_single_output_alike():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    x = X.double()
    counts = TensorData(x, torch.arange(5.0), task="counts").task
    for asked, output in (
        ({}, model),
        ({"task": counts, "score": "target_value"}, nn.Sequential(model, Exponential())),
    ):
        gain = (output(x) - output(torch.zeros_like(x)))[:, 0].detach()
        shapley = shapley_interactions(model, x, None, **asked)
        torch.testing.assert_close(shapley.sum((1, 2)), gain)
        hessians = integrated_hessians(model, x, None, steps=80, **asked)
        torch.testing.assert_close(hessians.sum((1, 2)), gain, atol=1e-3, rtol=1e-3)
        second = torch.stack(
            [torch.autograd.functional.hessian(lambda r, of=output: of(r[None])[0, 0], row) for row in x]
        )
        torch.testing.assert_close(input_hessian(model, x, None, **asked), second)
        units = layer_attribution(model, x, None, layer="1", **asked)
        expected = layer_attribution(output, x, None, layer="1" if not asked else "0.1")
        torch.testing.assert_close(units, expected)
        slopes = concept_sensitivity(
            model, x, torch.zeros(5, dtype=torch.long), torch.ones(4).double(), layer="1", **asked
        )
        torch.testing.assert_close(slopes, (units / model[1](model[0](x)).detach()).sum(1))
        gradient = explain(model, x, method="input_gradient", **asked)
        torch.testing.assert_close(infidelity(model, x, None, gradient, **asked), infidelity(output, x, None, gradient))


class Exponential(nn.Module):
    def forward(self, x):
        return x.exp()
